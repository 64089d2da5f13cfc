import { describe, expect, it } from 'vitest';
import { reserve } from '../../../../shared/core/grant/reserve.ts';
import { opensSame } from '../../../../shared/core/kinds/kinds.ts';
import type { Credential } from '../../../../shared/core/policy/credential.ts';
import {
  FREE,
  firestore,
  granted,
  LATER,
  NOW,
  outcomeOf,
  pool,
  request,
  serviceAccount,
} from '../../../fixtures/grants.ts';

const cache = { bucket: 'acme-cache', prefix: 'warm/', role: 'roles/storage.objectUser' };
const grantOf = (credential: Credential) => granted(reserve(undefined, FREE, request(credential), NOW));

describe.each([
  ['a shared account', serviceAccount],
  ['a pool', pool],
])('a grant of %s', (_, credential) => {
  const narrowed = { ...credential, storage: cache };
  const elsewhere = { ...credential, storage: { ...cache, bucket: 'acme-backups' } };

  it.each([
    ['in another bucket', narrowed, elsewhere],
    ['in a bucket, of one in none', credential, narrowed],
    ['in no bucket, of one in a bucket', narrowed, credential],
  ])('is not renewed %s', (_title, before, after) => {
    const existing = grantOf(before);
    expect(opensSame(existing, after)).toBe(false);
    expect(outcomeOf(reserve(existing, FREE, request(after), LATER))).toBe('credential_changed');
  });

  it('is renewed in its own bucket', () => {
    const existing = grantOf(narrowed);
    expect(opensSame(existing, narrowed)).toBe(true);
    expect(granted(reserve(existing, FREE, request(narrowed), LATER)).state).toBe('issuing');
  });
});

it.each([
  ['another account', serviceAccount, { ...serviceAccount, email: 'other@acme-staging.iam.gserviceaccount.com' }],
  ['another database', firestore, { ...firestore, database: 'other' }],
  ['another project', firestore, { ...firestore, project: 'acme-production' }],
  ['another kind', firestore, serviceAccount],
  ['a pool in place of a shared account', serviceAccount, pool],
])('a grant is not renewed for %s', (_, before, after) => {
  expect(outcomeOf(reserve(grantOf(before), FREE, request(after), LATER))).toBe('credential_changed');
});
