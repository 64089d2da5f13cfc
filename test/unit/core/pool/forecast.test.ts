import { describe, expect, it } from 'vitest';
import { toWireError } from '../../../../shared/core/oauth/refusal.ts';
import type { Account } from '../../../../shared/core/pool/account.ts';
import { poolExhausted, poolReports } from '../../../../shared/core/pool/forecast.ts';

const MINUTE = 60_000;
/** A full minute. */
const NOW = Math.floor(1_790_000_000_000 / MINUTE) * MINUTE;

/** Leased half an hour ago, free in half an hour. */
const account = (more: Partial<Account> = {}): Account => ({
  pool: 'staging-admin',
  pool_size: 3,
  state: 'leased',
  grant_id: 'a'.repeat(32),
  leased_at: NOW - 30 * MINUTE,
  reusable_at: NOW + 30 * MINUTE,
  disabled_at: null,
  enabling_since: null,
  disabling_since: null,
  last_checked_at: null,
  found_enabled: 0,
  delete_at: null,
  ...more,
});
const free = (more: Partial<Account> = {}) =>
  account({ state: 'free', grant_id: null, reusable_at: NOW - MINUTE, ...more });

describe('when a pool has no free account, the next try makes sense', () => {
  it.each<[string, Partial<Account>[], number, number]>([
    ['five seconds after the minute in which the first has cooled down', [{ reusable_at: NOW + 90_500 }], NOW, 125],
    ['at that very minute when the first has cooled down just then', [{ reusable_at: NOW + 2 * MINUTE }], NOW, 125],
    ['a minute later when its cooldown is one millisecond longer', [{ reusable_at: NOW + 2 * MINUTE + 1 }], NOW, 185],
    [
      'after the first of several, whatever state it is in',
      [{ reusable_at: NOW + 9 * MINUTE }, { state: 'cooling_down', reusable_at: NOW + MINUTE }, { state: 'revoking' }],
      NOW,
      65,
    ],
    [
      'after the next sweep when one has cooled down already',
      [{ state: 'cooling_down', reusable_at: NOW - 5 }],
      NOW + 1,
      65,
    ],
    ['in five seconds when a sweep begins just now', [{ reusable_at: NOW - MINUTE }], NOW, 5],
    ['after the next sweep when nothing is known of any account', [], NOW + 30_000, 35],
    ['in whole seconds, rounded up', [{ reusable_at: NOW }], NOW + 30_001, 35],
  ])('%s', (_, accounts, now, retryAfter) => {
    const refusal = poolExhausted(accounts.map(account), 3, now);
    expect(refusal).toEqual({ reason: 'pool_exhausted', pool_size: 3, free_at: expect.any(Number), retryAfter });
    if (refusal.reason !== 'pool_exhausted') throw new Error('another refusal');
    expect((refusal.free_at - 5_000) % MINUTE).toBe(0);
    expect(Math.ceil((refusal.free_at - now) / 1000)).toBe(retryAfter);
  });

  it('and the response says so', () => {
    expect(toWireError(poolExhausted([account()], 3, NOW), { bearer: false })).toEqual({
      status: 503,
      error: 'temporarily_unavailable',
      description: 'All service accounts of the pool are in use. Retry in 1805 s, when the first can be free.',
      retryAfter: 30 * 60 + 5,
    });
  });
});

describe('the report of the pools', () => {
  const reportOf = (accounts: readonly Account[], now = NOW) => poolReports(accounts, now)['staging-admin'];

  it('is empty while no account has served', () => {
    expect(poolReports([], NOW)).toEqual({});
  });

  it('has no account that jobs share', () => {
    const shared = free({ state: 'shared', pool: 'export', pool_size: 0 });
    expect(Object.keys(poolReports([account(), shared], NOW))).toEqual(['staging-admin']);
  });

  it('counts the accounts of each pool by state, in the order of their names', () => {
    const report = poolReports(
      [
        account({ pool: 'b', pool_size: 5 }),
        account({ pool: 'a' }),
        account({ pool: 'b', pool_size: 5, state: 'revoking' }),
        account({ pool: 'b', pool_size: 5, state: 'cooling_down' }),
        free({ pool: 'b', pool_size: 5 }),
      ],
      NOW,
    );
    expect(Object.keys(report)).toEqual(['a', 'b']);
    expect(report.a).toEqual({ size: 3, free: 2, leased: 1, revoking: 0, cooling_down: 0, exhausted_in_s: null });
    expect(report.b).toEqual({ size: 5, free: 2, leased: 1, revoking: 1, cooling_down: 1, exhausted_in_s: null });
  });

  it('counts an account that never served, and so has no record, as free', () => {
    expect(reportOf([account()])).toMatchObject({ size: 3, free: 2 });
    expect(reportOf([free()])).toMatchObject({ size: 3, free: 3, leased: 0 });
  });

  it('has the size that the pool had when it was last leased from', () => {
    const older = account({ pool_size: 7, leased_at: NOW - 40 * MINUTE });
    const newer = account({ pool_size: 2, leased_at: NOW - 20 * MINUTE });
    expect(reportOf([older, newer])).toMatchObject({ size: 2, free: 0 });
    expect(reportOf([newer, older])).toMatchObject({ size: 2, free: 0 });
    expect(reportOf([free({ ...older, state: 'free' }), newer])).toMatchObject({ size: 2, free: 1 });
  });

  it('is never smaller than what is in use, should the pool have shrunk', () => {
    const accounts = Array.from({ length: 4 }, () => account({ pool_size: 2 }));
    expect(reportOf(accounts)).toMatchObject({ size: 4, free: 0, leased: 4 });
  });
});

describe('the forecast of a pool', () => {
  /** Leased in the last ten minutes, and free after the hour that is looked ahead. */
  const recent = (count: number, more: Partial<Account> = {}) =>
    Array.from({ length: count }, () =>
      account({ pool_size: 10, leased_at: NOW - MINUTE, reusable_at: NOW + 61 * MINUTE, ...more }),
    );
  const exhaustedIn = (accounts: readonly Account[]) => poolReports(accounts, NOW)['staging-admin']?.exhausted_in_s;

  it('is now when none is free', () => {
    expect(exhaustedIn(recent(10))).toBe(0);
  });

  it('goes on with the leases of the last ten minutes', () => {
    // Five in ten minutes, and five are free.
    expect(exhaustedIn(recent(5))).toBe(600);
    // Two in ten minutes, and eight are free.
    expect(exhaustedIn(recent(2))).toBe(2400);
  });

  it('does not see further than an hour', () => {
    expect(exhaustedIn(recent(1))).toBeNull();
    // One in ten minutes: nine that are free last longer than an hour, and six that long exactly.
    expect(exhaustedIn([...recent(1), ...recent(3, { leased_at: NOW - 30 * MINUTE })])).toBe(3600);
  });

  it('does not count leases that are older than ten minutes', () => {
    expect(exhaustedIn(recent(9, { leased_at: NOW - 10 * MINUTE }))).toBeNull();
    expect(exhaustedIn(recent(9, { leased_at: NOW - 10 * MINUTE + 1 }))).toBe(120);
  });

  it('counts the leases that are over already', () => {
    const over = recent(5, { state: 'free', grant_id: null, reusable_at: NOW });
    expect(exhaustedIn(over)).toBe(1200);
    expect(exhaustedIn([...over, ...recent(1)])).toBe(900);
  });

  it('counts on accounts that come back before', () => {
    // Five in ten minutes; four of them are back after eight.
    const back = recent(4, { reusable_at: NOW + 8 * MINUTE });
    expect(exhaustedIn([...back, ...recent(1)])).toBe(18 * 60);
    expect(exhaustedIn(recent(5, { reusable_at: NOW + 11 * MINUTE }))).toBe(600);
    expect(exhaustedIn([...recent(4), ...recent(1, { reusable_at: NOW + 10 * MINUTE })])).toBe(720);
  });
});
