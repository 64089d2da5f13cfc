// The basis of a grant's tokens: by which rule and policy they are issued, and what they open. A record keeps the bases of
// earlier tokens until those have expired.

import { surelyPast } from '../timing.ts';
import type { Grant } from './grant.ts';

type SharedGrant = Extract<Grant, { kind: 'service_account' }>;

/** Changes of policy that one grant may outlive within the life of its tokens. */
const MAX_SUPERSEDED = 20;

/**
 * What the record keeps of the bases of earlier tokens that may be accepted, once `next` is the basis of later ones.
 * Undefined when that is more than a record holds.
 * @param live the tokens of the grant that may be accepted
 */
export function supersede(
  existing: Grant,
  next: Pick<Grant, 'rule' | 'policy_sha256' | 'conditions'> & Partial<Pick<SharedGrant, 'scopes' | 'storage'>>,
  live: Grant['tokens'],
  now: number,
): Grant['superseded'] | undefined {
  const kept = existing.superseded.filter(({ expires_at }) => !surelyPast(expires_at, now));
  const before = basisOf(existing);
  if (live.length === 0 || sameBasis(before, basisOf(next))) return kept;
  const expires_at = Math.max(...live.map((token) => token.expires_at));
  return kept.length < MAX_SUPERSEDED ? [...kept, { ...before, expires_at }] : undefined;
}

type Basis = ReturnType<typeof basisOf>;

export function sameBasis(one: Basis, other: Basis): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * On what basis tokens are issued, and what they open. What a credential opens changes only with the policy, so comparing its SHA-256 is
 * enough. Of the conditions, an operator may have to end what one person approved.
 */
export function basisOf({
  rule,
  policy_sha256,
  conditions,
  scopes = [],
  storage = null,
}: Pick<Grant, 'rule' | 'policy_sha256' | 'conditions'> & Partial<Pick<SharedGrant, 'scopes' | 'storage'>>) {
  return { rule, policy_sha256, approved_by: conditions?.approval?.approved_by ?? null, scopes, storage };
}
