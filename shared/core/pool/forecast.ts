// What the records of a pool's accounts show: when the next one is free, how many are free, and when the pool runs
// out. Times are milliseconds since the epoch. Knows nothing about Firestore or Google.

import type { Refusal } from '../oauth/refusal.ts';
import { SWEEP_EVERY_MS } from '../timing.ts';
import type { Account } from './account.ts';

const SWEEP_TAKES_MS = 5_000;
/** Leases of this long are what demand is read from; so far ahead is looked. */
const DEMAND_WINDOW_MS = 10 * 60_000;
const HORIZON_MS = 60 * 60_000;

/** The refusal when no account of a pool is free: with the moment at which the first can be, as the records have it. */
export function poolExhausted(accounts: readonly Account[], pool_size: number, now: number): Refusal {
  const first = accounts.length > 0 ? Math.min(...accounts.map(({ reusable_at }) => reusable_at)) : now;
  const cooledDownAt = Math.max(now, first);
  const free_at = Math.ceil(cooledDownAt / SWEEP_EVERY_MS) * SWEEP_EVERY_MS + SWEEP_TAKES_MS;
  return { reason: 'pool_exhausted', pool_size, free_at, retryAfter: Math.ceil((free_at - now) / 1000) };
}

export interface PoolReport {
  readonly size: number;
  readonly free: number;
  readonly leased: number;
  /** To be disabled. */
  readonly revoking: number;
  readonly cooling_down: number;
  /** Seconds until none is free, should jobs go on as in the last ten minutes; null when that is not within an hour. */
  readonly exhausted_in_s: number | null;
}

/** Per pool, by its name. An account that never served has no record and counts as free. */
export function poolReports(accounts: readonly Account[], now: number): Record<string, PoolReport> {
  const pools = new Map<string, Account[]>();
  for (const account of accounts.filter(({ state }) => state !== 'shared'))
    pools.set(account.pool, [...(pools.get(account.pool) ?? []), account]);
  return Object.fromEntries([...pools].sort().map(([pool, members]) => [pool, poolReport(members, now)]));
}

function poolReport(accounts: readonly Account[], now: number): PoolReport {
  const busy = accounts.filter(({ state }) => state !== 'free');
  const count = (state: Account['state']) => accounts.filter((account) => account.state === state).length;
  const size = Math.max(lastKnownSize(accounts), busy.length);
  const free = size - busy.length;
  const leasesPerMs = accounts.filter(({ leased_at }) => leased_at > now - DEMAND_WINDOW_MS).length / DEMAND_WINDOW_MS;
  const exhausted_at = exhaustedAt(
    free,
    busy.map(({ reusable_at }) => reusable_at),
    leasesPerMs,
    now,
  );
  return {
    size,
    free,
    leased: count('leased'),
    revoking: count('revoking'),
    cooling_down: count('cooling_down'),
    exhausted_in_s: exhausted_at === undefined ? null : Math.ceil((exhausted_at - now) / 1000),
  };
}

/** When demand has used up what is free and what comes back; a lease is taken to end with the tokens it has now. */
function exhaustedAt(
  free: number,
  reusableTimes: readonly number[],
  leasesPerMs: number,
  now: number,
): number | undefined {
  if (free <= 0) return now;
  for (let at = now + SWEEP_EVERY_MS; at <= now + HORIZON_MS; at += SWEEP_EVERY_MS) {
    const reusable = reusableTimes.filter((until) => until <= at).length;
    if (free + reusable - leasesPerMs * (at - now) <= 0) return at;
  }
  return undefined;
}

function lastKnownSize(accounts: readonly Account[]): number {
  return accounts.reduce((last, account) => (account.leased_at > last.leased_at ? account : last)).pool_size;
}
