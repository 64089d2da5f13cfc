// Databases by name: the fields that a credential gets from them, and their tenants.

import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import type { PolicyProblem } from '../../../../shared/core/policy/problems.ts';
import { type Data, databaseData, editor, policyData } from '../../../fixtures/policies.ts';

const PROJECT = 'acme-staging';
const opening = (database: string, more: object = {}) => ({
  environment: 'staging',
  ttl: '15m',
  firestore: { database, allow: [{ path: 'config/{document}', verbs: ['get'] }], ...more },
});
const valid = () => policyData(PROJECT, { config: opening('data') });
const { changed, accepted } = editor<Data>(valid);

function problemsOf(change: (data: Data) => void): readonly PolicyProblem[] {
  const result = parsePolicyData(changed(change));
  return 'policy' in result ? [] : result.problems;
}

describe('a database', () => {
  it('provides its fields to each credential that names it', () => {
    const policy = accepted((data) => {
      data.databases.live = databaseData('acme-live', { database: 'orders', tenant: 'ci-x7k2p' });
      data.credentials.orders = opening('live');
    });
    expect(policy.credentials).toMatchObject({
      config: { project: PROJECT, database: '(default)', apiKey: 'web-key' },
      orders: {
        project: 'acme-live',
        database: 'orders',
        tenant: 'ci-x7k2p',
        signer: expect.stringMatching(/acme-live/),
      },
    });
    expect(policy.credentials.config).not.toHaveProperty('tenant');
    expect(policy).not.toHaveProperty('databases');
  });

  it.each([
    ['misspelt', 'dta', 'Did you mean "data"?'],
    ['of an inherited name', 'constructor', 'Declare it in databases'],
  ])('is declared: a credential may not name one that is %s', (_, name, advice) => {
    expect(problemsOf((data) => (data.credentials.config.firestore.database = name))).toEqual([
      {
        path: ['credentials', 'config', 'firestore', 'database'],
        message: `"${name}" is not a database of this policy. ${advice}`,
      },
    ]);
  });

  it.each(['project', 'apiKey', 'signer'])('is refused without its %s', (field) => {
    expect(problemsOf((data) => delete data.databases.data[field])).toEqual([
      { path: ['databases', 'data', field], message: 'is missing' },
    ]);
  });
});

describe('the tenant of a database', () => {
  const TENANT = 'ci-x7k2p';

  it.each([undefined, TENANT])('is the same for all of its credentials: %s', (tenant) => {
    const policy = accepted((data) => {
      if (tenant !== undefined) data.databases.data.tenant = tenant;
      data.databases.elsewhere = databaseData(PROJECT, { database: 'elsewhere', tenant: 'other-a1b2c' });
      data.credentials.more = opening('data');
      data.credentials.elsewhere = opening('elsewhere');
    });
    expect(policy.credentials).toMatchObject({ config: tenant ? { tenant } : {}, more: tenant ? { tenant } : {} });
  });

  it('is overridden by the tenant of a credential', () => {
    const policy = accepted((data) => {
      data.databases.data.tenant = 'old-a1b2c';
      data.credentials.config.firestore.tenant = TENANT;
    });
    expect(policy.credentials.config).toMatchObject({ tenant: TENANT });
  });

  it.each<[string, string | undefined, (data: Data) => void, string]>([
    ['another one', TENANT, (data) => (data.credentials.more.firestore.tenant = 'ci-a1b2c'), TENANT],
    ['one where the first has none', undefined, (data) => (data.credentials.more.firestore.tenant = TENANT), 'absent'],
    [
      'none, by another name of the same database',
      TENANT,
      (data) => {
        data.databases.again = databaseData(PROJECT);
        data.credentials.more.firestore.database = 'again';
      },
      TENANT,
    ],
  ])('is a problem with %s', (_, tenant, change, first) => {
    const problems = problemsOf((data) => {
      if (tenant !== undefined) data.databases.data.tenant = tenant;
      data.credentials.more = opening('data');
      change(data);
    });
    expect(problems).toEqual([
      {
        path: ['credentials', 'more', 'firestore', 'tenant'],
        message: expect.stringContaining(`in credential config it is ${first}`),
      },
    ]);
  });

  it.each(['CI-x7k2p', 'ci x', "ci'x7k2p", '1ci-x7k2p', 'ci', '', 7])('is no such ID: %j', (tenant) => {
    expect(problemsOf((data) => (data.databases.data.tenant = tenant))).toHaveLength(1);
    expect(problemsOf((data) => (data.credentials.config.firestore.tenant = tenant))).toHaveLength(1);
  });
});
