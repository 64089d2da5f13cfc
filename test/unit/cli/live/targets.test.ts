import { describe, expect, it } from 'vitest';
import { defaultTarget, notMeasurable, parseTarget } from '../../../../cli/live/targets.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { accounts, policyData } from '../../../fixtures/policies.ts';

const account = 'ci-cache@acme-data.iam.gserviceaccount.com';
const scopes = ['https://www.googleapis.com/auth/cloud-platform'];

function credentialOf(kind: object) {
  const parsed = parsePolicyData(policyData('acme-data', { canary: { environment: 'staging', ttl: '10m', ...kind } }));
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { canary } = parsed.policy.credentials;
  if (!canary) throw new Error('no credential');
  return canary;
}
const documents = (...allow: object[]) => credentialOf({ firestore: { database: 'data', allow } });

describe('a target', () => {
  it.each([
    ['https://firestore.googleapis.com/v1/projects/p/databases/(default)/documents/a/b', 'firestore'],
    ['https://firestore.europe-west1.rep.googleapis.com/v1/projects/p/databases/d/documents/a/b', 'firestore'],
    ['https://storage.googleapis.com/storage/v1/b/bucket/o?maxResults=1', 'storage'],
    ['https://iam.googleapis.com/v1/projects/p/serviceAccounts/a@b', 'iam'],
    ['https://bigquery.googleapis.com/bigquery/v2/projects/p/datasets', 'other'],
    ['http://127.0.0.1:8080/v1/projects/p/databases/(default)/documents/a/b', 'firestore'],
  ])('%s is of %s', (written, api) => {
    expect(parseTarget(written)).toEqual({ url: written, api });
  });

  it.each([
    'not a url',
    'http://storage.googleapis.com/storage/v1/b',
    'https://storage.googleapis.com.example.com/storage/v1/b',
    'https://notgoogleapis.com/',
    'https://example.com/?googleapis.com',
    'https://127.0.0.1/',
    'http://10.0.0.1/',
    'ftp://storage.googleapis.com/',
  ])('never sends a token to %s', (written) => {
    expect(parseTarget(written)).toEqual({ problem: expect.stringContaining('.') });
  });
});

describe('the default target', () => {
  const ROOT = 'https://firestore.googleapis.com/v1/projects/acme-data/databases/(default)/documents/';
  it.each([
    ['canary/{document}', 'canary/keydesk-doctor-live'],
    ['canary/probe', 'canary/probe'],
    ['config/{document=**}', 'config/keydesk-doctor-live'],
    ['a/{b}/{rest=**}', 'a/keydesk-doctor-live/keydesk-doctor-live/keydesk-doctor-live'],
  ])('of %s is %s', (path, document) => {
    expect(defaultTarget('canary', documents({ path, verbs: ['get'] }))).toEqual({
      url: `${ROOT}${document}`,
      api: 'firestore',
    });
  });

  it('is of the first path that may be read by name', () => {
    const credential = documents({ path: 'a/{b}', verbs: ['list'] }, { path: 'c/{d}', verbs: ['read'] });
    expect(defaultTarget('canary', credential)).toMatchObject({ url: `${ROOT}c/keydesk-doctor-live` });
  });

  it('is missing where the policy does not say what may be read', () => {
    const pool = credentialOf({ serviceAccount: { pool: accounts('ci', 2, 'acme-data'), scopes } });
    expect(defaultTarget('canary', pool)).toMatchObject({ problem: expect.stringContaining('--target canary=URL') });
    const writer = documents({ path: 'a/{b}', verbs: ['create'] });
    expect(defaultTarget('canary', writer)).toMatchObject({ problem: expect.any(String) });
  });
});

it('measures what is revoked, and not what only expires', () => {
  expect(notMeasurable(documents({ path: 'a/{b}', verbs: ['get'] }))).toBeUndefined();
  expect(
    notMeasurable(credentialOf({ serviceAccount: { pool: accounts('ci', 2, 'acme-data'), scopes } })),
  ).toBeUndefined();
  expect(notMeasurable(credentialOf({ serviceAccount: { email: account, scopes } }))).toContain('expiry');
  expect(
    notMeasurable(
      credentialOf({
        storage: { serviceAccount: account, bucket: 'acme-cache', prefix: 'a/', role: 'roles/storage.objectViewer' },
      }),
    ),
  ).toContain('expiry');
});
