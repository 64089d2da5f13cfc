// The guards of environments: one policy that keeps them, and one thing changed in each case.

import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { account, DATASTORE, type Data, editor, PIPELINE_ID, policyData } from '../../../fixtures/policies.ts';

const PROJECT = 'acme-production';
const CLUSTER_ID = '0184990a-4782-42b5-afc1-16715b10b3f0';
const guards = () => ({
  maxTtl: '15m',
  revocation: ['immediate', 'propagating'],
  require: ['pipeline', 'build_source', 'step_key'],
});

const valid = () => {
  const production = { environment: 'production', ttl: '15m' };
  const credentials = {
    config: { ...production, firestore: { database: 'data', allow: [{ path: 'config/{document}', verbs: ['get'] }] } },
    admin: { ...production, serviceAccount: { pool: [account('ci-001', PROJECT)], scopes: [DATASTORE] } },
    test: {
      ...production,
      environment: 'staging',
      ttl: '1h',
      serviceAccount: { email: account('tester', PROJECT), scopes: [DATASTORE] },
    },
  };
  return policyData(PROJECT, credentials, {
    environments: { production: guards(), staging: {} },
    pipelines: { web: PIPELINE_ID },
    rules: [
      {
        name: 'deploy',
        match: { pipeline: 'web', build_source: 'ui', step_key: ['deploy', 'deploy-*'] },
        grants: ['config', 'admin'],
      },
      { name: 'test', match: { pipeline_slug: 'web' }, grants: ['test'] },
    ],
  });
};
const { changed, accepted } = editor<Data>(valid);

function problemsOf(change: (data: Data) => void): string[] {
  const result = parsePolicyData(changed(change));
  return 'policy' in result ? [] : result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}
const match = (change: (match: Data) => void) => (data: Data) => change(data.rules[0].match);

describe('an environment', () => {
  it('keeps its guards in the policy, with seconds for maxTtl', () => {
    expect(accepted().environments).toEqual({ production: { ...guards(), maxTtl: 900 }, staging: {} });
  });

  it.each<[string, (data: Data) => void, string]>([
    [
      'maxTtl over an hour',
      (data) => (data.environments.production.maxTtl = '61m'),
      'environments.production.maxTtl: must be a duration',
    ],
    [
      'no value in revocation',
      (data) => (data.environments.production.revocation = []),
      'environments.production.revocation: must not be empty',
    ],
    [
      'an unknown revocation',
      (data) => (data.environments.production.revocation = ['now']),
      'environments.production.revocation.0: must be one of immediate, propagating, expiry',
    ],
    [
      'no claim in require',
      (data) => (data.environments.production.require = []),
      'environments.production.require: must not be empty',
    ],
    [
      'a misspelt claim',
      (data) => (data.environments.production.require = ['build_sorce']),
      'environments.production.require.0: "build_sorce" is not a claim or a condition of a rule. Did you mean "build_source"?',
    ],
    [
      'sub',
      (data) => (data.environments.production.require = ['sub']),
      'environments.production.require.0: "sub" is not a claim or a condition of a rule. It may name pipeline, ',
    ],
    ['a name in capitals', (data) => (data.environments.Live = {}), 'environments.Live: must be lower-case'],
    [
      'null for no guards',
      (data) => (data.environments.staging = null),
      'environments.staging: has no value. It must be a map',
    ],
  ])('is refused with %s', (_, change, problem) => {
    expect(problemsOf(change)).toEqual([expect.stringContaining(problem)]);
  });

  it.each([
    ['that is misspelt', 'prodution', 'Did you mean "production"?'],
    ['that nothing resembles', 'customer-x', 'Declare it in environments'],
    ['that every object has', 'constructor', 'Declare it in environments'],
  ])('is declared: a credential may not name one %s', (_, environment, advice) => {
    expect(problemsOf((data) => (data.credentials.test.environment = environment))).toEqual([
      `credentials.test.environment: "${environment}" is not an environment of this policy. ${advice}`,
    ]);
  });
});

describe('maxTtl', () => {
  it('refuses a longer ttl only in its environment', () => {
    expect(problemsOf((data) => (data.credentials.config.ttl = '901s'))).toEqual([
      'credentials.config.ttl: is 901s, and environments.production.maxTtl is 15m. Shorten it',
    ]);
  });
});

describe('revocation', () => {
  const email = account('deploy', PROJECT);
  const storage = { bucket: 'acme-cache', role: 'roles/storage.objectUser' };

  it.each<[string, object]>([
    ['a shared account', { serviceAccount: { email, scopes: [DATASTORE] } }],
    ['a shared account, narrowed', { storage: { ...storage, serviceAccount: email } }],
    ['a pool, narrowed', { storage: { ...storage, pool: [account('ci-009', PROJECT)] } }],
  ])('refuses %s, whose tokens outlive the job', (_, kind) => {
    const problems = problemsOf((data) => (data.credentials.admin = { environment: 'production', ttl: '5m', ...kind }));
    expect(problems).toEqual([
      expect.stringMatching(
        /^credentials\.admin: has the revocation expiry, and environments\.production\.revocation allows immediate, propagating\. /,
      ),
    ]);
  });

  it('refuses a kind that it does not list', () => {
    const only = (revocation: string) => (data: Data) => (data.environments.production.revocation = [revocation]);
    expect(problemsOf(only('immediate'))).toEqual([expect.stringMatching(/^credentials\.admin: .* propagating,/)]);
    expect(problemsOf(only('propagating'))).toEqual([expect.stringMatching(/^credentials\.config: .* immediate,/)]);
  });
});

describe('require', () => {
  it.each<[string, (match: Data) => void]>([
    ['a pipeline by its name', () => {}],
    [
      'a pipeline by its UUID',
      (match) => {
        delete match.pipeline;
        match.pipeline_id = PIPELINE_ID.toUpperCase();
      },
    ],
    ['a pattern with more than wildcards', (match) => (match.step_key = 'deploy-**')],
  ])('is met by %s', (_, change) => {
    expect(problemsOf(match(change))).toEqual([]);
  });

  it('by pipeline_id is met by the name of a pipeline too', () => {
    expect(problemsOf((data) => (data.environments.production.require = ['pipeline_id']))).toEqual([]);
  });

  const required = (claim: string) =>
    `The rule must narrow ${claim}, because environments.production.require names it and this rule grants admin. `;

  it.each<[string, (match: Data) => void, string, string]>([
    ['no such claim', (match) => delete match.step_key, 'rules.0.match', 'step_key'],
    ['* alone', (match) => (match.step_key = '*'), 'rules.0.match.step_key', 'step_key'],
    ['** alone', (match) => (match.step_key = '**'), 'rules.0.match.step_key', 'step_key'],
    ['wildcards and slashes', (match) => (match.step_key = '*/**'), 'rules.0.match.step_key', 'step_key'],
    [
      'a wildcard among its patterns',
      (match) => (match.step_key = ['deploy', '*']),
      'rules.0.match.step_key',
      'step_key',
    ],
    [
      'a slug for a pipeline',
      (match) => {
        delete match.pipeline;
        match.pipeline_slug = 'web';
      },
      'rules.0.match',
      'pipeline',
    ],
    [
      'a cluster for a pipeline',
      (match) => {
        delete match.pipeline;
        match.cluster_id = CLUSTER_ID;
      },
      'rules.0.match',
      'pipeline',
    ],
    [
      'a part of a UUID for a pipeline',
      (match) => {
        delete match.pipeline;
        match.pipeline_slug = 'web';
        match.pipeline_id = '0184990a-*';
      },
      'rules.0.match.pipeline_id',
      'pipeline',
    ],
  ])('is not met by %s', (_, change, path, claim) => {
    expect(problemsOf(match(change))).toEqual([expect.stringContaining(`${path}: ${required(claim)}`)]);
  });

  it('holds for a rule that also grants credentials of another environment', () => {
    expect(problemsOf((data) => data.rules[1].grants.push('config'))).toEqual([
      expect.stringMatching(/^rules\.1\.match: The rule must narrow pipeline, .* this rule grants config\. /),
      expect.stringMatching(/^rules\.1\.match: The rule must narrow build_source, /),
      expect.stringMatching(/^rules\.1\.match: The rule must narrow step_key, /),
    ]);
  });

  it('is reported together with undeclared names and repeated accounts', () => {
    const problems = problemsOf((data) => {
      delete data.rules[0].match.step_key;
      data.rules[1].grants.push('tset');
      data.credentials.config.firestore.database = 'dta';
      data.credentials.test.serviceAccount.email = account('ci-001', PROJECT);
    });
    expect(problems.map((problem) => problem.split(':')[0]).sort()).toEqual([
      'credentials.config.firestore.database',
      'credentials.test.serviceAccount.email',
      'rules.0.match',
      'rules.1.grants.1',
    ]);
  });
});
