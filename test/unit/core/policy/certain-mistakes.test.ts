// Mistakes that nobody means, and that the parser refuses: patterns that no value fits, addresses that are no service accounts,
// scopes that are none of Google's.

import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { account, DATASTORE, type Data, editor, PIPELINE_ID, policyData } from '../../../fixtures/policies.ts';

const valid = () =>
  policyData('acme-data', {
    config: {
      ...{ environment: 'staging', ttl: '15m' },
      firestore: { database: 'data', allow: [{ path: 'config/{document}', verbs: ['get'] }] },
    },
    export: {
      ...{ environment: 'staging', ttl: '15m' },
      serviceAccount: { email: account('export', 'acme-data'), scopes: [DATASTORE] },
    },
    cache: {
      ...{ environment: 'staging', ttl: '15m' },
      storage: { serviceAccount: account('cache', 'acme-data'), bucket: 'acme', role: 'roles/storage.objectUser' },
    },
  });
const { changed, accepted } = editor<Data>(valid);

function problemsOf(change: (data: Data) => void) {
  const result = parsePolicyData(changed(change));
  return 'policy' in result ? [] : result.problems;
}

describe('a pattern that no value of its claim fits', () => {
  const matching = (claim: string, pattern: unknown) => (data: Data) => {
    data.rules[0].match[claim] = pattern;
  };

  it.each([
    ['build_number', 'forty-two'],
    ['build_number', '4x*'],
    ['build_number', '0*'],
    ['build_number', '-1'],
    ['queue_id', 'default'],
    ['queue_id', 'default-*'],
    ['queue_id', '*/**'],
    ['cluster_id', '0184990z-*'],
    ['build_branch', 'main\n'],
    ['build_branch', 'main\r'],
    ['step_key', 'a\tb'],
    ['agent_tag:os', 'linux\u2028'],
  ])('is refused: %s %j', (claim, pattern) => {
    expect(problemsOf(matching(claim, [pattern])).map(({ path }) => path)).toEqual([['rules', 0, 'match', claim, 0]]);
  });

  it.each([
    ['build_number', 42],
    ['build_number', '42'],
    ['build_number', '1*'],
    ['build_number', '*'],
    ['queue_id', PIPELINE_ID.toUpperCase()],
    ['queue_id', '0184990A-*'],
    ['queue_id', '**'],
    ['agent_tag:host_id', 'default'],
    ['build_branch', 'ä b'],
  ])('is not %s %j', (claim, pattern) => {
    accepted(matching(claim, pattern));
  });
});

describe('the address of a service account', () => {
  const PLACES: readonly [string, readonly (string | number)[]][] = [
    ['a signer', ['databases', 'data', 'signer']],
    ['a shared account', ['credentials', 'export', 'serviceAccount', 'email']],
    ['the account of a bucket', ['credentials', 'cache', 'storage', 'serviceAccount']],
  ];
  const set = (path: readonly (string | number)[], value: unknown) => (data: Data) => {
    const last = path.at(-1) as string;
    path.slice(0, -1).reduce((inner, key) => inner[key], data)[last] = value;
  };

  it.each(PLACES)('is refused as %s when it is a person or something else', (_, path) => {
    for (const email of [
      'exporter@acme.com',
      'serviceAccount:export@acme-data.iam.gserviceaccount.com',
      'export@gserviceaccount.com.acme.example',
      'export',
      'gserviceaccount.com',
    ])
      expect(problemsOf(set(path, email)).map((problem) => problem.path)).toEqual([path]);
  });

  it.each(PLACES)('may be, as %s, of any form that Google gives', (_, path) => {
    for (const email of [
      account('export', 'acme-other'),
      'export@acme-data.acme.com.iam.gserviceaccount.com',
      '123456789-compute@developer.gserviceaccount.com',
      'acme-data@appspot.gserviceaccount.com',
    ])
      accepted(set(path, email));
  });
});

describe('a scope', () => {
  const scope = (value: unknown) => (data: Data) => {
    data.credentials.export.serviceAccount.scopes = [value];
  };

  it.each([
    ['datastore', DATASTORE],
    ['auth/datastore', DATASTORE],
    ['http://www.googleapis.com/auth/datastore', DATASTORE],
    ['https://googleapis.com/auth/datastore', DATASTORE],
    ['www.googleapis.com/auth/datastore', DATASTORE],
    [`${DATASTORE}/`, DATASTORE],
    ['cloud-platform', 'https://www.googleapis.com/auth/cloud-platform'],
    ['cloud_platform', 'https://www.googleapis.com/auth/cloud-platform'],
    ['devstorage.read_only', 'https://www.googleapis.com/auth/devstorage.read_only'],
    [`${DATASTORE} openid`, DATASTORE],
    ['https://acme.com/auth/x', DATASTORE],
    ['https://google.com.acme.com/x', DATASTORE],
  ])('is refused as %s, and the message has %s', (written, meant) => {
    expect(problemsOf(scope(written))).toEqual([
      {
        path: ['credentials', 'export', 'serviceAccount', 'scopes', 0],
        message: expect.stringMatching(new RegExp(` ${meant.replaceAll('.', '\\.')}$`)),
      },
    ]);
  });

  it.each([
    DATASTORE,
    'https://www.googleapis.com/auth/devstorage.read_only',
    'https://mail.google.com/',
    'openid',
    'email',
  ])('may be %s', (written) => {
    accepted(scope(written));
  });
});
