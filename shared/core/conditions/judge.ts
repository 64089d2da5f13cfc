// Whether the conditions of a rule hold for a job, by what Buildkite and the identity providers said. Pure: the same facts give the
// same verdict in any order of arrival. What is not known is never taken to hold.

import type { JobClaims } from '../policy/claims.ts';
import {
  type Approval,
  type Conditions,
  type CreatedBy,
  includesAccess,
  type TeamCondition,
} from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';
import { SOURCES_WITH_CREATOR } from '../policy/rule.ts';
import { CLOCK_MARGIN_MS } from '../timing.ts';
import { type ConditionBasis, NO_BASIS } from './basis.ts';
import type { BuildRecord, Unblock } from './build-record.ts';
import type { TeamRecord } from './team-record.ts';

/** A token of an identity provider that was verified. `claims` are those that the policy declares of it, by its names. */
export interface VerifiedAgent {
  readonly provider: string;
  readonly claims: Readonly<Record<string, string>>;
}

/** What is known when a request is decided. */
export interface Facts {
  /** Of the job's build; undefined when nothing is on record. */
  readonly build: BuildRecord | undefined;
  /** By the UUID of the team; a team that was never read is not in it. */
  readonly teams: ReadonlyMap<string, TeamRecord>;
  /** Undefined when the request had none that was accepted. */
  readonly agent: VerifiedAgent | undefined;
}

/** Why a condition does not hold. Another build, person or machine may meet it; waiting does not help. */
export const UNMET_REASONS = [
  'pipeline_not_in_team',
  'team_access_too_low',
  'creator_unverified',
  'creator_unknown',
  'creator_not_in_team',
  'approver_unknown',
  'approver_not_in_team',
  'approver_is_creator',
  'approval_expired',
  'approval_in_future',
  'approval_ambiguous',
  'approval_without_reason',
  'build_differs',
  'agent_token_missing',
  'agent_of_other_provider',
  'agent_claims_differ',
] as const;
export type UnmetReason = (typeof UNMET_REASONS)[number];
/** Those of an approval. */
export type ApprovalProblem = Extract<UnmetReason, `approv${string}` | 'creator_unknown' | 'build_differs'>;

export type ConditionVerdict =
  | { readonly outcome: 'met'; readonly basis: ConditionBasis }
  | { readonly outcome: 'unmet'; readonly condition: 'approval'; readonly reason: ApprovalProblem }
  | { readonly outcome: 'unmet'; readonly condition: 'team' | 'created_by' | 'agent'; readonly reason: UnmetReason }
  /** Somebody may still unblock the step. */
  | { readonly outcome: 'pending'; readonly condition: 'approval'; readonly step: string }
  /** Keydesk has not read it, or too long ago. */
  | {
      readonly outcome: 'unknown';
      readonly condition: keyof Conditions;
      readonly unknown: 'build' | 'team';
      readonly team?: string;
    };

type Judged = { readonly met: Partial<ConditionBasis> } | Exclude<ConditionVerdict, { readonly outcome: 'met' }>;

export interface Question {
  readonly claims: JobClaims;
  readonly facts: Facts;
  readonly policy: Pick<Policy, 'teams' | 'limits'>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Judges all conditions of a rule. Where several do not hold, one that no waiting changes is reported first, then what is not known,
 * then what somebody may still approve.
 */
export function judgeConditions(conditions: Conditions, question: Question): ConditionVerdict {
  const { team, created_by, approval, agent } = conditions;
  const judged: Judged[] = [
    ...(agent ? [judgeAgent(agent, question)] : []),
    ...(team ? [judgeTeam(team, question)] : []),
    ...(created_by ? [judgeCreator(created_by, question)] : []),
    ...(approval ? [judgeApproval(approval, question)] : []),
  ];
  let basis = NO_BASIS;
  const others: Exclude<ConditionVerdict, { readonly outcome: 'met' }>[] = [];
  for (const one of judged) {
    if ('met' in one) basis = { ...basis, ...one.met };
    else others.push(one);
  }
  const first = (wanted: ConditionVerdict['outcome']) => others.find(({ outcome }) => outcome === wanted);
  return first('unmet') ?? first('unknown') ?? first('pending') ?? { outcome: 'met', basis };
}

function judgeTeam({ name, access }: TeamCondition, question: Question): Judged {
  const team = knownTeam(name, question);
  if (!team) return { outcome: 'unknown', condition: 'team', unknown: 'team', team: name };
  const { pipeline_id } = question.claims;
  const actual = pipeline_id === undefined ? undefined : ownValue(team.record.pipelines, pipeline_id);
  if (actual === undefined) return unmet('team', 'pipeline_not_in_team');
  if (!includesAccess(actual, access)) return unmet('team', 'team_access_too_low');
  return { met: { team: { id: team.id, access: actual, read_at: team.read_at } } };
}

function judgeCreator({ team: name }: CreatedBy, question: Question): Judged {
  const { claims, facts } = question;
  if (!SOURCES_WITH_CREATOR.includes(claims.build_source ?? '')) return unmet('created_by', 'creator_unverified');
  const build = buildOfJob(claims, facts);
  if (build === 'other') return unmet('created_by', 'build_differs');
  if (!build?.creator_known) return { outcome: 'unknown', condition: 'created_by', unknown: 'build' };
  if (build.creator === null) return unmet('created_by', 'creator_unknown');
  const team = knownTeam(name, question);
  if (!team) return { outcome: 'unknown', condition: 'created_by', unknown: 'team', team: name };
  if (!team.record.members.includes(build.creator)) return unmet('created_by', 'creator_not_in_team');
  return { met: { created_by: { user_id: build.creator, team_id: team.id, read_at: team.read_at } } };
}

function judgeApproval({ step, by, within, not, use }: Approval, question: Question): Judged {
  const { claims, facts, now } = question;
  const build = buildOfJob(claims, facts);
  if (build === 'other') return notApproved('build_differs');
  const latest = latestUnblock(build?.unblocks ?? [], step);
  if (latest === undefined) return { outcome: 'pending', condition: 'approval', step };
  if (latest === 'ambiguous') return notApproved('approval_ambiguous');
  const { unblocked_by, unblocked_at, job_id } = latest;
  if (unblocked_by === null) return notApproved('approver_unknown');
  if (unblocked_at > now + CLOCK_MARGIN_MS) return notApproved('approval_in_future');
  if (now - unblocked_at > within * 1000) return notApproved('approval_expired');
  if (not === 'creator') {
    if (!build?.creator_known) return { outcome: 'unknown', condition: 'approval', unknown: 'build' };
    if (build.creator === null) return notApproved('creator_unknown');
    if (build.creator === unblocked_by) return notApproved('approver_is_creator');
  }
  if (use === 'break-glass' && !build?.reason) return notApproved('approval_without_reason');
  const team = knownTeam(by, question);
  if (!team) return { outcome: 'unknown', condition: 'approval', unknown: 'team', team: by };
  if (!team.record.members.includes(unblocked_by)) return notApproved('approver_not_in_team');
  const approval = { step_key: step, job_id, approved_by: unblocked_by, approved_at: unblocked_at };
  return {
    met: {
      approval: {
        ...approval,
        team_id: team.id,
        read_at: team.read_at,
        reason: build?.reason ?? null,
        break_glass: use === 'break-glass',
      },
    },
  };
}

/**
 * The unblock that counts. A step that was retried was unblocked again, and its latest one counts. Where two steps of a build have the
 * key, nobody knows which of them the policy means, so neither counts.
 */
function latestUnblock(unblocks: readonly Unblock[], step: string): Unblock | 'ambiguous' | undefined {
  const named = unblocks.filter(({ step_key }) => step_key === step);
  const steps = new Set(named.map(({ step_id, job_id }) => step_id ?? `job ${job_id}`));
  if (steps.size > 1) return 'ambiguous';
  // In any order of arrival, the same one is the latest.
  const [latest] = named.toSorted(
    (left, right) => right.unblocked_at - left.unblocked_at || (left.job_id < right.job_id ? -1 : 1),
  );
  return latest;
}

function judgeAgent({ provider, claims }: NonNullable<Conditions['agent']>, { facts: { agent } }: Question): Judged {
  if (!agent) return unmet('agent', 'agent_token_missing');
  if (agent.provider !== provider) return unmet('agent', 'agent_of_other_provider');
  const named = Object.entries(claims);
  const holds = named.every(([name, values]) => values.includes(ownValue(agent.claims, name) ?? ''));
  if (!holds) return unmet('agent', 'agent_claims_differ');
  return { met: { agent: { provider, claims: agent.claims } } };
}

/** A number names a build within its pipeline alone, and a job token may also have the UUID of its build. */
function buildOfJob(
  { pipeline_id, build_number, build_id }: JobClaims,
  { build }: Facts,
): BuildRecord | 'other' | undefined {
  if (!build) return undefined;
  if (build.pipeline_id !== pipeline_id || build.build_number !== build_number) return 'other';
  return build_id !== undefined && build.build_id !== null && build.build_id !== build_id ? 'other' : build;
}

function knownTeam(name: string, { facts, policy, now }: Question) {
  const id = ownValue(policy.teams, name);
  const record = id === undefined ? undefined : facts.teams.get(id);
  if (id === undefined || !record || record.read_at === null) return undefined;
  const { read_at } = record;
  return now - read_at > policy.limits.teamsMaxAge * 1000 || read_at > now + CLOCK_MARGIN_MS
    ? undefined
    : { id, record, read_at };
}

function ownValue<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function unmet(condition: 'team' | 'created_by' | 'agent', reason: UnmetReason): Judged {
  return { outcome: 'unmet', condition, reason };
}

function notApproved(reason: ApprovalProblem): Judged {
  return { outcome: 'unmet', condition: 'approval', reason };
}
