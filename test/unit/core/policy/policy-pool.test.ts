// Pools of service accounts and limits in a policy: one valid policy, and one change in each case.

import { describe, expect, it } from 'vitest';
import { ledgerExposureProblems } from '../../../../shared/core/policy/ledger-exposure.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import type { PolicyProblem } from '../../../../shared/core/policy/problems.ts';
import { account as accountOf, DATASTORE, type Data, editor, policyData } from '../../../fixtures/policies.ts';

const PROJECT = 'acme-staging';
const account = (name: string) => accountOf(name, PROJECT);
const scopes = [DATASTORE];
const valid = () =>
  policyData(PROJECT, {
    config: {
      environment: 'staging',
      ttl: '15m',
      firestore: { database: 'data', allow: [{ path: 'config/{document}', verbs: ['get'] }] },
    },
    export: { environment: 'staging', ttl: '10m', serviceAccount: { email: account('export'), scopes } },
    admin: {
      environment: 'staging',
      ttl: '15m',
      serviceAccount: { pool: [account('ci-001'), account('ci-002')], scopes },
    },
    other: { environment: 'staging', ttl: '15m', serviceAccount: { pool: [account('ci-101')], scopes } },
  });

const { changed, accepted } = editor<Data>(valid);

function problemsOf(change: (data: Data) => void): PolicyProblem[] {
  const result = parsePolicyData(changed(change));
  return 'policy' in result ? [] : result.problems;
}

const admin = (field: string, value: unknown) => (data: Data) => {
  data.credentials.admin.serviceAccount[field] = value;
};
const POOL = ['credentials', 'admin', 'serviceAccount', 'pool'];
const RETIRING = [...POOL.slice(0, 3), 'retiring'];

describe('a pool', () => {
  it('becomes a credential of its own kind, with its accounts in the order of the file', () => {
    expect(accepted().credentials.admin).toEqual({
      kind: 'pooled_service_account',
      environment: 'staging',
      ttl: 900,
      pool: [account('ci-001'), account('ci-002')],
      scopes,
      storage: null,
    });
  });

  it('may have accounts that retire', () => {
    const retiring = [account('ci-001')];
    const { pool, ...rest } = valid().credentials.admin.serviceAccount;
    const changed = accepted((data) => {
      data.credentials.admin.serviceAccount = { ...rest, pool: pool.slice(1), retiring };
    });
    expect(changed.credentials.admin).toMatchObject({ pool: [account('ci-002')], retiring });
  });

  it('may have one account, five hundred, and accounts of several projects and domains', () => {
    const many = Array.from({ length: 500 }, (_, at) => account(`ci-${String(at + 200)}`));
    const others = [account('ci-001'), 'ci-001@staging.acme.example.iam.gserviceaccount.com'];
    for (const pool of [[account('ci-001')], many, others])
      expect(accepted(admin('pool', pool)).credentials.admin).toMatchObject({ pool });
  });

  it.each<[string, (data: Data) => void, (string | number)[], RegExp]>([
    [
      'a shared account as well',
      admin('email', account('ci-009')),
      POOL.slice(0, 3),
      /one of email and pool\. It has both/,
    ],
    [
      'neither a pool nor an account',
      admin('pool', undefined),
      POOL.slice(0, 3),
      /one of email and pool\. It has neither/,
    ],
    ['no account in it', admin('pool', []), POOL, /./],
    [
      'more than five hundred',
      admin(
        'pool',
        Array.from({ length: 501 }, (_, at) => account(`ci-${String(at + 200)}`)),
      ),
      POOL,
      /500 accounts at most/,
    ],
    ['one address instead of a list', admin('pool', account('ci-001')), POOL, /must be a list/],
    ['an account of another domain', admin('pool', ['ci-001@acme.example']), [...POOL, 0], /NAME@PROJECT\.iam/],
    [
      "a project's own account",
      admin('pool', [account('ci-001'), 'acme-staging@appspot.gserviceaccount.com']),
      [...POOL, 1],
      /NAME@PROJECT\.iam/,
    ],
    ['an account in capitals', admin('pool', [account('CI-001')]), [...POOL, 0], /NAME@PROJECT\.iam/],
    ['a number for an account', admin('pool', [7]), [...POOL, 0], /must be text/],
    ['an account that is in it and retires', admin('retiring', [account('ci-001')]), [...RETIRING, 0], /is also at/],
    ['nobody who retires', admin('retiring', []), RETIRING, /./],
    ['a retiring account of another domain', admin('retiring', ['ci@acme.example']), [...RETIRING, 0], /NAME@PROJECT/],
    [
      'a retiring account without a pool',
      ({ credentials }) => {
        credentials.export.serviceAccount.retiring = [account('ci-009')];
      },
      ['credentials', 'export', 'serviceAccount', 'retiring'],
      /needs pool/,
    ],
    ['no scopes', admin('scopes', []), ['credentials', 'admin', 'serviceAccount', 'scopes'], /./],
    [
      'an unknown key',
      admin('size', 3),
      ['credentials', 'admin', 'serviceAccount', 'size'],
      /not a key of this format/,
    ],
  ])('is refused with %s', (_, change, path, message) => {
    expect(problemsOf(change)).toMatchObject([{ path, message: expect.stringMatching(message) }]);
  });
});

describe('an account in two places', () => {
  const CI = account('ci-001');
  const EXPORT = ['credentials', 'export', 'serviceAccount', 'email'];
  const SIGNER = ['databases', 'data', 'signer'];
  const OTHER = ['credentials', 'other', 'serviceAccount', 'pool'];
  const set = (path: readonly (string | number)[], email: string) => (data: Data) => {
    const at = path.slice(0, -1).reduce((inner, step) => inner[step], data);
    at[path.at(-1) as string] = email;
  };

  it.each<[string, (string | number)[], string, (string | number)[], (string | number)[]]>([
    ['twice in one pool', [...POOL, 1], CI, [...POOL, 1], [...POOL, 0]],
    ['in two pools', [...OTHER, 0], CI, [...OTHER, 0], [...POOL, 0]],
    ['in a pool and shared by all, which stands before', EXPORT, CI, [...POOL, 0], EXPORT],
    ['in a pool and as a signer, which stands before', SIGNER, CI, [...POOL, 0], SIGNER],
  ])('is refused %s', (_, changedPath, email, path, otherPath) => {
    expect(problemsOf(set(changedPath, email))).toEqual([
      {
        path,
        message: `"${email}" is also at ${otherPath.join('.')}. A pooled account serves one job at a time: use it in one place`,
      },
    ]);
  });

  it('is refused where it is shared after its pool', () => {
    const late = { environment: 'staging', ttl: '5m', serviceAccount: { email: CI, scopes } };
    expect(problemsOf((data) => (data.credentials.late = late))).toEqual([
      {
        path: ['credentials', 'late', 'serviceAccount', 'email'],
        message: `"${CI}" is also at ${[...POOL, 0].join('.')}. A pooled account serves one job at a time: use it in one place`,
      },
    ]);
  });

  it('is reported once for each further place', () => {
    const problems = problemsOf((data) => {
      set([...OTHER, 0], CI)(data);
      set([...POOL, 1], CI)(data);
    });
    expect(problems.map(({ path }) => path.join('.'))).toEqual([[...POOL, 1].join('.'), [...OTHER, 0].join('.')]);
  });

  it('is accepted as long as no pool has it', () => {
    const policy = accepted((data) => {
      data.credentials.again = data.credentials.export;
      data.credentials.export.serviceAccount.email = account('signer');
    });
    expect(policy.credentials.again).toMatchObject({ email: account('signer') });
  });
});

describe('the limits', () => {
  it('have defaults when the policy names none, or not all', () => {
    const defaults = { tokensPerMinute: 60, liveGrantsPerPipeline: 1000, teamsMaxAge: 3600 };
    expect(accepted().limits).toEqual(defaults);
    expect(accepted((data) => (data.limits = {})).limits).toEqual(defaults);
    expect(accepted((data) => (data.limits = { tokensPerMinute: 5 })).limits).toEqual({
      ...defaults,
      tokensPerMinute: 5,
    });
    expect(accepted((data) => (data.limits = { liveGrantsPerPipeline: 7 })).limits).toEqual({
      ...defaults,
      liveGrantsPerPipeline: 7,
    });
  });

  it('can be as low as one and as high as their bounds', () => {
    for (const limits of [
      { tokensPerMinute: 1, liveGrantsPerPipeline: 1 },
      { tokensPerMinute: 600, liveGrantsPerPipeline: 100_000 },
    ])
      expect(accepted((data) => (data.limits = limits)).limits).toMatchObject(limits);
  });

  it.each<[string, unknown, string[]]>([
    ['no token', { tokensPerMinute: 0 }, ['limits', 'tokensPerMinute']],
    ['more than 600 tokens', { tokensPerMinute: 601 }, ['limits', 'tokensPerMinute']],
    ['half a token', { tokensPerMinute: 1.5 }, ['limits', 'tokensPerMinute']],
    ['a number in quotes', { tokensPerMinute: '60' }, ['limits', 'tokensPerMinute']],
    ['no grant', { liveGrantsPerPipeline: 0 }, ['limits', 'liveGrantsPerPipeline']],
    ['more than 100000 grants', { liveGrantsPerPipeline: 100_001 }, ['limits', 'liveGrantsPerPipeline']],
    ['a negative number', { liveGrantsPerPipeline: -1 }, ['limits', 'liveGrantsPerPipeline']],
    ['null for a number', { liveGrantsPerPipeline: null }, ['limits', 'liveGrantsPerPipeline']],
    ['an unknown key', { issuesPerHour: 1 }, ['limits', 'issuesPerHour']],
    ['null', null, ['limits']],
    ['a list', [], ['limits']],
  ])('are refused with %s', (_, limits, path) => {
    expect(problemsOf((data) => (data.limits = limits))).toMatchObject([{ path, message: expect.stringMatching(/./) }]);
  });
});

describe('the ways into the ledger', () => {
  const ledger = { project: 'acme-staging', database: '(default)' };
  it.each(['grants', 'jobs', 'service_accounts', 'blocks', 'kill_switches', 'locks', 'firebase_users'])(
    'are found where a credential opens %s in its database, and nowhere else',
    (collection) => {
      const path = `${collection}/{document}`;
      const policy = accepted((data) => (data.credentials.config.firestore.allow[0].path = path));
      expect(ledgerExposureProblems(policy, ledger)).toEqual([
        `KEYDESK_DATABASE is the database that credential config opens, and "${path}" is the ledger's`,
      ]);
      expect(ledgerExposureProblems(policy, { ...ledger, database: 'ledger' })).toEqual([]);
      expect(ledgerExposureProblems(policy, { ...ledger, project: 'acme-production' })).toEqual([]);
      expect(ledgerExposureProblems(accepted(), ledger)).toEqual([]);
    },
  );
});
