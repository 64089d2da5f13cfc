// The life of a pooled account, as pure functions on its record: free -> leased -> revoking -> cooling_down -> free. It follows
// the grant it serves. Times are milliseconds since the epoch. Knows nothing about Firestore or Google.

import { grantIdOf } from '../grant/id.ts';
import type { PooledGrant } from '../kinds/pooled-service-account.ts';
import {
  COOLDOWN_MARGIN_MS,
  DISABLE_CLAIM_MS,
  ENABLE_CLAIM_MS,
  RECORD_RETENTION_MS,
  SHORTEST_COOLDOWN_MS,
} from '../timing.ts';
import type { Account } from './account.ts';

/**
 * For how much longer than a token needs it an account is recorded as shared: so its record is written a few times an hour,
 * and not by every job that shares it.
 */
const SHARED_AHEAD_MS = 15 * 60_000;

/** Whether a grant may have the account for itself: no token of its earlier life is accepted by any clock. */
export function mayLease({ state, reusable_at }: Account, now: number): boolean {
  return state === 'free' || (state === 'shared' && reusable_at <= now);
}

/**
 * What is to be recorded of an account that jobs share before a token of it is minted: nothing while the record covers the
 * token. An account that serves a pool, or did until lately, is not to be shared before `usable_at`.
 * @param to.latestExpiry the latest end of the token
 */
export function recordShared(
  existing: Account | undefined,
  to: { readonly credential: string; readonly latestExpiry: number },
  now: number,
): { readonly record: Account | undefined } | { readonly usable_at: number } {
  if (existing && existing.state !== 'free' && existing.state !== 'shared') return { usable_at: existing.reusable_at };
  const needed = reusableAfter(to.latestExpiry);
  if (existing?.state === 'shared' && existing.reusable_at >= needed) return { record: undefined };
  const reusable_at = needed + SHARED_AHEAD_MS;
  const record: Account = {
    pool: to.credential,
    pool_size: 0,
    state: 'shared',
    grant_id: null,
    leased_at: existing?.state === 'shared' ? existing.leased_at : now,
    reusable_at,
    disabled_at: null,
    enabling_since: null,
    disabling_since: null,
    last_checked_at: null,
    found_enabled: 0,
    delete_at: reusable_at + RECORD_RETENTION_MS,
  };
  return { record };
}

/** The record of a free account that from now on serves a grant. */
export function lease(
  existing: Account | undefined,
  to: { readonly grant: PooledGrant; readonly pool_size: number },
  now: number,
): Account | undefined {
  if (existing && !mayLease(existing, now)) return undefined;
  const { grant, pool_size } = to;
  return {
    pool: grant.credential,
    pool_size,
    state: 'leased',
    grant_id: grantIdOf(grant),
    leased_at: now,
    reusable_at: Math.max(existing?.reusable_at ?? 0, reusableAfter(grant.expires_at)),
    disabled_at: null,
    enabling_since: null,
    disabling_since: null,
    last_checked_at: null,
    found_enabled: 0,
    delete_at: null,
  };
}

/** The account's record after its grant became what `grant` says; undefined when nothing of it changes with that. */
export function afterGrantChange(account: Account, grant: PooledGrant, now: number): Account | undefined {
  if (account.grant_id !== grantIdOf(grant)) return undefined;
  const reusable_at = Math.max(account.reusable_at, reusableAfter(grant.expires_at));
  switch (grant.state) {
    case 'issuing':
    case 'active':
      return account.state === 'leased' && reusable_at > account.reusable_at ? { ...account, reusable_at } : undefined;
    case 'revoking':
      if (account.state === 'leased') return { ...account, state: 'revoking', reusable_at };
      // Its account is disabled; the grant waits for its tokens' end.
      return grant.access_ended_at !== null && account.state === 'revoking'
        ? { ...startCooldown(account, now), disabled_at: now }
        : undefined;
    case 'revoked':
      return account.state === 'revoking' ? { ...startCooldown(account, now), disabled_at: now } : undefined;
    case 'expired':
      // No token ever left: perhaps Google does not mint from it, and the sweep is to see whether it is enabled.
      if (account.state === 'leased')
        return reusable_at > now || grant.tokens_issued === 0 ? startCooldown(account, now) : toFree(account, now);
      // It may have been disabled although that could not be confirmed.
      return account.state === 'revoking' ? startCooldown(account, now) : undefined;
  }
}

/** The record of an account that goes out of service until it was seen to be enabled, without having been disabled. */
export function quarantine(existing: Account, now: number): Account | undefined {
  return existing.state === 'leased' || existing.state === 'revoking' ? startCooldown(existing, now) : undefined;
}

/**
 * The record of an account whose cooldown is over and that one sweep begins to enable; undefined when it must still cool down, or
 * another sweep is enabling it or disabling it again.
 */
export function claimForEnable(existing: Account, now: number): Account | undefined {
  if (existing.state !== 'cooling_down' || existing.reusable_at > now) return undefined;
  if (isBeingEnabled(existing, now)) return undefined;
  if (existing.disabling_since !== null && existing.disabling_since + DISABLE_CLAIM_MS > now) return undefined;
  return { ...existing, enabling_since: now };
}

/** The record once IAM confirmed that the account is enabled, to the sweep that began at `enabling_since`. */
export function confirmEnabled(existing: Account, enabling_since: number, now: number): Account | undefined {
  if (existing.state !== 'cooling_down' || existing.enabling_since !== enabling_since) return undefined;
  return toFree(existing, now);
}

/** The record once IAM confirmed again that an account in cooldown is disabled. */
export function markChecked(existing: Account, now: number): Account | undefined {
  return existing.state === 'cooling_down' && existing.enabling_since === null
    ? { ...existing, last_checked_at: now }
    : undefined;
}

/**
 * The record of an account that IAM showed as enabled in its cooldown and that a sweep begins to disable again; undefined when its
 * cooldown has ended meanwhile, or another sweep, on whose clock it has ended, is enabling it.
 */
export function claimForDisable(existing: Account, now: number): Account | undefined {
  if (existing.state !== 'cooling_down' || isBeingEnabled(existing, now)) return undefined;
  return { ...existing, enabling_since: null, disabling_since: now, found_enabled: existing.found_enabled + 1 };
}

/** When an account may serve another job whose last token ends at `expires_at`. */
export function reusableAfter(expires_at: number): number {
  return expires_at + COOLDOWN_MARGIN_MS;
}

function isBeingEnabled({ enabling_since }: Account, now: number): boolean {
  return enabling_since !== null && enabling_since + ENABLE_CLAIM_MS > now;
}

function startCooldown(account: Account, now: number): Account {
  // Also when its time is all but up: a request to disable it that is still on its way must not meet its next job.
  return { ...account, state: 'cooling_down', reusable_at: Math.max(account.reusable_at, now + SHORTEST_COOLDOWN_MS) };
}

function toFree(account: Account, now: number): Account {
  return {
    ...account,
    state: 'free',
    grant_id: null,
    disabled_at: null,
    enabling_since: null,
    disabling_since: null,
    last_checked_at: null,
    found_enabled: 0,
    delete_at: now + RECORD_RETENTION_MS,
  };
}
