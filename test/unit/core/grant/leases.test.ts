// Which account serves a pooled grant: one that is free for a grant that holds none, its own for one that does, and
// another only when Google does not mint from it or the grant had expired.

import { describe, expect, it } from 'vitest';
import { activate } from '../../../../shared/core/grant/activate.ts';
import { abandonLease } from '../../../../shared/core/grant/end.ts';
import { reserve } from '../../../../shared/core/grant/reserve.ts';
import { CLOCK_MARGIN_MS } from '../../../../shared/core/timing.ts';
import {
  ACCOUNTS,
  FREE,
  firestore,
  GRANT_ID,
  granted,
  grantIn,
  LATER,
  NOW,
  newToken,
  outcomeOf,
  pool,
  pooled,
  request,
  serviceAccount,
  TTL,
} from '../../../fixtures/grants.ts';

const [FIRST, SECOND, THIRD] = ACCOUNTS;
const NEEDS_LEASE = { needsLease: true };

/** A request that brings no free account. */
function requestToken(more: Parameters<typeof request>[1] = {}) {
  const { lease: _, ...without } = request(pool);
  return { ...without, ...more };
}

describe('a grant without an account', () => {
  it.each([
    ['a first one', undefined],
    ['one that expired', grantIn('expired', 'pool')],
  ])('needs a lease, and takes the one it is brought: %s', (_, existing) => {
    expect(reserve(existing, FREE, requestToken(), LATER)).toEqual(NEEDS_LEASE);
    const grant = granted(reserve(existing, FREE, requestToken({ lease: SECOND }), LATER));
    expect(grant).toMatchObject({
      kind: 'pooled_service_account',
      revocation: 'propagating',
      state: 'issuing',
      service_account: SECOND,
      leased_at: LATER,
      scopes: pool.scopes,
    });
  });

  it('is refused without a search for a free account', () => {
    const blocks = [{ id: 'switch-1', selector: { issued_since: 0 }, activated_at: NOW }];
    expect(outcomeOf(reserve(undefined, { ...FREE, jobEndedAt: NOW }, requestToken(), LATER))).toBe('job_ended');
    expect(outcomeOf(reserve(undefined, { ...FREE, blocks }, requestToken(), LATER))).toBe('blocked');
    expect(outcomeOf(reserve(undefined, { ...FREE, pipelineGrantCount: 1000 }, requestToken(), LATER))).toBe(
      'pipeline_grant_limit',
    );
    for (const state of ['revoking', 'revoked'] as const)
      expect(outcomeOf(reserve(grantIn(state, 'pool'), FREE, requestToken(), LATER))).toBe('grant_revoked');
  });

  it.each(['firestore', 'serviceAccount'] as const)('leases nothing for a job that holds another kind: %s', (kind) => {
    const refusal = { reason: 'credential_changed', grant_id: GRANT_ID };
    for (const state of ['issuing', 'active', 'expired'] as const)
      expect(reserve(grantIn(state, kind), FREE, requestToken(), LATER)).toEqual({ refusal });
  });

  it.each([
    ['firestore', firestore],
    ['service_account', serviceAccount],
  ] as const)('is never needed for a credential of another kind: %s', (kind, credential) => {
    expect(granted(reserve(undefined, FREE, request(credential), NOW)).kind).toBe(kind);
  });
});

describe('a grant with an account', () => {
  it.each(['issuing', 'active'] as const)('keeps it, whatever other is free, and since when: %s', (state) => {
    for (const more of [{}, { lease: SECOND }, { unusable: [SECOND] }]) {
      const grant = granted(reserve(grantIn(state, 'pool'), FREE, requestToken(more), LATER));
      expect(grant).toMatchObject({ state, service_account: FIRST, leased_at: NOW, past_leases: [] });
    }
  });

  it('keeps it when its time is up but nothing has ended it', () => {
    const active = grantIn('active', 'pool');
    const grant = granted(reserve(active, FREE, requestToken({ lease: SECOND }), active.expires_at + 30_000));
    expect(grant).toMatchObject({ state: 'active', service_account: FIRST });
  });

  it('takes the scopes that policy has now', () => {
    const scopes = ['https://www.googleapis.com/auth/devstorage.read_only'];
    expect(
      reserve(grantIn('active', 'pool'), FREE, requestToken({ credential: { ...pool, scopes } }), LATER),
    ).toMatchObject({
      grant: { scopes },
    });
  });

  it('is refused when its account has left the pool, until the grant has expired', () => {
    const credential = { ...pool, pool: [SECOND, THIRD] };
    for (const state of ['issuing', 'active'] as const)
      expect(reserve(grantIn(state, 'pool'), FREE, requestToken({ credential, lease: SECOND }), LATER)).toEqual({
        refusal: { reason: 'credential_changed', grant_id: GRANT_ID },
      });
    expect(
      granted(reserve(grantIn('expired', 'pool'), FREE, requestToken({ credential, lease: SECOND }), LATER)),
    ).toMatchObject({ service_account: SECOND });
  });
});

describe('an account from which Google does not mint', () => {
  it('is replaced by another as long as no token of it was returned, and is remembered', () => {
    const issuing = grantIn('issuing', 'pool');
    expect(reserve(issuing, FREE, requestToken({ excludedAccounts: [FIRST] }), LATER)).toEqual(NEEDS_LEASE);
    const swapped = granted(reserve(issuing, FREE, requestToken({ excludedAccounts: [FIRST], lease: SECOND }), LATER));
    expect(swapped).toMatchObject({
      state: 'issuing',
      service_account: SECOND,
      leased_at: LATER,
      past_leases: [{ service_account: FIRST, leased_at: NOW, access_ended_at: LATER }],
      rate_window_count: 2,
    });
    const again = granted(
      reserve(swapped, FREE, requestToken({ excludedAccounts: [FIRST, SECOND], lease: THIRD }), LATER + 1),
    );
    expect(pooled(again).past_leases.map(({ service_account }) => service_account)).toEqual([FIRST, SECOND]);
  });

  it('is kept as long as a token of it is on record', () => {
    const grant = granted(
      reserve(grantIn('active', 'pool'), FREE, requestToken({ excludedAccounts: [FIRST], lease: SECOND }), LATER),
    );
    expect(grant).toMatchObject({ service_account: FIRST, past_leases: [] });
  });

  it('is replaced once the tokens on record are gone', () => {
    const active = grantIn('active', 'pool');
    const over = active.expires_at + CLOCK_MARGIN_MS;
    const renewed = granted(reserve(active, FREE, requestToken(), over));
    expect(renewed.tokens).toEqual([]);
    expect(reserve(renewed, FREE, requestToken({ excludedAccounts: [FIRST] }), over)).toEqual(NEEDS_LEASE);
  });
});

describe('a lease that is given up because the pool has no other account', () => {
  it('ends its grant, which had no token, and its job can request again', () => {
    const issuing = grantIn('issuing', 'pool');
    const given = abandonLease(issuing, LATER);
    expect(given).toEqual({
      ...issuing,
      state: 'expired',
      ended_at: LATER,
      ended_by: 'expiry',
      access_ended_at: LATER,
    });
    expect(granted(reserve(given, FREE, requestToken({ lease: SECOND }), LATER + 1))).toMatchObject({
      state: 'issuing',
      service_account: SECOND,
      past_leases: [{ service_account: FIRST, leased_at: NOW, access_ended_at: LATER }],
    });
    expect(activate(given, FREE, newToken(NOW + TTL * 1000), LATER)).toMatchObject({
      refusal: { reason: 'dependency_unavailable', dependency: 'mint' },
    });
  });
});

describe('past leases', () => {
  it('say until when each account was accepted, oldest first, also when it is the same one again', () => {
    const expired = grantIn('expired', 'pool');
    const past = { service_account: FIRST, leased_at: NOW, access_ended_at: expired.expires_at };
    const other = granted(
      reserve(expired, FREE, requestToken({ lease: SECOND }), expired.expires_at + CLOCK_MARGIN_MS),
    );
    expect(other).toMatchObject({
      service_account: SECOND,
      leased_at: expired.expires_at + CLOCK_MARGIN_MS,
      past_leases: [past],
    });
    const same = granted(reserve(expired, FREE, requestToken({ lease: FIRST }), expired.expires_at + CLOCK_MARGIN_MS));
    expect(same).toMatchObject({
      service_account: FIRST,
      leased_at: expired.expires_at + CLOCK_MARGIN_MS,
      past_leases: [past],
    });
  });

  it('are at most two hundred: the oldest are forgotten', () => {
    const expired = pooled(grantIn('expired', 'pool'));
    const past_leases = Array.from({ length: 200 }, (_, at) => ({
      service_account: THIRD,
      leased_at: at,
      access_ended_at: at,
    }));
    const again = pooled(granted(reserve({ ...expired, past_leases }, FREE, requestToken({ lease: SECOND }), LATER)));
    expect(again.past_leases).toHaveLength(200);
    expect(again.past_leases[0]?.leased_at).toBe(1);
    expect(again.past_leases.at(-1)).toMatchObject({ service_account: FIRST, leased_at: NOW });
  });
});

describe('a token', () => {
  it('of an account whose lease has ended meanwhile is not returned, and may be requested again at once', () => {
    const swapped = granted(
      reserve(grantIn('issuing', 'pool'), FREE, requestToken({ excludedAccounts: [FIRST], lease: SECOND }), LATER),
    );
    const token = newToken(NOW + TTL * 1000);
    const refusal = {
      reason: 'dependency_unavailable',
      dependency: 'mint',
      error: 'is from an account whose lease has ended meanwhile',
      code: 'token_unusable',
      retryAfter: 1,
    };
    expect(activate(swapped, FREE, token, LATER)).toEqual({ refusal });
    const { service_account: _, ...nameless } = token;
    expect(activate(swapped, FREE, nameless, LATER)).toEqual({ refusal });
    expect(outcomeOf(activate(swapped, FREE, { ...token, service_account: SECOND }, LATER))).toBe('active');
  });

  it('of an account that everybody shares says no account, and leaves', () => {
    const { service_account: _, ...nameless } = newToken(NOW + TTL * 1000);
    for (const kind of ['firestore', 'serviceAccount'] as const)
      expect(outcomeOf(activate(grantIn('issuing', kind), FREE, nameless, LATER))).toBe('active');
  });
});
