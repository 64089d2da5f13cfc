import { describe, expect, it } from 'vitest';
import { reserve } from '../../../../shared/core/grant/reserve.ts';
import {
  accountsOf,
  describeAccess,
  opensSame,
  revocableAccess,
  revocationOf,
  scopesOf,
  sharedAccountOf,
} from '../../../../shared/core/kinds/kinds.ts';
import { isPooled, poolOf } from '../../../../shared/core/kinds/pooled-service-account.ts';
import type { Credential } from '../../../../shared/core/policy/credential.ts';
import {
  ACCOUNTS,
  FREE,
  firestore,
  granted,
  grantIn,
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
  ['a shared account in place of a pool', pool, serviceAccount],
])('a grant is not renewed for %s', (_, before, after) => {
  expect(outcomeOf(reserve(grantOf(before), FREE, request(after), LATER))).toBe('credential_changed');
});

it('a grant that has expired is not issued again by another kind', () => {
  expect(outcomeOf(reserve(grantIn('expired', 'pool'), FREE, request(serviceAccount), LATER))).toBe(
    'credential_changed',
  );
});

describe('a grant of another environment', () => {
  const production = { ...firestore, environment: 'production' };

  it('is not renewed while a token of it may live, and is issued again once it has expired', () => {
    expect(opensSame(grantOf(firestore), production)).toBe(false);
    expect(opensSame(grantIn('expired', 'firestore'), production)).toBe(true);
  });
});

it('a grant of a retiring account of a pool is renewed', () => {
  const retiring = { ...pool, pool: ACCOUNTS.slice(1), retiring: [ACCOUNTS[0]] };
  expect(opensSame(grantOf(pool), retiring)).toBe(true);
  expect(opensSame(grantOf(pool), { ...retiring, retiring: [] })).toBe(false);
});

describe('how a credential ends with its job', () => {
  it.each([
    ['firestore', firestore, 'immediate'],
    ['a shared account', serviceAccount, 'expiry'],
    ['a pool', pool, 'propagating'],
    ['a shared account, narrowed to a bucket', { ...serviceAccount, storage: cache }, 'expiry'],
    ['a pool, narrowed to a bucket', { ...pool, storage: cache }, 'expiry'],
  ])('is what its grants say: %s', (_, credential: Credential, revocation) => {
    expect(revocationOf(credential)).toBe(revocation);
    expect(grantOf(credential).revocation).toBe(revocation);
  });

  it('is by closing its document or disabling its account, and by neither where jobs share the account', () => {
    const { project, database } = firestore;
    expect(revocableAccess(grantOf(firestore))).toEqual({ by: 'grant_document', project, database });
    expect(revocableAccess(grantOf(pool))).toEqual({ by: 'service_account', email: ACCOUNTS[0] });
    expect(revocableAccess(grantOf(serviceAccount))).toBeUndefined();
  });
});

describe('the tokens of a credential', () => {
  it('carry its scopes, unless rules judge them or a bucket narrows them', () => {
    for (const credential of [serviceAccount, pool]) {
      expect(scopesOf(credential)).toEqual(credential.scopes);
      expect(scopesOf({ ...credential, storage: cache })).toEqual([]);
      expect(grantOf(credential)).toMatchObject({ scopes: credential.scopes, storage: null });
      expect(grantOf({ ...credential, storage: cache })).toMatchObject({ scopes: [], storage: cache });
    }
    expect(scopesOf(firestore)).toEqual([]);
  });

  it('are described by what they open', () => {
    const allow = [{ path: 'config/{document}', verbs: ['get', 'list'] as const }];
    expect(describeAccess({ ...firestore, allow })).toEqual(['acme-staging (default) config/{document}: get, list']);
    const [scope] = serviceAccount.scopes;
    expect(describeAccess(serviceAccount)[0]).toContain(serviceAccount.email);
    expect(describeAccess(serviceAccount)[0]).toContain(scope);
    expect(describeAccess({ ...serviceAccount, scopes: ['one', 'two'] })[0]).toContain('one two');
    expect(describeAccess(pool)[0]).toContain('pool of 3');
    for (const credential of [serviceAccount, pool]) {
      expect(describeAccess({ ...credential, storage: cache })[0]).toContain(
        'gs://acme-cache/warm/ with roles/storage',
      );
      expect(describeAccess({ ...credential, storage: { ...cache, prefix: null } })[0]).toContain('gs://acme-cache/ ');
    }
  });
});

describe('the accounts of a credential', () => {
  it('are named with their use, and where the credential names them', () => {
    expect(accountsOf(firestore)).toEqual([{ email: firestore.signer, use: 'signer', path: undefined }]);
    const { email } = serviceAccount;
    expect(accountsOf(serviceAccount)).toEqual([{ email, use: 'shared', path: ['serviceAccount', 'email'] }]);
    expect(accountsOf({ ...serviceAccount, storage: cache })).toEqual([
      { email, use: 'shared', path: ['storage', 'serviceAccount'] },
    ]);
    const retiring = { ...pool, pool: [ACCOUNTS[0], ACCOUNTS[1]], retiring: [ACCOUNTS[2]] };
    for (const [key, credential] of [
      ['serviceAccount', retiring],
      ['storage', { ...retiring, storage: cache }],
    ] as const)
      expect(accountsOf(credential)).toEqual([
        { email: ACCOUNTS[0], use: 'pooled', path: [key, 'pool', 0] },
        { email: ACCOUNTS[1], use: 'pooled', path: [key, 'pool', 1] },
        { email: ACCOUNTS[2], use: 'pooled', path: [key, 'retiring', 0] },
      ]);
    expect(accountsOf(pool)).toHaveLength(3);
  });

  it('are shared by all jobs for one kind, and leased for another', () => {
    expect([firestore, serviceAccount, pool].map(sharedAccountOf)).toEqual([
      undefined,
      serviceAccount.email,
      undefined,
    ]);
    expect([firestore, serviceAccount, pool].map(isPooled)).toEqual([false, false, true]);
    expect([firestore, serviceAccount, pool].map(poolOf)).toEqual([[], [], ACCOUNTS]);
  });
});
