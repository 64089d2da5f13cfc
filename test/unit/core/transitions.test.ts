// The tables of states are complete and right: every change that the life of a grant or an account can make is a step in
// them, every step in them is made by some change, and what is not in them is refused.

import { describe, expect, it } from 'vitest';
import { activate } from '../../../shared/core/grant/activate.ts';
import type { EndCause } from '../../../shared/core/grant/end.ts';
import { abandonLease, confirmRevoked, endGrant, expire } from '../../../shared/core/grant/end.ts';
import type { Grant } from '../../../shared/core/grant/grant.ts';
import { reserve } from '../../../shared/core/grant/reserve.ts';
import { assertGrantTransition, GRANT_TRANSITIONS } from '../../../shared/core/grant/transitions.ts';
import type { Account } from '../../../shared/core/pool/account.ts';
import {
  afterGrantChange,
  claimForEnable,
  confirmEnabled,
  lease,
  markChecked,
  quarantine,
  recordShared,
} from '../../../shared/core/pool/lifecycle.ts';
import { ACCOUNT_TRANSITIONS, assertAccountTransition } from '../../../shared/core/pool/transitions.ts';
import {
  ACCOUNTS,
  CREDENTIALS,
  FREE,
  GRANT_ID,
  grantIn,
  KINDS,
  LATER,
  NOW,
  newToken,
  pooled,
  request,
  STATES,
  TTL,
} from '../../fixtures/grants.ts';

const OVERDUE = NOW + 2 * TTL * 1000;
const ENDED_BY: EndCause['by'][] = ['job.finished', 'job.reconciled', 'released', 'kill_switch'];

describe('every change of a grant', () => {
  const seen = new Set<string>();
  const take = (before: Grant | undefined, after: Grant | undefined) => {
    if (!after) return;
    expect(() => assertGrantTransition(before, after)).not.toThrow();
    seen.add(`${before?.state ?? 'none'} to ${after.state}`);
  };
  const takeWritten = (before: Grant | undefined, written: ReturnType<typeof reserve | typeof activate>) => {
    if ('grant' in written) take(before, written.grant);
  };

  it.each(KINDS.flatMap((kind) => (['none', ...STATES] as const).map((state) => [kind, state] as const)))(
    'is a step in the table: %s, %s',
    (kind, state) => {
      const before = state === 'none' ? undefined : grantIn(state, kind);
      for (const now of [LATER, OVERDUE]) {
        for (const excludedAccounts of [[], [ACCOUNTS[0]]])
          takeWritten(
            before,
            reserve(before, FREE, request(CREDENTIALS[kind], { excludedAccounts, lease: ACCOUNTS[1] }), now),
          );
        takeWritten(before, activate(before, FREE, newToken(now + 60_000), now));
        if (!before) continue;
        for (const by of ENDED_BY) take(before, endGrant(before, { by }, now));
        take(before, confirmRevoked(before, now));
        take(before, expire(before, now));
        if (state === 'issuing' || state === 'active') take(before, abandonLease(before, now));
      }
    },
  );

  it('is all that the table has', () => {
    const listed = Object.entries(GRANT_TRANSITIONS).flatMap(([from, steps]) => steps.map((to) => `${from} to ${to}`));
    expect([...seen].sort()).toEqual(listed.sort());
  });
});

describe('every change of an account', () => {
  const seen = new Set<string>();
  const leasedTo = (account: Account | undefined, now: number) =>
    lease(account, { grant: pooled(grantIn('issuing', 'pool')), pool_size: 3 }, now);
  const take = (before: Account | undefined, after: Account | undefined) => {
    if (!after) return;
    expect(() => assertAccountTransition(before, after)).not.toThrow();
    seen.add(`${before?.state ?? 'none'} to ${after.state}`);
  };
  const leased = leasedTo(undefined, NOW) as Account;
  const accounts: Record<Account['state'], Account> = {
    free: { ...leased, state: 'free', grant_id: null, reusable_at: NOW, delete_at: NOW },
    leased,
    revoking: { ...leased, state: 'revoking' },
    cooling_down: { ...leased, state: 'cooling_down' },
    shared: { ...leased, state: 'shared', grant_id: null, reusable_at: LATER },
  };

  it.each([undefined, ...Object.values(accounts)].map((account) => [account?.state ?? 'none', account] as const))(
    'is a step in the table: %s',
    (_, before) => {
      for (const now of [LATER, OVERDUE]) {
        take(before, leasedTo(before, now));
        const shared = recordShared(before, { credential: 'export', latestExpiry: OVERDUE }, now);
        if ('record' in shared) take(before, shared.record);
        if (!before) continue;
        for (const state of STATES)
          for (const more of [0, 5]) {
            const grant = pooled(grantIn(state, 'pool'));
            take(before, afterGrantChange(before, { ...grant, expires_at: grant.expires_at + more }, now));
          }
        take(before, quarantine(before, now));
        take(before, claimForEnable(before, now));
        take(before, confirmEnabled({ ...before, enabling_since: NOW }, NOW, now));
        take(before, markChecked(before, now));
      }
    },
  );

  it('is all that the table has', () => {
    const listed = Object.entries(ACCOUNT_TRANSITIONS).flatMap(([from, steps]) =>
      steps.map((to) => `${from} to ${to}`),
    );
    expect([...seen].sort()).toEqual(listed.sort());
    expect(accounts.leased.grant_id).toBe(GRANT_ID);
  });
});

describe('a step that is not in the table', () => {
  const grantStates = ['none', ...STATES] as const;
  const grantPairs = grantStates.flatMap((from) => STATES.map((to) => [from, to] as const));

  it.each(grantPairs.filter(([from, to]) => !(GRANT_TRANSITIONS[from] as readonly string[]).includes(to)))(
    'is refused: a grant from %s to %s',
    (from, to) => {
      const before = from === 'none' ? undefined : grantIn(from, 'pool');
      expect(() => assertGrantTransition(before, grantIn(to, 'pool'))).toThrow(
        `a grant may not go from ${from} to ${to}`,
      );
    },
  );

  const accountStates = ['free', 'leased', 'revoking', 'cooling_down', 'shared'] as const;
  const accountPairs = (['none', ...accountStates] as const).flatMap((from) =>
    accountStates.map((to) => [from, to] as const),
  );
  const account = (state: Account['state']) => ({ state }) as Account;

  it.each(accountPairs.filter(([from, to]) => !(ACCOUNT_TRANSITIONS[from] as readonly string[]).includes(to)))(
    'is refused: an account from %s to %s',
    (from, to) => {
      const before = from === 'none' ? undefined : account(from);
      expect(() => assertAccountTransition(before, account(to))).toThrow(`an account may not go from ${from} to ${to}`);
    },
  );

  it('would let an ended grant or an account in cooldown serve again', () => {
    expect(GRANT_TRANSITIONS.revoked).toEqual([]);
    expect(GRANT_TRANSITIONS.revoking).toEqual(['revoking', 'revoked', 'expired']);
    expect(ACCOUNT_TRANSITIONS.cooling_down).not.toContain('leased');
    expect(ACCOUNT_TRANSITIONS.revoking).toEqual(['cooling_down']);
  });
});
