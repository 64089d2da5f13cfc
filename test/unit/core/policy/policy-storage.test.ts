import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import type { PolicyProblem } from '../../../../shared/core/policy/problems.ts';
import { account as accountOf, type Data, editor, policyData } from '../../../fixtures/policies.ts';

const account = (name: string) => accountOf(name, 'acme-ci');

const valid = () =>
  policyData('acme-ci', {
    cache: {
      environment: 'staging',
      ttl: '15m',
      storage: {
        serviceAccount: account('cache-ci'),
        bucket: 'acme-ci-cache',
        prefix: 'warm/',
        role: 'roles/storage.objectViewer',
      },
    },
    artifacts: {
      environment: 'staging',
      ttl: '15m',
      storage: {
        pool: [account('ci-001'), account('ci-002')],
        bucket: 'acme-artifacts',
        role: 'roles/storage.objectUser',
      },
    },
  });

const { changed, accepted } = editor<Data>(valid);

const storage = (field: string, value: unknown) => (data: Data) => {
  data.credentials.cache.storage[field] = value;
};

function problemsOf(change: (data: Data) => void): PolicyProblem[] {
  const result = parsePolicyData(changed(change));
  return 'policy' in result ? [] : result.problems;
}

describe('a credential for a part of a bucket', () => {
  it('has a service account whose tokens are narrowed', () => {
    expect(accepted().credentials).toEqual({
      cache: {
        kind: 'service_account',
        environment: 'staging',
        ttl: 900,
        email: account('cache-ci'),
        scopes: ['https://www.googleapis.com/auth/cloud-platform'],
        storage: { bucket: 'acme-ci-cache', prefix: 'warm/', role: 'roles/storage.objectViewer' },
      },
      artifacts: {
        kind: 'pooled_service_account',
        environment: 'staging',
        ttl: 900,
        pool: [account('ci-001'), account('ci-002')],
        scopes: ['https://www.googleapis.com/auth/cloud-platform'],
        storage: { bucket: 'acme-artifacts', prefix: null, role: 'roles/storage.objectUser' },
      },
    });
  });

  it.each([
    ['bucket', 'a1b'],
    ['bucket', 'static.acme.example'],
    ['bucket', 'acme_ci-cache.2'],
    ['prefix', 'a/b/c/'],
    ['prefix', 'build-42/x_y~z@1+2=3,4:5/'],
    ['role', 'roles/storage.objectCreator'],
    ['role', 'roles/storage.legacyBucketReader'],
    ['role', 'projects/acme-ci/roles/cacheWriter'],
    ['role', 'organizations/123456789012/roles/cache_writer'],
  ])('may have the %s %s', (field, value) => {
    expect(problemsOf(storage(field, value))).toEqual([]);
  });

  it.each<[string, string, unknown, RegExp]>([
    ['a bucket with gs://', 'bucket', 'gs://acme-ci-cache', /without gs:/],
    ['a bucket with a slash', 'bucket', 'acme/cache', /name of a Cloud Storage bucket/],
    ['a bucket in capitals', 'bucket', 'Acme', /name of a Cloud Storage bucket/],
    ['a bucket of two letters', 'bucket', 'ab', /name of a Cloud Storage bucket/],
    ['a bucket that ends in a dash', 'bucket', 'acme-', /name of a Cloud Storage bucket/],
    ['a bucket with a newline', 'bucket', 'acme\n', /name of a Cloud Storage bucket/],
    ['no bucket', 'bucket', undefined, /^is missing/],
    ['a prefix without its slash, which would open more', 'prefix', 'warm', /such as "warm\/"/],
    ['a prefix that begins with a slash', 'prefix', '/warm/', /folders/],
    ['an empty prefix', 'prefix', '', /folders/],
    ['a prefix that ends the expression it stands in', 'prefix', "warm/') || true || ('/", /folders/],
    ['a prefix with a double quote', 'prefix', 'warm"/', /folders/],
    ['a prefix with a backslash', 'prefix', 'warm\\/', /folders/],
    ['a prefix with a newline', 'prefix', 'warm/\n', /folders/],
    ['a prefix with letters beyond ASCII', 'prefix', 'wärm/', /folders/],
    ['a prefix with an empty folder', 'prefix', 'warm//', /folders/],
    ['a prefix that is too long', 'prefix', `${'a'.repeat(512)}/`, /512 characters/],
    ['a bare permission for a role', 'role', 'storage.objects.get', /must be one of/],
    ['a role with a newline', 'role', 'roles/storage.objectViewer\n', /must be one of/],
    ...[
      'roles/storage.admin',
      'roles/storage.objectAdmin',
      'roles/storage.folderAdmin',
      'roles/storage.hmacKeyAdmin',
      'roles/storage.legacyBucketOwner',
      'roles/storage.legacyObjectOwner',
      'roles/iam.securityAdmin',
      'roles/iam.serviceAccountTokenCreator',
      'roles/editor',
    ].map((role): [string, string, string, RegExp] => [`${role}, which lets others in`, 'role', role, /for good/]),
    ['no role', 'role', undefined, /^is missing/],
    ['scopes, which it has none of', 'scopes', ['x'], /is not a key/],
    ['an address for an account that is none', 'serviceAccount', 'cache', /e-mail address/],
  ])('is refused with %s', (_, field, value, message) => {
    const [problem, ...others] = problemsOf(storage(field, value));
    expect(others).toEqual([]);
    expect(problem).toMatchObject({
      path: ['credentials', 'cache', 'storage', field],
      message: expect.stringMatching(message),
    });
  });

  it.each<[string, (data: Data) => void, (string | number)[], RegExp]>([
    [
      'no account',
      storage('serviceAccount', undefined),
      ['credentials', 'cache', 'storage'],
      /exactly one of serviceAccount and pool\. It has neither/,
    ],
    [
      'an account and a pool',
      storage('pool', [account('ci-009')]),
      ['credentials', 'cache', 'storage'],
      /exactly one of serviceAccount and pool\. It has both/,
    ],
    [
      'another kind as well',
      (data) => {
        data.credentials.cache.serviceAccount = { email: account('cache-ci'), scopes: ['openid'] };
      },
      ['credentials', 'cache'],
      /exactly one of firestore, serviceAccount and storage\. It has serviceAccount and storage: keep one/,
    ],
    [
      'an account that a pool has to itself',
      storage('serviceAccount', account('ci-001')),
      ['credentials', 'artifacts', 'storage', 'pool', 0],
      /is also at credentials\.cache\.storage\.serviceAccount/,
    ],
  ])('is refused with %s', (_, change, path, message) => {
    expect(problemsOf(change)).toEqual([{ path, message: expect.stringMatching(message) }]);
  });
});
