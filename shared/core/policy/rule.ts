// One rule of a policy: the jobs that it matches, and the credentials that it grants them. Plain data in, a checked value or
// problems out. Names of pipelines and credentials are checked in references.ts.

import * as z from 'zod';
import { acceptSchema } from './accept.ts';
import { isMatchableClaim, MATCHABLE_CLAIMS } from './claims.ts';
import {
  agentConditionSchema,
  approvalSchema,
  type Conditions,
  createdBySchema,
  teamConditionSchema,
} from './conditions.ts';
import { isWildcardOnly } from './pattern.ts';

export const UUID = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

export const uuidSchema = z
  .string()
  .regex(UUID, 'must be a UUID')
  .transform((value) => value.toLowerCase());

/** The claims that a rule matches, each with its patterns. */
export type Match = Readonly<Record<string, readonly string[]>>;

const claimPattern = z
  .union([z.string().min(1).max(256), z.int().min(1)], {
    error: 'must be a pattern of 1 to 256 characters, or a list of patterns',
  })
  .transform(String);
export const claimPatterns = z.union([claimPattern.transform((one) => [one]), z.array(claimPattern).min(1)], {
  error: 'must be a pattern of 1 to 256 characters, or a list of patterns',
});

/** The keys of `match`, besides `agent_tag:NAME`. `pipeline` takes names from `pipelines`; the others are claims. */
export const MATCH_KEYS = ['pipeline', ...MATCHABLE_CLAIMS] as const;

/** A rule narrows one of them at least. */
export const SCOPING_KEYS = ['pipeline', 'pipeline_id', 'pipeline_slug', 'cluster_id'];

/** Whether a rule may match `key`. */
export function isMatchKey(key: string): boolean {
  return key === 'pipeline' || isMatchableClaim(key);
}

/** Whether every pattern of `key` restricts the claim's value. An id's pattern is a UUID; other patterns have more than wildcards. */
export function narrows(match: Match, key: string): boolean {
  return match[key]?.every((pattern) => (isUuidClaim(key) ? UUID.test(pattern) : !isWildcardOnly(pattern))) ?? false;
}

const matchSchema = z
  .object({ team: teamConditionSchema.optional(), created_by: createdBySchema.optional() })
  .catchall(claimPatterns)
  .superRefine(({ team, created_by, ...match }, context) => {
    for (const key of Object.keys(match)) {
      if (isMatchKey(key)) continue;
      const message = `is not a claim that a rule can match: ${MATCH_KEYS.join(', ')} and agent_tag:NAME`;
      context.addIssue({ code: 'custom', path: [key], message });
    }
    if (match.pipeline && match.pipeline_id)
      context.addIssue({
        code: 'custom',
        path: ['pipeline_id'],
        message: 'is the claim that pipeline names. Keep one of the two',
      });
    const neverMatching = Object.entries(match).flatMap(([claim, patterns]) =>
      patterns.flatMap((pattern, index) => (canNeverMatch(claim, pattern) ? [{ claim, pattern, index }] : [])),
    );
    for (const { claim, pattern, index } of neverMatching) {
      const hint = claim === 'pipeline_id' ? ". Use pipeline_slug, or the id from Buildkite's API" : '';
      context.addIssue({
        code: 'custom',
        path: [claim, index],
        message: `"${pattern}" is not a UUID, so it matches nothing${hint}`,
      });
    }
    if (neverMatching.some(({ claim }) => SCOPING_KEYS.includes(claim))) return;
    if (!SCOPING_KEYS.some((key) => narrows(match, key)))
      context.addIssue({
        code: 'custom',
        message: `A rule must narrow one of ${SCOPING_KEYS.join(', ')}: an id to a UUID, a slug to more than wildcards. The author of a build chooses its branch, tag and steps`,
      });
  })
  .transform(({ team, created_by, ...match }) => ({
    match: lowerCaseUuids(match),
    conditions: { ...(team && { team }), ...(created_by && { created_by }) },
  }));

/** Whether no value that the claim can have fits. A number that zod has refused is not text yet, and has its problem. */
function canNeverMatch(claim: string, pattern: unknown): boolean {
  if (typeof pattern !== 'string' || !isMatchableClaim(claim) || !isUuidClaim(claim)) return false;
  return !pattern.includes('*') && !UUID.test(pattern);
}

/** Every claim called …_id holds a UUID. Tags of agents may have any name. */
export function isUuidClaim(claim: string): boolean {
  return claim.endsWith('_id') && !claim.startsWith('agent_tag:');
}

/** Claims are compared with UUIDs in lower case. */
function lowerCaseUuids(match: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(match).map(([claim, patterns]) => [
      claim,
      isUuidClaim(claim) ? patterns.map((pattern) => pattern.toLowerCase()) : patterns,
    ]),
  );
}

/** The sources of builds whose creator signed in to Buildkite. Of all others it is the author of a commit, whom nobody verified, or none. */
export const SOURCES_WITH_CREATOR: readonly string[] = ['ui', 'api'];

export const CREATOR_UNVERIFIED =
  'The rule must name build_source with ui, api or both and nothing else. The creator of other builds is the author of a commit, whom nobody verified';

export function hasVerifiedCreators({ build_source }: Match): boolean {
  return build_source?.every((source) => SOURCES_WITH_CREATOR.includes(source)) ?? false;
}

export const ruleSchema = z
  .strictObject({
    name: z.string().min(1).max(128),
    match: matchSchema,
    approval: approvalSchema.optional(),
    agent: agentConditionSchema.optional(),
    grants: z.array(z.string()).min(1),
    accept: acceptSchema.optional(),
  })
  .superRefine((rule, context) => {
    // A match that has problems of its own is as it was written.
    const { match = {}, conditions }: Partial<typeof rule.match> = rule.match;
    if (conditions?.created_by && !hasVerifiedCreators(match))
      context.addIssue({ code: 'custom', path: ['match', 'created_by'], message: CREATOR_UNVERIFIED });
  })
  .transform(({ match: { match, conditions }, approval, agent, ...rule }) => ({
    ...rule,
    match,
    conditions: { ...conditions, ...(approval && { approval }), ...(agent && { agent }) } as Conditions,
  }));

/** A rule in the file may match `pipeline`; one of a parsed policy has `pipeline_id` instead. */
export type Rule = z.output<typeof ruleSchema>;
