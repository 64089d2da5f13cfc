// The kind `service_account`: a token of a service account that jobs share. Disabling the account would end other jobs' tokens
// too, so a token of it ends by expiry.

import * as z from 'zod';
import type { Grant } from '../grant/grant.ts';
import type { Credential } from '../policy/credential.ts';
import { MINT_MARGIN_MS } from '../timing.ts';
import { describeAccountAccess, tokenScopes } from './account-source.ts';
import type { Kind } from './kind.ts';
import { storedStorageScope } from './storage.ts';

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
  describe: (credential) => describeAccountAccess(credential, credential.email),
};
