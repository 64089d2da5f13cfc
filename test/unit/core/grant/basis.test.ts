// What a grant's record keeps of the rule and the policy by which earlier tokens were issued, while those may be accepted.

import { describe, expect, it } from 'vitest';
import { basisOf, sameBasis, supersede } from '../../../../shared/core/grant/basis.ts';
import type { Grant } from '../../../../shared/core/grant/grant.ts';
import { reserve } from '../../../../shared/core/grant/reserve.ts';
import { CLOCK_MARGIN_MS } from '../../../../shared/core/timing.ts';
import {
  FREE,
  GRANT_ID,
  granted,
  grantIn,
  LATER,
  NOW,
  onRecord,
  request,
  serviceAccount,
  TTL,
} from '../../../fixtures/grants.ts';

const active = grantIn('active', 'serviceAccount');
const before = basisOf(active);
const same = { ...before, conditions: active.conditions };
const next = { ...same, rule: 'another rule' };
const live = [onRecord(NOW + 60_000), onRecord(NOW + 90_000, 'c'.repeat(64)), onRecord(NOW + 30_000, 'd'.repeat(64))];
const storage = { bucket: 'acme-cache', prefix: 'warm/', role: 'roles/storage.objectUser' };

/** An earlier basis whose last token ends then. */
const earlier = (expires_at: number) => ({ ...before, rule: `until ${expires_at}`, expires_at });
const superseding = (superseded: Grant['superseded'], tokens = live, after = next) =>
  supersede({ ...active, superseded }, after, tokens, LATER);

describe('the basis of earlier tokens', () => {
  it('is kept until the last of them ends', () => {
    expect(superseding([])).toEqual([{ ...before, expires_at: NOW + 90_000 }]);
  });

  it('is not kept when later tokens have the same, or none of them may be accepted', () => {
    expect(superseding([], live, same)).toEqual([]);
    expect(superseding([], [])).toEqual([]);
  });

  it('follows those that were kept before, and these are kept while a clock may accept their tokens', () => {
    const kept = earlier(LATER - CLOCK_MARGIN_MS + 1);
    const over = earlier(LATER - CLOCK_MARGIN_MS);
    expect(superseding([over, kept])).toEqual([kept, { ...before, expires_at: NOW + 90_000 }]);
    expect(superseding([over, kept], live, same)).toEqual([kept]);
  });

  it('is one of twenty at most, and the change of policy after those is refused until a token has expired', () => {
    const nineteen = Array.from({ length: 19 }, (_, nth) => earlier(NOW + 60_000 + nth));
    const twenty = [...nineteen, earlier(NOW + 60_000)];
    expect(superseding(nineteen)).toHaveLength(20);
    expect(superseding(twenty)).toBeUndefined();
    expect(superseding(twenty, live, same)).toEqual(twenty);
    const changed = request(serviceAccount, { rule: 'another rule' });
    expect(reserve({ ...active, superseded: twenty }, FREE, changed, LATER)).toEqual({
      refusal: { reason: 'credential_changed', grant_id: GRANT_ID },
    });
    const later = NOW + 60_000 + CLOCK_MARGIN_MS;
    expect(granted(reserve({ ...active, superseded: twenty }, FREE, changed, later)).superseded).toHaveLength(19);
  });

  it.each([
    ['the rule', { rule: 'another rule' }],
    ['the policy', { policy_sha256: 'c'.repeat(64) }],
    ['the scopes', { scopes: [] }],
    ['the bucket', { storage }],
  ])('is another when %s is', (_, change) => {
    expect(sameBasis(before, { ...before, ...change })).toBe(false);
    expect(superseding([], live, { ...same, ...change })).toHaveLength(1);
  });

  it('is another when another person approved', () => {
    expect(sameBasis(before, { ...before, approved_by: 'somebody' })).toBe(false);
  });

  it('has no scopes and no bucket where rules judge the tokens', () => {
    const { rule, policy_sha256 } = before;
    expect(basisOf(grantIn('active', 'firestore'))).toEqual({
      ...{ rule, policy_sha256, approved_by: null, scopes: [], storage: null },
    });
    expect(sameBasis(before, { ...before })).toBe(true);
  });

  it('is not kept at a renewal by the same rule and policy, however often', () => {
    const renewed = [1, 2, 3].reduce(
      (grant, nth) => granted(reserve(grant, FREE, request(serviceAccount), LATER + nth)),
      active,
    );
    expect(renewed.superseded).toEqual([]);
    expect(renewed.tokens).toHaveLength(1);
  });

  it('is what the grant says at each renewal', () => {
    const renewed = granted(
      reserve(active, FREE, request(serviceAccount, { rule: 'another rule', policySha256: 'c'.repeat(64) }), LATER),
    );
    expect(basisOf(renewed)).toEqual({ ...before, rule: 'another rule', policy_sha256: 'c'.repeat(64) });
    expect(renewed.superseded).toEqual([{ ...before, expires_at: NOW + TTL * 1000 }]);
  });
});
