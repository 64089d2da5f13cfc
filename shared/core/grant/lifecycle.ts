// The life of a grant, as pure functions on its record: issuing -> active -> revoking -> revoked, active -> expired.
// Times are milliseconds since the epoch. Knows nothing about Firestore or Google.

import { mintMarginMs, opensSame, revocableAccess, toAccessRecord } from '../kinds/kinds.ts';
import { isPooled, isPooledGrant, type PooledGrant } from '../kinds/pooled-service-account.ts';
import type { Refusal } from '../oauth/refusal.ts';
import type { Credential } from '../policy/credential.ts';
import type { Policy } from '../policy/policy.ts';
import type { Subject } from '../subjects/buildkite-job.ts';
import {
  CLOCK_MARGIN_MS,
  LIMIT_RETRY_AFTER,
  MAX_JOB_TOKEN_AGE_MS,
  RECORD_RETENTION_MS,
  surelyPast,
} from '../timing.ts';
import { policyFields, supersede } from './fields.ts';
import type { EndedBy, Grant } from './grant.ts';
import { grantId } from './id.ts';
import { type Blocks, blockedBy } from './selector.ts';

/** Live tokens one grant may have: a bound on the record's size and on a runaway loop in a step. */
export const MAX_LIVE_TOKENS = 500;

export const NOT_ENDING = { ending_since: null, ending_by: null, ending_kill_switch_id: null };

/** What a grant is asked for with. `ttl` is in seconds. */
export interface IssueRequest {
  readonly subject: Subject;
  readonly credentialName: string;
  readonly credential: Credential;
  readonly rule: string;
  readonly policySha256: string;
  readonly ttl: number;
  readonly limits: Policy['limits'];
  /** A pooled account that is free, for a grant that holds none. */
  readonly lease?: string;
  /** Pooled accounts for which Google just refused to mint. */
  readonly excludedAccounts?: readonly string[];
}

/** What stands in the ledger beside the grant. */
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
  if (!existing) {
    const grant: Grant = {
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
    return { grant, latestExpiry };
  }
  const grant_id = grantIdOf(existing);
  if (!opensSame(existing, credential)) return { refusal: { reason: 'credential_changed', grant_id } };
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
  const policyFieldsNow = policyFields(request);
  const superseded = supersede(existing, { ...policyFieldsNow, ...access }, tokens, now);
  if (!superseded) return { refusal: { reason: 'credential_changed', grant_id } };
  const expires_at = Math.max(existing.expires_at, latestExpiry);
  const grant: Grant = {
    ...existing,
    ...access,
    ...policyFieldsNow,
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

/** The refusal of a request that an operator has barred. */
export function blockedNow(blocks: Blocks, request: IssueRequest, now: number): Refusal | undefined {
  return blockedBy(blocks, {
    subject: request.subject,
    ...policyFields(request),
    requested_at: now,
    issued_at: null,
  });
}

/** A token that is about to leave; `service_account` is the pooled account it was minted from. */
export interface MintedToken {
  readonly grant_id: string;
  readonly sha256: string;
  readonly expires_at: number;
  readonly service_account?: string;
}

/** The record of a token that is about to leave. The tombstone and the record are read again: whatever ended wins. */
export function activate(
  existing: Grant | undefined,
  { jobEndedAt }: Pick<LedgerState, 'jobEndedAt'>,
  token: MintedToken,
  now: number,
): { grant: Grant } | { refusal: Refusal } {
  if (jobEndedAt !== undefined) return { refusal: { reason: 'job_ended', ended_at: jobEndedAt } };
  if (!existing) return { refusal: { reason: 'grant_revoked', grant_id: token.grant_id } };
  const refusal = refusalIfEnded(existing);
  if (refusal) return { refusal };
  if (existing.state === 'expired') return mintRejected('took longer than the grant may live');
  if (isPooledGrant(existing) && existing.service_account !== token.service_account)
    return mintRejected('is from an account that was given back meanwhile');
  // Its account rests no longer than what is on record.
  if (isPooledGrant(existing) && token.expires_at > existing.expires_at)
    return mintRejected('lives longer than is on record');
  const tokens = [
    ...existing.tokens.filter(({ expires_at, sha256 }) => !surelyPast(expires_at, now) && sha256 !== token.sha256),
    { sha256: token.sha256, expires_at: token.expires_at },
  ];
  const grant: Grant = {
    ...existing,
    state: 'active',
    issued_at: now,
    tokens_issued: existing.tokens_issued + 1,
    tokens,
    // A token that rules judge lives as long as its grant, whatever its own end is.
    expires_at:
      existing.revocation === 'immediate' ? existing.expires_at : Math.max(existing.expires_at, token.expires_at),
  };
  return { grant };
}

export interface EndCause {
  readonly by: EndedBy;
  /** When the job finished, by Buildkite's clock. */
  readonly finished_at?: number | undefined;
  readonly kill_switch_id?: string;
}

/** What marks a grant as ending before its job does: one write that no other can make fail, which every issue reads. */
export function grantEndMark({ by, kill_switch_id }: EndCause, now: number): Partial<Grant> {
  if (by !== 'released' && by !== 'kill_switch') throw new Error('the end of a job is marked on the job');
  return { ending_since: now, ending_by: by, ending_kill_switch_id: kill_switch_id ?? null };
}

/**
 * The record once the job has ended, or the grant alone was ended. One of which something can be taken away is now being
 * revoked; one that can only expire is not renewed any more and stays what it is until its time is up. When the job
 * ended, an expired one is marked all the same, so that a hand-out on its way finds it changed.
 * Undefined when the record says so already, or the grant is not to be had again anyway.
 */
export function endGrant(existing: Grant, cause: EndCause, now: number): Grant | undefined {
  const endsJob = cause.by === 'job.finished' || cause.by === 'job.reconciled';
  if (existing.state === 'revoking' || existing.state === 'revoked') return undefined;
  if (endsJob ? existing.job_ended_at !== null : existing.ended_at !== null) return undefined;
  const marked: Grant = {
    ...existing,
    job_ended_at: endsJob ? now : null,
    job_finished_at: plausibleFinishTime(cause.finished_at, existing.created_at, now),
  };
  if (existing.state === 'expired') return marked;
  const expired = expire(marked, now);
  if (expired) return expired;
  const ended: Grant = {
    ...marked,
    ...NOT_ENDING,
    ...causeOfEnd(existing, cause),
    ended_at: existing.ended_at ?? now,
  };
  return revocableAccess(ended) ? { ...ended, state: 'revoking' } : ended;
}

/**
 * The record of a grant whose account Google does not mint from while the pool has no other. Nothing of it left, so its
 * job may ask again.
 */
export function abandonLease(existing: Grant, now: number): Grant {
  if (existing.state !== 'issuing' && existing.state !== 'active')
    throw new Error('a grant without a lease to give up');
  const abandoned = { ended_at: now, ended_by: 'expiry' as const, access_ended_at: now };
  return { ...existing, ...abandoned, state: 'expired' };
}

/**
 * The record once what can be taken away was. Where that need not be the end of every token (the account of narrowed tokens
 * is disabled, but Google does not say that they die with it) it goes on saying `revoking`, with the time when they do end.
 * Undefined when that was not what the record waited for.
 */
export function confirmRevoked(existing: Grant, now: number): Grant | undefined {
  if (existing.state !== 'revoking' || existing.access_ended_at !== null) return undefined;
  return existing.revocation === 'expiry'
    ? { ...existing, ...NOT_ENDING, access_ended_at: existing.expires_at }
    : { ...existing, ...NOT_ENDING, state: 'revoked', access_ended_at: now };
}

/**
 * The record of a grant whose time is up by every clock, also of one that could not be revoked before; undefined when it is
 * not up, or the grant has ended otherwise. From then on nobody takes anything of it away, and a pooled account passes to
 * another job.
 */
export function expire(existing: Grant, now: number): Grant | undefined {
  if (existing.state === 'revoked' || existing.state === 'expired') return undefined;
  if (!surelyPast(existing.expires_at, now)) return undefined;
  return {
    ...existing,
    ...NOT_ENDING,
    state: 'expired',
    ...causeOfEnd(existing, { by: 'expiry' }),
    ended_at: existing.ended_at ?? existing.expires_at,
    access_ended_at: existing.expires_at,
  };
}

/** What ended it: as is on record, else as it was marked, else `how`. */
function causeOfEnd(
  existing: Grant,
  cause: { readonly by: Grant['ended_by']; readonly kill_switch_id?: string },
): Pick<Grant, 'ended_by' | 'kill_switch_id'> {
  const { ended_by, kill_switch_id, ending_by, ending_kill_switch_id } = existing;
  if (ended_by !== null) return { ended_by, kill_switch_id };
  if (ending_by !== null) return { ended_by: ending_by, kill_switch_id: ending_kill_switch_id };
  return { ended_by: cause.by, kill_switch_id: cause.kill_switch_id ?? null };
}

/** The grant's id. */
export function grantIdOf({ subject, credential }: Pick<Grant, 'subject' | 'credential'>): string {
  return grantId(subject.id, credential);
}

/** Why a grant is not to be had again; undefined while it runs and when only its time was up. */
function refusalIfEnded(existing: Grant): Refusal | undefined {
  const { state, ended_by, job_ended_at } = existing;
  if (job_ended_at !== null) return { reason: 'job_ended', ended_at: job_ended_at };
  const ended = (ended_by !== null && ended_by !== 'expiry') || existing.ending_since !== null;
  return ended || state === 'revoking' || state === 'revoked'
    ? { reason: 'grant_revoked', grant_id: grantIdOf(existing) }
    : undefined;
}

/** A time that Buildkite tells, if it can be that of a job whose grant was made then and ends now. */
function plausibleFinishTime(at: number | undefined, from: number, until: number): number | null {
  return at !== undefined && at >= from - MAX_JOB_TOKEN_AGE_MS && at <= until + CLOCK_MARGIN_MS ? at : null;
}

function mintRejected(detail: string): { refusal: Refusal } {
  return {
    refusal: {
      reason: 'dependency_unavailable',
      dependency: 'mint',
      error: detail,
      code: 'token_unusable',
      retryAfter: 1,
    },
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
