// What a grant is for: who asked, by which rule, and what it opens. Maps a request to the fields of a grant's record.

import { type Credential, type FirestoreCredential, revocationOf } from '../policy/credential.ts';
import { surelyPast } from '../timing.ts';
import type { Grant } from './grant.ts';

type SharedGrant = Extract<Grant, { kind: 'service_account' }>;

const MAX_PAST_LEASES = 200;

/** Changes of policy that one grant may outlive within the life of its tokens. */
const MAX_SUPERSEDED = 20;

/**
 * Whether a credential as policy has it now opens what the grant opens. One grant is of one environment, as long as a token
 * of it may live.
 */
export function sameTarget(existing: Grant, credential: Credential): boolean {
  if (existing.state !== 'expired' && existing.environment !== credential.environment) return false;
  switch (existing.kind) {
    case 'firestore':
      return (
        credential.kind === 'firestore' &&
        existing.project === credential.project &&
        existing.database === credential.database
      );
    case 'service_account':
      return (
        credential.kind === 'service_account' &&
        existing.service_account === credential.email &&
        existing.storage?.bucket === credential.storage?.bucket
      );
    case 'pooled_service_account':
      if (credential.kind !== 'pooled_service_account') return false;
      if (existing.storage?.bucket !== credential.storage?.bucket) return false;
      return existing.state === 'expired' || credential.pool.includes(existing.service_account);
  }
}

/**
 * What the record keeps of the bases of earlier tokens that may be accepted, once `next` is the basis of later ones.
 * Undefined when that is more than a record holds.
 * @param live the tokens of the grant that may be accepted
 */
export function supersede(
  existing: Grant,
  next: Pick<Grant, 'rule' | 'policy_sha256'> & Partial<Pick<SharedGrant, 'scopes' | 'storage'>>,
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

/** On what tokens are issued, and what they open. */
export function basisOf({
  rule,
  policy_sha256,
  scopes = [],
  storage = null,
}: Pick<Grant, 'rule' | 'policy_sha256'> & Partial<Pick<SharedGrant, 'scopes' | 'storage'>>) {
  return { rule, policy_sha256, scopes, storage };
}

/** @param lease the pooled account that serves the grant */
export function targetFields(credential: Credential, existing: Grant | undefined, lease: string, now: number) {
  switch (credential.kind) {
    case 'firestore':
      return {
        kind: 'firestore' as const,
        revocation: revocationOf(credential),
        project: credential.project,
        database: credential.database,
      };
    case 'service_account':
      return {
        kind: 'service_account' as const,
        revocation: revocationOf(credential),
        service_account: credential.email,
        ...scopeFields(credential),
      };
    case 'pooled_service_account':
      return {
        kind: 'pooled_service_account' as const,
        revocation: revocationOf(credential),
        service_account: lease,
        ...scopeFields(credential),
        ...leaseFields(existing, lease, now),
      };
  }
}

export function policyFields(request: {
  readonly credentialName: string;
  readonly credential: Credential;
  readonly rule: string;
  readonly policySha256: string;
}) {
  const { credentialName, credential, rule, policySha256 } = request;
  return { credential: credentialName, environment: credential.environment, rule, policy_sha256: policySha256 };
}

/** The scopes of a narrowed token's policy are its parent's: it never has them itself. */
function scopeFields({ scopes, storage }: Exclude<Credential, FirestoreCredential>) {
  return { scopes: storage ? [] : [...scopes], storage };
}

function leaseFields(existing: Grant | undefined, lease: string, now: number) {
  if (existing?.kind !== 'pooled_service_account') return { leased_at: now, past_leases: [] };
  const { service_account, leased_at, past_leases, access_ended_at } = existing;
  if (service_account === lease && existing.state !== 'expired') return { leased_at, past_leases };
  const past = [...past_leases, { service_account, leased_at, access_ended_at: access_ended_at ?? now }];
  return { leased_at: now, past_leases: past.slice(-MAX_PAST_LEASES) };
}
