// What the fields of a service account hold: see ../stored-fields.ts.

import type { StoredFields } from '../stored-fields.ts';
import type { Account } from './account.ts';

export const ACCOUNT_FIELDS: StoredFields<Account> = {
  pool: 'the credential that the account serves',
  pool_size: 'how many accounts the pool had at the last lease; 0 for a shared account',
  state: 'the state: see [A service account](LIFECYCLE.md#a-service-account)',
  grant_id: 'the grant that it serves, or served last while it is revoked or cools down; null when it is free',
  leased_at: 'when it was last leased, or first shared',
  reusable_at:
    'no token of it is accepted from then on, by any clock. Of a shared account up to 15 minutes later than that',
  disabled_at: 'when IAM first confirmed that it is disabled; null when it was not disabled for this grant',
  enabling_since: 'when a sweep began to enable it; no other sweep enables it meanwhile',
  disabling_since:
    'when a sweep last found it enabled in its cooldown and began to disable it again; no sweep enables it meanwhile',
  last_checked_at: 'when IAM last confirmed that it is disabled',
  found_enabled: 'how often IAM said that it is enabled since its cooldown began',
  delete_at: 'when the document may be deleted; null unless the account is free or shared: see [Deletion](#deletion)',
};
