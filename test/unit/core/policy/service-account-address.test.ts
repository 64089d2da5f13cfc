// The addresses that the parser takes for service accounts.

import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { account, DATASTORE, type Data, editor, policyData } from '../../../fixtures/policies.ts';

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
      storage: { serviceAccount: account('cache-ci', 'acme-data'), bucket: 'acme', role: 'roles/storage.objectUser' },
    },
  });
const { changed, accepted } = editor<Data>(valid);

function problemsOf(change: (data: Data) => void) {
  const result = parsePolicyData(changed(change));
  return 'policy' in result ? [] : result.problems;
}

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
      'expor@acme-data.iam.gserviceaccount.com',
      `${'e'.repeat(31)}@acme-data.iam.gserviceaccount.com`,
      'export@acme-data.gserviceaccount.com',
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
