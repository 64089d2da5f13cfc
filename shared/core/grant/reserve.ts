// The first step of an issue: the record says what is about to be minted, or why nothing is. Pure functions on a grant's
// record; times are milliseconds since the epoch.

import type { ConditionBasis } from '../conditions/basis.ts';
import { type Blocks, blockedBy } from '../kill-switch.ts';
import type { AccessRecord } from '../kinds/kind.ts';
import { mintMarginMs, opensSame, toAccessRecord } from '../kinds/kinds.ts';
import { isPooled, isPooledGrant, type PooledGrant } from '../kinds/pooled-service-account.ts';
import type { Refusal } from '../oauth/refusal.ts';
import type { Credential } from '../policy/credential.ts';
import type { Policy } from '../policy/policy.ts';
import type { Subject } from '../subject/buildkite-job.ts';
import { CLOCK_MARGIN_MS, LIMIT_RETRY_AFTER, RECORD_RETENTION_MS, surelyPast } from '../timing.ts';
import { supersede } from './basis.ts';
import { NOT_ENDING, refusalIfEnded } from './end.ts';
import type { Grant } from './grant.ts';
import { grantIdOf } from './id.ts';

/** Live tokens one grant may have: a bound on the record's size and on a runaway loop in a step. */
export const MAX_LIVE_TOKENS = 500;

/** The parameters of a request for a grant. `ttl` is in seconds. */
export interface IssueRequest {
  readonly subject: Subject;
  readonly credentialName: string;
  readonly credential: Credential;
  readonly rule: string;
  readonly policySha256: string;
  /** By what the rule's conditions hold; null for a rule without conditions. */
  readonly conditions: ConditionBasis | null;
  readonly ttl: number;
  readonly limits: Pick<Policy['limits'], 'tokensPerMinute' | 'liveGrantsPerPipeline'>;
  /** A pooled account that is free, for a grant that holds none. */
  readonly lease?: string;
  /** Pooled accounts for which Google just refused to mint. */
  readonly excludedAccounts?: readonly string[];
}

/** What the ledger holds in addition to the grant. */
export interface LedgerState {
  /** Undefined while the job runs. */
  readonly jobEndedAt: number | undefined;
  readonly blocks: Blocks;
  /** Live grants of the job's pipeline, about. */
  readonly pipelineGrantCount: number;
}

export type Reservation =
  | { readonly grant: Grant /** No token minted for it may live longer. */; readonly latestExpiry: number }
  | { readonly refusal: Refusal }
  | { readonly needsLease: true };

/**
 * The record before anything is minted: it says until when a token could live, should this process die right after.
 * @param existing the grant's record so far
 */
export function reserve(
  existing: Grant | undefined,
  ledgerState: LedgerState,
  request: IssueRequest,
  now: number,
): Reservation {
  const { jobEndedAt, blocks, pipelineGrantCount } = ledgerState;
  if (jobEndedAt !== undefined) return { refusal: { reason: 'job_ended', ended_at: jobEndedAt } };
  const blocked = blockedNow(blocks, request, now);
  if (blocked) return { refusal: blocked };
  const refusal = existing && refusalIfEnded(existing);
  if (refusal) return { refusal };
  if (existing === undefined || existing.state === 'expired') {
    const limit = request.limits.liveGrantsPerPipeline;
    if (pipelineGrantCount >= limit)
      return {
        refusal: {
          reason: 'pipeline_grant_limit',
          live_grants: pipelineGrantCount,
          limit,
          retryAfter: LIMIT_RETRY_AFTER,
        },
      };
  }

  const lease = holdsLease(existing, request) ? existing.service_account : request.lease;
  const { credential, ttl } = request;
  if (isPooled(credential) && lease === undefined && sameKind(existing, credential)) return { needsLease: true };
  const access = toAccessRecord(credential, { existing, lease: lease ?? '', now });
  const latestExpiry = now + ttl * 1000 + mintMarginMs(credential);
  return existing
    ? renew(existing, { request, access, latestExpiry }, now)
    : { grant: newGrant({ request, access, latestExpiry }, now), latestExpiry };
}

/** What is about to be recorded. */
interface Next {
  readonly request: IssueRequest;
  readonly access: AccessRecord;
  readonly latestExpiry: number;
}

function newGrant({ request, access, latestExpiry }: Next, now: number): Grant {
  return {
    subject: request.subject,
    ...policyFields(request),
    ...access,
    superseded: [],
    state: 'issuing',
    created_at: now,
    requested_at: now,
    issued_at: null,
    tokens_issued: 0,
    rate_window_at: now,
    rate_window_count: 1,
    tokens: [],
    expires_at: latestExpiry,
    ended_at: null,
    ended_by: null,
    ...NOT_ENDING,
    kill_switch_id: null,
    job_ended_at: null,
    job_finished_at: null,
    access_ended_at: null,
    delete_at: latestExpiry + RECORD_RETENTION_MS,
  };
}

function renew(existing: Grant, { request, access, latestExpiry }: Next, now: number): Reservation {
  const grant_id = grantIdOf(existing);
  if (!opensSame(existing, request.credential)) return { refusal: { reason: 'credential_changed', grant_id } };
  const rateWindow = advanceRateWindow(existing, now);
  if (rateWindow.rate_window_count > request.limits.tokensPerMinute)
    return {
      refusal: { reason: 'rate_limited', grant_id, retryAfter: seconds(rateWindow.rate_window_at + 60_000 - now) },
    };
  const tokens = existing.tokens.filter((token) => !surelyPast(token.expires_at, now));
  if (tokens.length >= MAX_LIVE_TOKENS) {
    const soonest = Math.min(...tokens.map((token) => token.expires_at)) + CLOCK_MARGIN_MS;
    return { refusal: { reason: 'live_token_limit', grant_id, retryAfter: seconds(soonest - now) } };
  }
  const policy = policyFields(request);
  const superseded = supersede(existing, { ...policy, ...access }, tokens, now);
  if (!superseded) return { refusal: { reason: 'credential_changed', grant_id } };
  const expires_at = Math.max(existing.expires_at, latestExpiry);
  const grant: Grant = {
    ...existing,
    ...access,
    ...policy,
    superseded,
    ...rateWindow,
    requested_at: now,
    state: existing.state === 'active' ? 'active' : 'issuing',
    tokens,
    expires_at,
    ended_at: null,
    ended_by: null,
    access_ended_at: null,
    delete_at: expires_at + RECORD_RETENTION_MS,
  };
  return { grant, latestExpiry };
}

/** The refusal of a request that an operator blocked. */
export function blockedNow(blocks: Blocks, request: IssueRequest, now: number): Refusal | undefined {
  return blockedBy(blocks, {
    subject: request.subject,
    ...policyFields(request),
    requested_at: now,
    issued_at: null,
  });
}

function policyFields({ credentialName, credential, rule, policySha256, conditions }: IssueRequest) {
  return {
    credential: credentialName,
    environment: credential.environment,
    rule,
    policy_sha256: policySha256,
    conditions,
  };
}

function advanceRateWindow({ rate_window_at, rate_window_count }: Grant, now: number) {
  const same = now - rate_window_at < 60_000 && now >= rate_window_at;
  return same
    ? { rate_window_at, rate_window_count: rate_window_count + 1 }
    : { rate_window_at: now, rate_window_count: 1 };
}

function seconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}

/** Whether the grant has an account of its own, and Google mints from it as far as is known. */
function holdsLease(existing: Grant | undefined, { excludedAccounts = [] }: IssueRequest): existing is PooledGrant {
  if (!existing || !isPooledGrant(existing) || existing.state === 'expired') return false;
  return existing.tokens.length > 0 || !excludedAccounts.includes(existing.service_account);
}

function sameKind(existing: Grant | undefined, credential: Credential): boolean {
  return existing === undefined || existing.kind === credential.kind;
}
