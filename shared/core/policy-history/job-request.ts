// A request of a job for a credential, and how it ended, from a line of the audit log.

import * as z from 'zod';
import { claimsOfEvent, type KnownClaims } from './known-claims.ts';
import { eventConditions, type KnownConditions } from './known-conditions.ts';
import { type LogEntry, toTime } from './log-entry.ts';

/** What the policy of the time decided, and what came of it. */
type Outcome =
  /** `rule` is not on record where the request was refused for another reason, such as `pool_exhausted`. */
  | { readonly allowed: true; readonly rule: string | undefined; readonly reason: string | undefined }
  | { readonly allowed: false; readonly reason: string };

export interface JobRequest {
  readonly request_id: string | undefined;
  /** Milliseconds since the epoch; undefined where the line does not say. */
  readonly at: number | undefined;
  readonly credential: string;
  readonly pipeline_slug: string;
  readonly claims: KnownClaims;
  /** By what the conditions of the rule held. */
  readonly conditions: KnownConditions;
  readonly outcome: Outcome;
  /** Of an issued token. */
  readonly grant_id?: string;
  /** Of the policy that decided. */
  readonly policy_sha256?: string;
}

/** A request about which the policy decided nothing, or not what is on record. */
export interface UndecidedRequest {
  readonly undecided: string;
}

const text = z.string();
const issued = z.object({
  request_id: text.optional(),
  credential: text,
  pipeline_slug: text,
  rule: text,
  grant_id: text,
  policy_sha256: text,
  job: z.record(text, z.unknown()).optional(),
  conditions: eventConditions.nullish().catch(undefined),
});
const refused = z.object({
  request_id: text.optional(),
  reason: text,
  credential: text.optional(),
  policy_sha256: text.optional(),
  job: z.looseObject({ pipeline_slug: text }).optional(),
});

/** The reasons for which a policy refuses. */
export const BY_POLICY: readonly string[] = [
  ...['claims_missing', 'unknown_credential', 'no_matching_rule'],
  ...['approval_pending', 'approval_not_accepted', 'conditions_unknown', 'agent_token_missing'],
];
/** The reasons for which a request is refused that the policy allows. */
const ALLOWED = [
  ...['job_ended', 'grant_revoked', 'credential_changed', 'live_token_limit', 'rate_limited', 'grant_busy', 'blocked'],
  ...['pipeline_grant_limit', 'pool_exhausted', 'google_refused', 'dependency_unavailable'],
];

/** @returns undefined for a line of another event, 'malformed' for one without the fields of its event */
export function toJobRequest({ at, line }: LogEntry): JobRequest | UndecidedRequest | 'malformed' | undefined {
  if (line?.event === 'grant.issued') return toIssued(at, line);
  if (line?.event === 'grant.refused') return toRefused(at, line);
  return undefined;
}

function toIssued(at: number | undefined, line: Readonly<Record<string, unknown>>): JobRequest | 'malformed' {
  const read = issued.safeParse(line);
  if (!read.success) return 'malformed';
  const { request_id, credential, pipeline_slug, rule, grant_id, policy_sha256, job, conditions } = read.data;
  const requestedAt = at ?? toTime(line.issued_at);
  return {
    request_id,
    at: requestedAt,
    credential,
    pipeline_slug,
    // The longest lines are cut to fields that are no objects.
    claims: claimsOfEvent(job ?? {}, job === undefined || line.truncated === true),
    conditions: { basis: conditions ?? undefined, at: requestedAt },
    outcome: { allowed: true, rule, reason: undefined },
    grant_id,
    policy_sha256,
  };
}

function toRefused(
  at: number | undefined,
  line: Readonly<Record<string, unknown>>,
): JobRequest | UndecidedRequest | 'malformed' {
  const read = refused.safeParse(line);
  if (!read.success) return 'malformed';
  const { request_id, reason, credential, policy_sha256, job } = read.data;
  const byPolicy = BY_POLICY.includes(reason);
  if (!byPolicy && !ALLOWED.includes(reason)) return { undecided: reason };
  if (!job || credential === undefined) return { undecided: reason };
  return {
    request_id,
    at,
    credential,
    pipeline_slug: job.pipeline_slug,
    claims: claimsOfEvent(job, line.truncated === true),
    conditions: { basis: undefined, at },
    outcome: byPolicy ? { allowed: false, reason } : { allowed: true, rule: undefined, reason },
    ...(policy_sha256 !== undefined && { policy_sha256 }),
  };
}
