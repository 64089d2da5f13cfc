// What differs from one kind of credential to another. A new kind: its key in policy/credential.ts, a module here that implements
// Kind, and a line in kinds.ts. The compiler then leads to its fields in grant/grant.ts and audit/events/grant.ts, and to its calls to
// Google in google/mint.ts.

import type { Grant } from '../grant/grant.ts';
import type { Credential } from '../policy/credential.ts';
import type { StorageScope } from '../policy/storage-key.ts';
import type { FirestoreRecord } from './firestore.ts';
import type { PooledServiceAccountRecord } from './pooled-service-account.ts';
import type { ServiceAccountRecord } from './service-account.ts';

/** How strongly a credential ends with its job. The table is in the README. */
export const REVOCATIONS = ['immediate', 'propagating', 'expiry'] as const;
export type Revocation = (typeof REVOCATIONS)[number];

/** A service account that a credential names. */
export interface NamedAccount {
  readonly email: string;
  /** Of one job at a time, and disabled afterwards; of all jobs that have the credential; or it signs, and no job has its tokens. */
  readonly use: 'pooled' | 'shared' | 'signer';
  /** Where in the credential; undefined when the credential takes it from elsewhere in the policy. */
  readonly path: readonly (string | number)[] | undefined;
}

/** What is taken away to revoke a grant: its grant document is closed, or its service account is disabled. */
export type RevocableAccess =
  | { readonly by: 'grant_document'; readonly project: string; readonly database: string }
  | { readonly by: 'service_account'; readonly email: string };

/** What a grant's record depends on besides the credential. */
export interface RecordContext {
  readonly existing: Grant | undefined;
  /** The pooled account that serves the grant. */
  readonly lease: string;
  readonly now: number;
}

export type AccessRecord = FirestoreRecord | ServiceAccountRecord | PooledServiceAccountRecord;

export interface Kind<C extends Credential = Credential, G extends Grant = Grant> {
  /** Milliseconds by which a token may outlive its TTL, because it is minted after its record says when it ends. */
  readonly mintMarginMs: number;
  /** Undefined or null `storage`: its tokens are not narrowed. */
  revocation(credential: { readonly storage?: StorageScope | null }): Revocation;
  /** The fields of a grant that say what its tokens open. */
  toRecord(credential: C, context: RecordContext): AccessRecord;
  /** Whether the credential, as the policy has it by now, still opens what the grant opens. */
  opensSame(grant: G, credential: C): boolean;
  /** Undefined when nothing can be taken away before the tokens expire. */
  revocableAccess(grant: G): RevocableAccess | undefined;
  /** The OAuth scopes that its tokens carry. */
  scopes(credential: C): readonly string[];
  accounts(credential: C): readonly NamedAccount[];
  /** What its tokens open, for people: a line each. */
  describe(credential: C): readonly string[];
}
