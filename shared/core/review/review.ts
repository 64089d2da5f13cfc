// The review of a period: who could reach what, who did get it, on what basis, how it ended, and what is not known. Pure: the same
// ledger and the same evidence make the same review.

import { toIso, toIsoOrNull } from '../iso-time.ts';
import type { ActView } from '../operator-api/review.ts';
import { type CrossCheck, crossCheck } from './cross-check.ts';
import type { DoctorReport } from './doctor.ts';
import { type Finding, findingsOf, finishedLater, wasExpiredOnly } from './findings.ts';
import type { ReviewInput } from './input.ts';
import { type Distribution, latencies } from './latency.ts';
import { LIMITS, type NotKnown, notKnown } from './not-known.ts';
import { type PipelineReview, pipelineReviews } from './pipeline-review.ts';
import { type PolicyInForce, type PolicyText, policiesByHash } from './policies-in-force.ts';
import { RECOMPUTE } from './population.ts';
import { type CredentialAccess, credentialAccess, type OpenRule, openRules, readablePolicies } from './reach.ts';
import { type GrantRow, OUTCOMES, type Outcome } from './row.ts';

/** As JSON it is the export of a review: members are added, and none is renamed or removed. Times are ISO 8601 in UTC. */
export interface Review {
  /** Up to, and not including, `to`. */
  readonly period: { readonly from: string; readonly to: string };
  readonly environment: string | null;
  readonly not_known: readonly NotKnown[];
  readonly findings: readonly Finding[];
  readonly limits: readonly string[];
  readonly population: {
    /** By the ledger's clock: nothing that was written later is in the review. */
    readonly as_of: string;
    readonly count: number;
    readonly sha256: string;
    /** A command that computes it from this JSON. */
    readonly recompute: string;
    readonly began_in_period: number;
    readonly tokens_issued: number;
    readonly unreadable: readonly { readonly grant_id: string; readonly error: string }[];
  };
  readonly policies: readonly (PolicyInForce & { readonly text: 'on record' | 'missing' | 'unreadable' | 'invalid' })[];
  readonly pipelines: readonly PipelineReview[];
  readonly open_rules: readonly OpenRule[];
  readonly credentials: readonly CredentialAccess[];
  readonly ends: {
    readonly by_outcome: Readonly<Record<Outcome, number>>;
    /** By what ended them; `none` for those that have not ended. */
    readonly by_cause: Readonly<Record<string, number>>;
    /** Grants that could have been revoked, and expired. */
    readonly expired_although_revocable: readonly {
      readonly grant_id: string;
      readonly ended_by: string | null;
      /** `job_finished_later`: the job went on until after that, so there was nothing to revoke. */
      readonly why: 'job_finished_later' | 'end_not_reported' | 'not_revoked_in_time';
    }[];
    readonly still_accepted: readonly { readonly grant_id: string; readonly until: string; readonly ended: boolean }[];
    readonly latency: readonly Distribution[];
  };
  readonly cross_check:
    | (CrossCheck & { readonly lines: number; readonly first_at: string | null; readonly last_at: string | null })
    | null;
  readonly acts: readonly (ActView & { readonly ended_grants: readonly string[] })[];
  readonly doctor: DoctorReport | null;
  readonly grants: readonly GrantRow[];
}

export function reviewOf(input: ReviewInput): Review {
  const { period, environment, asOf, population, policies, texts, records, doctor } = input;
  const { rows } = population;
  const readable = readablePolicies(policies, texts);
  const compared = compareWithLog(input);
  return {
    period: { from: toIso(period.from), to: toIso(period.to) },
    environment: environment ?? null,
    not_known: notKnown(input),
    findings: findingsOf({
      rows,
      policies: policiesByHash(texts),
      from: period.from,
      acts: records.acts,
      unreadableActs: new Set(records.unreadable_acts.map(({ id }) => id)),
      crossCheck: compared ?? undefined,
      touchesWithoutGrant: environment === undefined ? (input.touches?.found.unknown ?? []) : [],
      doctor,
    }),
    limits: LIMITS,
    population: {
      as_of: asOf.text,
      count: population.count,
      sha256: population.sha256,
      recompute: RECOMPUTE,
      began_in_period: rows.filter(({ created_at }) => Date.parse(created_at) >= period.from).length,
      tokens_issued: rows.reduce((sum, { tokens_issued }) => sum + tokens_issued, 0),
      unreadable: input.unreadable,
    },
    policies: policies.map((policy) => ({ ...policy, text: stateOf(texts.get(policy.sha256)) })),
    pipelines: pipelineReviews(input, readable),
    open_rules: openRules(readable, environment),
    credentials: credentialAccess(readable, environment),
    ends: endsOf(rows),
    cross_check: compared,
    acts: actsOf(input),
    doctor: doctor ?? null,
    grants: rows,
  };
}

/** Whether there is nothing to explain. */
export function isClear({ not_known, findings }: Pick<Review, 'not_known' | 'findings'>): boolean {
  return not_known.length === 0 && findings.length === 0;
}

function stateOf(text: PolicyText | undefined): Review['policies'][number]['text'] {
  if (!text) return 'missing';
  return 'policy' in text ? 'on record' : text.problem;
}

function compareWithLog({
  log,
  population,
  period,
  asOf,
  environment,
  unreadable,
  records,
}: ReviewInput): Review['cross_check'] {
  if (!log) return null;
  const { first_at, last_at } = log.found.coverage.report(
    { since: period.from, until: Math.min(period.to, asOf.at) },
    1,
  );
  const compared = crossCheck(population.rows, log.found, {
    ...{ from: period.from, to: period.to, asOf: asOf.at, environment },
    unreadable: new Set(unreadable.map(({ grant_id }) => grant_id)),
    acts: records.acts,
    unreadableActs: new Set(records.unreadable_acts.map(({ id }) => id)),
  });
  return {
    ...compared,
    lines: log.found.count,
    first_at: toIsoOrNull(first_at),
    last_at: toIsoOrNull(last_at),
  };
}

function endsOf(rows: readonly GrantRow[]): Review['ends'] {
  const causes = [...new Set(rows.map(({ ended_by }) => ended_by ?? 'none'))].sort();
  return {
    by_outcome: Object.fromEntries(
      OUTCOMES.map((outcome) => [outcome, rows.filter((row) => row.outcome === outcome).length]),
    ) as Record<Outcome, number>,
    by_cause: Object.fromEntries(
      causes.map((cause) => [cause, rows.filter(({ ended_by }) => (ended_by ?? 'none') === cause).length]),
    ),
    expired_although_revocable: rows.filter(wasExpiredOnly).map((row) => ({
      grant_id: row.grant_id,
      ended_by: row.ended_by,
      why: finishedLater(row)
        ? 'job_finished_later'
        : row.ended_by === 'expiry'
          ? 'end_not_reported'
          : 'not_revoked_in_time',
    })),
    still_accepted: rows
      .filter(({ outcome }) => outcome === 'still_accepted')
      .map(({ grant_id, access_ended_at, expires_at, ended_at }) => ({
        grant_id,
        until: access_ended_at ?? expires_at,
        ended: ended_at !== null,
      })),
    latency: latencies(rows),
  };
}

function actsOf({ records, period, population }: ReviewInput): Review['acts'] {
  const wasInForce = ({ activated_at, blocks_new, deactivated_at }: ActView) =>
    Date.parse(activated_at) >= period.from ||
    (blocks_new && (deactivated_at === null || Date.parse(deactivated_at) >= period.from));
  return records.acts.filter(wasInForce).map((act) => ({
    ...act,
    ended_grants: population.rows.flatMap(({ kill_switch_id, grant_id }) =>
      kill_switch_id === act.id ? [grant_id] : [],
    ),
  }));
}
