// The sweep takes an account back whose grant no longer holds it, but only as it found it: between its look and its write
// the grant may have been asked for again and lease this very account.

import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { type Account, accountSchema } from '../../../shared/core/pool/account.ts';
import { SHORTEST_COOLDOWN_MS } from '../../../shared/core/timing.ts';
import { fromStored, toStored } from '../../../shared/firestore/stored-record.ts';
import { createSweepLedger } from '../../../shared/ledger/sweep.ts';
import { databaseForJobs } from '../../fixtures/in-process-keydesk.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const NOW = 1_790_000_000_000;
const HOUR = 3_600_000;

const orphaned: Account = {
  pool: 'staging-admin',
  pool_size: 2,
  state: 'leased',
  grant_id: 'f'.repeat(32),
  leased_at: NOW - 2 * HOUR,
  reusable_at: NOW - HOUR,
  disabled_at: null,
  enabling_since: null,
  disabling_since: null,
  last_checked_at: null,
  found_enabled: 0,
  delete_at: null,
};

async function newAccount() {
  const database = databaseForJobs(`reclaim-${randomUUID().slice(0, 8)}`, '(default)');
  const email = 'ci-001@acme-ci-pool.iam.gserviceaccount.com';
  const document = database.collection('service_accounts').doc(email);
  await document.create(toStored(orphaned));
  return {
    known: { email, account: orphaned },
    sweepLedger: createSweepLedger(database, new TestClock(NOW)),
    write: (account: Account) => document.set(toStored(account)),
    read: async () => accountSchema.parse(fromStored((await document.get()).data())),
  };
}

it('an account that no grant holds any more begins its cooldown', async () => {
  const { known, sweepLedger, read } = await newAccount();
  expect(await sweepLedger.reclaim(known)).toMatchObject({ state: 'cooling_down' });
  expect(await read()).toMatchObject({ state: 'cooling_down', reusable_at: NOW + SHORTEST_COOLDOWN_MS });
});

it('an account that the same grant has leased again since it was found is left to it', async () => {
  const { known, sweepLedger, write, read } = await newAccount();
  const leasedAgain = { ...orphaned, leased_at: NOW, reusable_at: NOW + HOUR };
  await write(leasedAgain);
  expect(await sweepLedger.reclaim(known)).toBeUndefined();
  expect(await read()).toEqual(leasedAgain);
});
