// What a rule demands beyond the claims of the job token: the team that the pipeline belongs to, who started the build, who approved
// it, and the machine that asks. Plain data in, checked values out; what is true of a job is judged in judge-conditions.ts.

import * as z from 'zod';
import { durationSchema } from './duration.ts';

/** Buildkite's levels of a team's access to a pipeline, from the least. Source: buildkite.com/docs/apis/rest-api/teams/pipelines. */
export const TEAM_ACCESS = ['read_only', 'build_and_read', 'manage_build_and_read'] as const;
export type TeamAccess = (typeof TEAM_ACCESS)[number];

/** Seconds. */
const MIN_APPROVAL_AGE = 60;
export const MAX_APPROVAL_AGE = 24 * 3600;

/** The keys of block steps that a policy can name. */
const STEP_KEY = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

const teamName = z.string().min(1).max(100);

/** `match.team`: the job's pipeline belongs to the team, with at least this access. */
export const teamConditionSchema = z.strictObject({
  name: teamName,
  access: z.enum(TEAM_ACCESS).default('read_only'),
});
export type TeamCondition = z.output<typeof teamConditionSchema>;

/** `match.created_by`: a member of the team started the build, in the UI or by API. */
export const createdBySchema = z.strictObject({ team: teamName });
export type CreatedBy = z.output<typeof createdBySchema>;

/** It is part of `error_description`, which has no other characters. Source: RFC 6749 section 5.2. */
const stepKey = z
  .string()
  .regex(
    STEP_KEY,
    'must be the key of a step: 1 to 256 printable ASCII characters without " and \\. It is part of error_description',
  );

/** `approval`: a member of the team unblocked the step of this build, at most this long ago. */
export const approvalSchema = z
  .strictObject({
    step: stepKey,
    by: teamName,
    /** In seconds when parsed. */
    within: durationSchema(MIN_APPROVAL_AGE, MAX_APPROVAL_AGE, 'from 1m to 24h'),
    not: z.literal('creator', { error: 'must be creator: nobody else can be excluded' }).optional(),
    /** Access in an emergency: the build states a reason, and each use raises an alert and is listed in reviews. */
    use: z.literal('break-glass', { error: 'must be break-glass, or left out' }).optional(),
  })
  .refine(({ use, not }) => use === undefined || not === 'creator', {
    path: ['use'],
    message: 'is break-glass, which needs not: creator. In an emergency a second person approves too',
  });
export type Approval = z.output<typeof approvalSchema>;

/** No rule names a claim's value that has it: where policies are analysed, it stands for a `*`. */
export const RESERVED_CHARACTER = '\ue000';

const claimValue = z
  .string({ error: 'must be the text that the claim has, or a list of texts' })
  .min(1)
  .max(1024)
  .refine((text) => !text.includes(RESERVED_CHARACTER), 'must not have the character U+E000');

/** `agent`: the request carries a token of this identity provider, whose claims are these. Values are compared to the letter. */
export const agentConditionSchema = z.strictObject({
  provider: z.string().min(1).max(100),
  claims: z
    .record(
      z.string(),
      z.union([claimValue.transform((one) => [one]), z.array(claimValue).min(1)], {
        error: 'must be the text that the claim has, or a list of texts',
      }),
    )
    .refine(
      (claims) => Object.keys(claims).length > 0,
      'must name a claim. Without one, every token of the provider is enough',
    ),
});
type AgentCondition = z.output<typeof agentConditionSchema>;

/** What a rule demands beyond claims. None of them is there unless the rule has it. */
export interface Conditions {
  readonly team?: TeamCondition;
  readonly created_by?: CreatedBy;
  readonly approval?: Approval;
  readonly agent?: AgentCondition;
}

/** Their names. */
export const CONDITIONS = ['team', 'created_by', 'approval', 'agent'] as const satisfies readonly (keyof Conditions)[];

/** The keys of `match` that are no claims. */
export const MATCH_CONDITIONS = ['team', 'created_by'] as const satisfies readonly (keyof Conditions)[];
/** The keys of a rule that are conditions. */
export const RULE_CONDITIONS = ['approval', 'agent'] as const satisfies readonly (keyof Conditions)[];

/** The teams whose members or pipelines have to be known to judge the conditions, by their names in the policy. */
export function teamsOf({ team, created_by, approval }: Conditions): string[] {
  return [team?.name, created_by?.team, approval?.by].filter((name) => name !== undefined);
}

/** Whether what Buildkite has of the pipeline or the build decides. Only the UUID of a pipeline tells it from another one. */
export function needsPipeline({ team, created_by, approval }: Conditions): boolean {
  return team !== undefined || created_by !== undefined || approval !== undefined;
}

/** Whether what Buildkite has of the build decides. */
export function needsBuild({ created_by, approval }: Conditions): boolean {
  return created_by !== undefined || approval !== undefined;
}

/** Whether `level` includes what `least` allows. */
export function includesAccess(level: TeamAccess, least: TeamAccess): boolean {
  return TEAM_ACCESS.indexOf(level) >= TEAM_ACCESS.indexOf(least);
}
