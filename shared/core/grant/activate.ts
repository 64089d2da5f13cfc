// The last step of an issue: the record of a token that is about to leave. Pure functions on a grant's record; times are
// milliseconds since the epoch.

import { isPooledGrant } from '../kinds/pooled-service-account.ts';
import type { Refusal } from '../oauth/refusal.ts';
import { surelyPast } from '../timing.ts';
import { refusalIfEnded } from './end.ts';
import type { Grant } from './grant.ts';
import type { LedgerState } from './reserve.ts';

/** A token that is about to leave; `service_account` is the pooled account it was minted from. */
export interface MintedToken {
  readonly grant_id: string;
  readonly sha256: string;
  readonly expires_at: number;
  readonly service_account?: string;
}

/** The record of a token that is about to be returned. The tombstone and the record are read again: an end that was recorded wins. */
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
    return mintRejected('is from an account whose lease has ended meanwhile');
  // Its account's cooldown must cover this token.
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
    // Security rules accept a token as long as its grant is active, also when the token itself would expire later.
    expires_at:
      existing.revocation === 'immediate' ? existing.expires_at : Math.max(existing.expires_at, token.expires_at),
  };
  return { grant };
}

/**
 * The refusal of a token whose reservation has lasted its time, as after the instance was frozen. By then the grant may have expired,
 * and an operator who ended what was live did not find it. Undefined in time.
 */
export function refusalIfLate({ latestExpiry }: { readonly latestExpiry: number }, now: number): Refusal | undefined {
  return now >= latestExpiry ? mintRejected('took longer than its reservation lasts').refusal : undefined;
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
