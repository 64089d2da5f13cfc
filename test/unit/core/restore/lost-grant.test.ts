// What a restored ledger takes back from the log. It only ever takes away.

import { describe, expect, it } from 'vitest';
import { grantFields } from '../../../../shared/audit/result-events.ts';
import type { Grant } from '../../../../shared/core/grant/grant.ts';
import type { PooledGrant } from '../../../../shared/core/kinds/pooled-service-account.ts';
import { lostGrantSchema } from '../../../../shared/core/operator-api/lost-grant.ts';
import { MAX_JOB_TOKEN_LIFETIME } from '../../../../shared/core/policy/policy.ts';
import type { Account } from '../../../../shared/core/pool/account.ts';
import { lease, reusableAfter } from '../../../../shared/core/pool/lifecycle.ts';
import {
  accountAfterLoss,
  accountsOfLost,
  mergeLost,
  toLostRecord,
} from '../../../../shared/core/restore/lost-grant.ts';
import { waitUntil } from '../../../../shared/core/restore/wait.ts';
import { CLOCK_MARGIN_MS, SHORTEST_COOLDOWN_MS } from '../../../../shared/core/timing.ts';
import { ACCOUNTS, grantIn, KINDS, LATER, NOW, type State, pooled as toPooled } from '../../../fixtures/grants.ts';

const HELD = LATER + 60_000;
const SHA256 = 'a'.repeat(64);
const read = (grant: Grant, change: object = {}, held = HELD) => {
  const tokens = grant.tokens.map(({ sha256, expires_at }) => ({
    sha256,
    expires_at: new Date(expires_at).toISOString(),
  }));
  return toLostRecord(lostGrantSchema.parse({ ...grantFields(grant), tokens, ...change }), held);
};
const pooled = (state: State) => toPooled(grantIn(state, 'pool'));

describe('the record of a lost grant', () => {
  it.each(KINDS.flatMap((kind) => (['issuing', 'active'] as const).map((state) => [kind, state] as const)))(
    'of kind %s in state %s is what the line of the log was made of',
    (kind, state) => {
      const grant = grantIn(state, kind);
      const unknown = { rate_window_at: grant.requested_at, rate_window_count: 0, delete_at: expect.any(Number) };
      expect(read(grant)).toEqual({ grant: { ...grant, ...unknown } });
    },
  );

  it.each([
    ['firestore', 'revoked', 'revoking'],
    ['pool', 'revoked', 'revoking'],
    ['narrowedPool', 'revoking', 'revoking'],
    ['serviceAccount', 'revoking', 'revoking'],
    ['firestore', 'expired', 'active'],
    ['serviceAccount', 'expired', 'active'],
  ] as const)(
    'of kind %s that the log has as %s is %s: that its access ended is not believed',
    (kind, state, expected) => {
      const grant = { ...grantIn(state, kind), access_ended_at: LATER };
      const { ended_by } = state === 'expired' ? { ended_by: null } : grant;
      expect(read(grant)).toMatchObject({ grant: { state: expected, access_ended_at: null, ended_by } });
    },
  );

  it.each<[string, object, number?]>([
    ['another id than its job and credential have', { grant_id: '0'.repeat(32) }],
    ['a time after the block began', {}, NOW - CLOCK_MARGIN_MS - 1],
    ['an end that no token has', { expires_at: new Date(LATER + 2 * 3_600_000).toISOString() }],
    ['no account although its kind has one', { service_account: undefined }],
  ])('is none with %s', (_, change, held) => {
    expect(read(grantIn('active', 'pool'), change, held)).toEqual({ problem: expect.any(String) });
  });
});

describe('a grant that is on record too', () => {
  const active = grantIn('active', 'firestore');
  const revoked = grantIn('revoked', 'firestore');

  it('becomes what the log says where that is later', () => {
    expect(mergeLost(undefined, active)).toEqual(active);
    expect(mergeLost(active, revoked)).toMatchObject({ state: 'revoked' });
    const renewed = { ...active, requested_at: active.requested_at + 1, expires_at: active.expires_at + 1 };
    expect(mergeLost(active, renewed)).toMatchObject({ expires_at: renewed.expires_at });
  });

  it('stays ended, whatever the log says', () => {
    const later = { ...active, requested_at: active.requested_at + 1000 };
    expect(mergeLost(revoked, later)?.state ?? 'revoked').toBe('revoked');
  });

  it('is not written again when nothing is new', () => {
    for (const grant of [active, revoked]) expect(mergeLost(grant, grant)).toBeUndefined();
    expect(mergeLost(revoked, active)).toBeUndefined();
  });

  it('keeps the later end and the tokens of both, and never states an end that is too early', () => {
    const shared = grantIn('active', 'serviceAccount');
    const later = { ...shared, expires_at: shared.expires_at + 5000, tokens: [{ sha256: SHA256, expires_at: 1 }] };
    const over = { ...shared, state: 'expired', ended_by: 'kill_switch', ended_at: 1, access_ended_at: 1 } as const;
    expect(mergeLost(over, later)).toMatchObject({
      state: 'expired',
      expires_at: later.expires_at,
      access_ended_at: later.expires_at,
      tokens: expect.arrayContaining([...later.tokens, ...over.tokens]),
    });
  });
});

describe('the account of a lost grant', () => {
  const [email, other] = ACCOUNTS;
  const of = (grant: PooledGrant) => ({ email, grant, reusable_at: accountsOfLost(grant).get(email) ?? 0 });
  const free = (reusable_at: number): Account => ({
    ...(lease(undefined, { grant: pooled('active'), pool_size: 3 }, NOW - 3_600_000) as Account),
    ...{ state: 'free', grant_id: null, reusable_at, delete_at: 1 },
  });

  it.each([
    ['active', 'leased'],
    ['revoking', 'revoking'],
    ['revoked', 'cooling_down'],
    ['expired', 'cooling_down'],
  ] as const)('of a grant that is %s is %s, until its last token has expired', (state, expected) => {
    const grant = pooled(state);
    for (const existing of [undefined, free(NOW - 1)])
      expect(accountAfterLoss(existing, of(grant), LATER)).toMatchObject({
        state: expected,
        grant_id: expect.any(String),
        reusable_at: reusableAfter(grant.expires_at),
        delete_at: null,
      });
  });

  it('is never free sooner, also when a request on its way may still disable it', () => {
    const grant = pooled('revoked');
    const late = grant.expires_at + 3_600_000;
    expect(accountAfterLoss(free(late), of(grant), LATER)).toMatchObject({ reusable_at: late });
    expect(accountAfterLoss(undefined, of(grant), late)).toMatchObject({ reusable_at: late + SHORTEST_COOLDOWN_MS });
  });

  it('stays with a later grant, and cools down at least as long', () => {
    const grant = pooled('revoked');
    const leased = { ...free(NOW), state: 'leased', grant_id: 'later', leased_at: grant.leased_at + 1 } as const;
    expect(accountAfterLoss(leased, of(grant), LATER)).toEqual({
      ...leased,
      reusable_at: reusableAfter(grant.expires_at),
    });
    expect(accountAfterLoss({ ...leased, state: 'free' }, of(grant), LATER)).toMatchObject({ state: 'cooling_down' });
  });

  it('of an earlier lease is remembered too', () => {
    const past_leases = [{ service_account: other, leased_at: NOW, access_ended_at: NOW + 1000 }];
    const ends = accountsOfLost({ ...pooled('active'), past_leases });
    expect([...ends.keys()].sort()).toEqual([email, other].sort());
    expect(ends.get(other)).toBe(reusableAfter(NOW + 1000));
  });

  it('is not written again when nothing is new', () => {
    for (const state of ['active', 'revoking', 'revoked'] as const) {
      const grant = pooled(state);
      const after = accountAfterLoss(undefined, of(grant), LATER);
      expect(accountAfterLoss(after, of(grant), LATER)).toBeUndefined();
    }
  });
});

describe('the wait', () => {
  it('lasts as long as a token or a job token can be accepted', () => {
    expect(waitUntil(0, 600)).toBeGreaterThan(3_600_000 + CLOCK_MARGIN_MS);
    expect(waitUntil(0, MAX_JOB_TOKEN_LIFETIME)).toBe(7_200_000 + CLOCK_MARGIN_MS);
  });
});
