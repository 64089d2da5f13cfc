// The kind `service_account`: a token of a service account that jobs share. Disabling the account would end other jobs' tokens
// too, so a token of it ends by expiry.

import * as z from 'zod';
import type { Grant } from '../grant/grant.ts';
import type { Credential } from '../policy/credential.ts';
import type { AccountAccess } from '../policy/service-account-key.ts';
import { storedStorageScope } from '../policy/storage-key.ts';
import { MINT_MARGIN_MS } from '../timing.ts';
import type { Kind } from './kind.ts';

type ServiceAccountCredential = Extract<Credential, { kind: 'service_account' }>;

/** Its fields in a grant. */
export const serviceAccountRecord = {
  kind: z.literal('service_account'),
  revocation: z.literal('expiry'),
  service_account: z.string(),
  scopes: z.array(z.string()),
  storage: storedStorageScope,
};
export type ServiceAccountRecord = z.output<z.ZodObject<typeof serviceAccountRecord>>;

export const serviceAccountKind: Kind<ServiceAccountCredential, Extract<Grant, { kind: 'service_account' }>> = {
  mintMarginMs: MINT_MARGIN_MS,
  revocation: () => 'expiry',
  toRecord: (credential) => ({
    kind: 'service_account',
    revocation: 'expiry',
    service_account: credential.email,
    scopes: [...tokenScopes(credential)],
    storage: credential.storage,
  }),
  opensSame: (grant, { email, storage }) =>
    grant.service_account === email && grant.storage?.bucket === storage?.bucket,
  revocableAccess: () => undefined,
  scopes: tokenScopes,
  accounts: ({ email, storage }) => [
    { email, use: 'shared', path: storage ? ['storage', 'serviceAccount'] : ['serviceAccount', 'email'] },
  ],
  describe: (credential) =>
    describeAccountAccess(credential, credential.email, `the roles of ${credential.email} allow`),
};

/** The OAuth scopes that its tokens carry. A narrowed token has none: those in the policy are its parent's. */
export function tokenScopes({ scopes, storage }: AccountAccess): readonly string[] {
  return storage ? [] : scopes;
}

/** @param account whose tokens these are, for people. @param what the roles allow without a boundary */
export function describeAccountAccess({ scopes, storage }: AccountAccess, account: string, what: string): string[] {
  if (storage) return [`gs://${storage.bucket}/${storage.prefix ?? ''} with ${storage.role}, as ${account}`];
  return [`whatever ${what}, with scopes ${scopes.join(' ')}`];
}
