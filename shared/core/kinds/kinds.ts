// Every kind of credential, and the questions about a credential or a grant that each kind answers.

import type { Grant } from '../grant/grant.ts';
import type { Credential, WrittenCredential } from '../policy/credential.ts';
import { firestoreKind } from './firestore.ts';
import type { AccessRecord, Kind, NamedAccount, RecordContext, RevocableAccess, Revocation } from './kind.ts';
import { pooledServiceAccountKind } from './pooled-service-account.ts';
import { serviceAccountKind } from './service-account.ts';

/** By the `kind` of a credential and of its grants. */
const KINDS: Readonly<Record<Credential['kind'], Kind>> = {
  firestore: firestoreKind,
  service_account: serviceAccountKind,
  pooled_service_account: pooledServiceAccountKind,
};

export const KIND_NAMES = Object.keys(KINDS) as Credential['kind'][];

export function revocationOf(credential: Credential | WrittenCredential): Revocation {
  return KINDS[credential.kind].revocation('storage' in credential ? credential : {});
}

/** See {@link Kind.mintMarginMs}. */
export function mintMarginMs({ kind }: Credential): number {
  return KINDS[kind].mintMarginMs;
}

/** The fields of a grant that say what its tokens open. */
export function toAccessRecord(credential: Credential, context: RecordContext): AccessRecord {
  return KINDS[credential.kind].toRecord(credential, context);
}

/**
 * Whether a credential, as the policy has it by now, still opens what the grant opens. A grant is of one environment as long as
 * a token of it may live.
 */
export function opensSame(grant: Grant, credential: Credential): boolean {
  if (grant.state !== 'expired' && grant.environment !== credential.environment) return false;
  return grant.kind === credential.kind && KINDS[grant.kind].opensSame(grant, credential);
}

/** What is taken away to revoke the grant; undefined when nothing can be before its tokens expire. */
export function revocableAccess(grant: Grant): RevocableAccess | undefined {
  return KINDS[grant.kind].revocableAccess(grant);
}

/** The OAuth scopes that its tokens carry; none where rules judge them or they are narrowed. */
export function scopesOf(credential: Credential): readonly string[] {
  return KINDS[credential.kind].scopes(credential);
}

export function accountsOf(credential: Credential): readonly NamedAccount[] {
  return KINDS[credential.kind].accounts(credential);
}

/** What its tokens open, for people: a line each. */
export function describeAccess(credential: Credential): readonly string[] {
  return KINDS[credential.kind].describe(credential);
}

/** The account that jobs share for the credential; undefined for other kinds. */
export function sharedAccountOf(credential: Credential): string | undefined {
  return accountsOf(credential).find(({ use }) => use === 'shared')?.email;
}
