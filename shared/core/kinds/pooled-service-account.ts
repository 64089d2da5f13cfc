// The kind `pooled_service_account`: a token of a service account that serves one job at a time. Revocation disables the account;
// it serves again when the last token ever issued from it has expired (core/pool).

import * as z from 'zod';
import type { Grant } from '../grant/grant.ts';
import type { Credential } from '../policy/credential.ts';
import { type StorageScope, storedStorageScope } from '../policy/storage-key.ts';
import { MINT_MARGIN_MS } from '../timing.ts';
import type { Kind, RecordContext } from './kind.ts';
import { describeAccountAccess, tokenScopes } from './service-account.ts';

const MAX_PAST_LEASES = 200;

const time = z.number();
type PooledCredential = Extract<Credential, { kind: 'pooled_service_account' }>;
export type PooledGrant = Extract<Grant, { kind: 'pooled_service_account' }>;

/** Its fields in a grant. */
export const pooledServiceAccountRecord = {
  kind: z.literal('pooled_service_account'),
  /** `expiry` for narrowed tokens: whether disabling their account rejects them is not established (ADR 0012). */
  revocation: z.enum(['propagating', 'expiry']),
  /** The account that serves this job alone, since `leased_at` and until the grant's access has ended. */
  service_account: z.string(),
  leased_at: time,
  scopes: z.array(z.string()),
  storage: storedStorageScope,
  /** Accounts that served it before, oldest first: the grant had expired and was requested again. */
  past_leases: z.array(z.object({ service_account: z.string(), leased_at: time, access_ended_at: time })),
};
export type PooledServiceAccountRecord = z.output<z.ZodObject<typeof pooledServiceAccountRecord>>;

export const pooledServiceAccountKind: Kind<PooledCredential, PooledGrant> = {
  mintMarginMs: MINT_MARGIN_MS,
  revocation: revocationOfPooled,
  toRecord: (credential, context) => ({
    kind: 'pooled_service_account',
    revocation: revocationOfPooled(credential),
    service_account: context.lease,
    scopes: [...tokenScopes(credential)],
    storage: credential.storage,
    ...leaseFields(context),
  }),
  opensSame: (grant, { pool, retiring = [], storage }) =>
    grant.storage?.bucket === storage?.bucket &&
    (grant.state === 'expired' || [...pool, ...retiring].includes(grant.service_account)),
  revocableAccess: ({ service_account }) => ({ by: 'service_account', email: service_account }),
  scopes: tokenScopes,
  accounts: ({ pool, retiring = [], storage }) => {
    const key = storage ? 'storage' : 'serviceAccount';
    return [
      ...pool.map((email, at) => ({ email, use: 'pooled' as const, path: [key, 'pool', at] })),
      ...retiring.map((email, at) => ({ email, use: 'pooled' as const, path: [key, 'retiring', at] })),
    ];
  },
  describe: (credential) => {
    const account = `one of a pool of ${credential.pool.length}`;
    return describeAccountAccess(credential, account, `the roles of its account allow (${account})`);
  },
};

function revocationOfPooled({ storage }: { readonly storage?: StorageScope | null }): 'propagating' | 'expiry' {
  return storage ? 'expiry' : 'propagating';
}

function leaseFields({ existing, lease, now }: RecordContext) {
  if (!existing || !isPooledGrant(existing)) return { leased_at: now, past_leases: [] };
  const { service_account, leased_at, past_leases, access_ended_at } = existing;
  if (service_account === lease && existing.state !== 'expired') return { leased_at, past_leases };
  const past = [...past_leases, { service_account, leased_at, access_ended_at: access_ended_at ?? now }];
  return { leased_at: now, past_leases: past.slice(-MAX_PAST_LEASES) };
}

export function isPooled(credential: Credential): credential is PooledCredential {
  return credential.kind === 'pooled_service_account';
}

export function isPooledGrant(grant: Grant): grant is PooledGrant {
  return grant.kind === 'pooled_service_account';
}

/** The accounts that jobs lease for the credential; none for one that is not pooled. */
export function poolOf(credential: Credential): readonly string[] {
  return isPooled(credential) ? credential.pool : [];
}
