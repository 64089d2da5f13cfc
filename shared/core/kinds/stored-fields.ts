// What the fields hold that grants have by their kind: see ../stored-fields.ts.

import type { StorageScope } from '../policy/storage-key.ts';
import { type StoredFields, within } from '../stored-fields.ts';
import type { AccessRecord } from './kind.ts';

export const STORAGE_SCOPE_FIELDS: StoredFields<StorageScope> = {
  bucket: 'the bucket',
  prefix: 'the beginning of the names of objects; null for the whole bucket',
  role: 'the role in the bucket',
};

export const ACCESS_FIELDS: StoredFields<AccessRecord> = {
  kind: 'the kind of credential',
  revocation: "what happens to its tokens after the job's end: see the [README](../README.md)",
  project: 'the project of the database that the tokens open',
  database: 'the id of that database',
  service_account: 'the e-mail address of the account whose tokens are issued',
  scopes: 'the OAuth scopes of the tokens; empty when the tokens are narrowed to a bucket',
  storage: 'the part of a bucket to which the tokens are narrowed; null when they are not',
  ...within('storage', STORAGE_SCOPE_FIELDS),
  leased_at: 'when the pooled account was leased for this grant',
  past_leases:
    'accounts that served this grant before, oldest first, at most 200. A new lease follows when the grant had expired, or Google refused to mint from the account',
  'past_leases.service_account': 'the e-mail address of that account',
  'past_leases.leased_at': 'when it was leased',
  'past_leases.access_ended_at': 'when its tokens of this grant were no longer accepted',
};
