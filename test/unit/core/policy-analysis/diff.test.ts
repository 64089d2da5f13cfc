// Two policies compared: every key of the policy file counts, in both directions, and every example holds in `decide`.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parseJob } from '../../../../shared/core/policy/explain.ts';
import { policyJsonSchema } from '../../../../shared/core/policy/json-schema.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { MATCH_KEYS } from '../../../../shared/core/policy/rule.ts';
import type { Change, Direction, Example } from '../../../../shared/core/policy-analysis/change.ts';
import { diffPolicies } from '../../../../shared/core/policy-analysis/diff.ts';
import { claimsOf } from '../../../../shared/core/policy-analysis/example-lines.ts';
import { writtenChanges } from '../../../../shared/core/policy-analysis/written-changes.ts';
import { account, type Data, databaseData, ORGANIZATION_ID, PIPELINE_ID } from '../../../fixtures/policies.ts';
import { writtenPolicies } from '../../../fixtures/written-policies.ts';

const OTHER_ID = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';
const [TEAM, MANAGERS, OTHER_TEAM] = ['1', '2', '3'].map((digit) => `${digit}0000000-0000-4000-8000-000000000000`);
const AUTH = 'https://www.googleapis.com/auth/';
const POOL = [account('ci-001', 'acme-ci'), account('ci-002', 'acme-ci')];

function basePolicy(): Data {
  const staging = { environment: 'staging', ttl: '10m' };
  return {
    version: 1,
    organization: { slug: 'acme-inc', id: ORGANIZATION_ID },
    audience: 'https://keydesk.acme.example',
    environments: { staging: { maxTtl: '30m', revocation: ['immediate', 'expiry', 'propagating'] }, other: {} },
    pipelines: { web: PIPELINE_ID, release: OTHER_ID },
    teams: { platform: TEAM, managers: MANAGERS },
    identityProviders: {
      aws: {
        ...{ issuer: 'https://aws.example', keys: 'https://aws.example/jwks', audience: 'keydesk' },
        algorithms: ['RS256'],
        claims: { role: { at: ['sub'], setBy: 'platform' }, zone: { setBy: 'caller' } },
      },
    },
    databases: { data: databaseData('acme-staging'), spare: databaseData('acme-spare') },
    credentials: {
      config: { ...staging, firestore: { database: 'data', allow: [{ path: 'config/{name}', verbs: ['get'] }] } },
      shared: { ...staging, serviceAccount: { email: account('export', 'acme'), scopes: [`${AUTH}cloud-platform`] } },
      pooled: { ...staging, serviceAccount: { pool: POOL, scopes: [`${AUTH}datastore`] } },
      cache: {
        ...staging,
        storage: {
          serviceAccount: account('cache-ci', 'acme'),
          bucket: 'acme-cache',
          prefix: 'warm/',
          role: 'roles/storage.objectUser',
        },
      },
      store: {
        ...staging,
        storage: { pool: [account('store-1', 'acme-ci')], bucket: 'acme-store', role: 'projects/acme/roles/store' },
      },
      guarded: { ...staging, serviceAccount: { email: account('guarded', 'acme'), scopes: [`${AUTH}datastore`] } },
    },
    rules: [
      {
        name: 'all',
        match: { pipeline_slug: 'we*', build_tag: '**', build_branch: '**' },
        grants: ['config', 'shared', 'pooled', 'cache', 'store'],
      },
      { name: 'web', match: { pipeline: 'release' }, grants: ['config'] },
      {
        name: 'guarded',
        match: {
          ...{ pipeline_slug: 'guarded', build_source: ['ui'] },
          team: { name: 'platform', access: 'build_and_read' },
          created_by: { team: 'platform' },
        },
        approval: { step: 'approve', by: 'managers', within: '1h', not: 'creator' },
        agent: { provider: 'aws', claims: { role: ['ci', 'deploy*'] } },
        grants: ['guarded'],
      },
    ],
  };
}

/** @param opposite the direction from the changed policy back; without it, the mirror image */
type Case = readonly [direction: Direction, change: (data: Data) => void, opposite?: Direction];

/** For each key of the policy file, what a change of it does. */
const CASES: Readonly<Record<string, readonly Case[]>> = {
  // There is no other version.
  version: [],
  'organization.slug': [['both', ({ organization }) => Object.assign(organization, { slug: 'other' })]],
  'organization.id': [
    ['wider', ({ organization }) => delete organization.id],
    ['both', ({ organization }) => Object.assign(organization, { id: OTHER_ID })],
  ],
  audience: [['both', (data) => Object.assign(data, { audience: 'keydesk' })]],
  contact: [['neither', (data) => Object.assign(data, { contact: '#platform' })]],
  'limits.tokensPerMinute': [['wider', (data) => Object.assign(data, { limits: { tokensPerMinute: 61 } })]],
  'limits.liveGrantsPerPipeline': [
    ['narrower', (data) => Object.assign(data, { limits: { liveGrantsPerPipeline: 999 } })],
  ],
  'limits.teamsMaxAge': [['wider', (data) => Object.assign(data, { limits: { teamsMaxAge: '61m' } })]],
  'teams.*': [
    ['both', ({ teams }) => Object.assign(teams, { managers: OTHER_TEAM })],
    ['both', ({ teams }) => Object.assign(teams, { platform: MANAGERS, managers: TEAM })],
    [
      'neither',
      (data) => {
        renamed('teams', 'managers', 'leads')(data);
        data.rules[2].approval.by = 'leads';
      },
    ],
  ],
  'identityProviders.*.issuer': [['both', provider({ issuer: 'https://other.example' })]],
  'identityProviders.*.keys': [['cannot tell', provider({ keys: 'https://aws.example/other' })]],
  'identityProviders.*.audience': [['both', provider({ audience: 'other' })]],
  'identityProviders.*.algorithms.*': [
    ['wider', provider({ algorithms: ['RS256', 'ES256'] })],
    ['both', provider({ algorithms: ['ES256'] })],
  ],
  'identityProviders.*.maxTokenLifetime': [['narrower', provider({ maxTokenLifetime: '59m' })]],
  'identityProviders.*.claims.*.at.*': [
    ['both', ({ identityProviders }) => Object.assign(identityProviders.aws.claims.role, { at: ['arn'] })],
    ['wider', ({ identityProviders }) => delete identityProviders.aws.claims.zone],
    [
      'neither',
      (data) => {
        renamed('identityProviders', 'aws', 'amazon')(data);
        data.rules[2].agent.provider = 'amazon';
      },
    ],
    [
      'neither',
      ({ identityProviders, rules }) => {
        const { role, zone } = identityProviders.aws.claims;
        identityProviders.aws.claims = { who: role, zone };
        rules[2].agent.claims = { who: rules[2].agent.claims.role };
      },
    ],
  ],
  'identityProviders.*.claims.*.setBy': [
    ['neither', ({ identityProviders }) => Object.assign(identityProviders.aws.claims.role, { setBy: 'caller' })],
  ],
  'rules.*.match.team.name': [
    ['both', ({ rules }) => Object.assign(rules[2].match.team, { name: 'managers' })],
    ['wider', ({ rules }) => delete rules[2].match.team],
  ],
  'rules.*.match.team.access': [
    ['wider', ({ rules }) => Object.assign(rules[2].match.team, { access: 'read_only' })],
    ['narrower', ({ rules }) => Object.assign(rules[2].match.team, { access: 'manage_build_and_read' })],
  ],
  'rules.*.match.created_by.team': [
    ['both', ({ rules }) => Object.assign(rules[2].match.created_by, { team: 'managers' })],
    ['wider', ({ rules }) => delete rules[2].match.created_by],
  ],
  'rules.*.approval.step': [
    ['both', ({ rules }) => Object.assign(rules[2].approval, { step: 'approve_id' })],
    ['wider', ({ rules }) => delete rules[2].approval],
  ],
  'rules.*.approval.by': [['both', ({ rules }) => Object.assign(rules[2].approval, { by: 'platform' })]],
  'rules.*.approval.within': [
    ['wider', ({ rules }) => Object.assign(rules[2].approval, { within: '3601s' })],
    ['narrower', ({ rules }) => Object.assign(rules[2].approval, { within: '1m' })],
  ],
  'rules.*.approval.not': [['wider', ({ rules }) => delete rules[2].approval.not]],
  'rules.*.approval.use': [
    [
      'narrower',
      ({ rules }) => {
        rules[2].approval.use = 'break-glass';
      },
    ],
  ],
  'rules.*.agent.provider': [
    ['wider', ({ rules }) => delete rules[2].agent],
    [
      'both',
      ({ identityProviders, rules }) => {
        identityProviders.other = { ...identityProviders.aws, audience: 'other' };
        rules[2].agent.provider = 'other';
      },
    ],
  ],
  'rules.*.agent.claims.*': [
    ['wider', ({ rules }) => rules[2].agent.claims.role.push('more')],
    ['narrower', ({ rules }) => Object.assign(rules[2].agent.claims, { zone: 'a' })],
    // Values are compared to the letter.
    ['both', ({ rules }) => Object.assign(rules[2].agent.claims, { role: ['ci', 'deploy1'] })],
  ],
  maxJobTokenLifetime: [['wider', (data) => Object.assign(data, { maxJobTokenLifetime: '11m' })]],
  'environments.*.maxTtl': [
    ['wider', ({ environments }) => delete environments.staging.maxTtl],
    ['narrower', ({ environments }) => Object.assign(environments.other, { maxTtl: '59m' })],
  ],
  'environments.*.revocation.*': [
    ['narrower', ({ environments }) => Object.assign(environments.other, { revocation: ['immediate'] })],
  ],
  'environments.*.require.*': [
    ['narrower', ({ environments }) => Object.assign(environments.other, { require: ['step_key'] })],
  ],
  'pipelines.*': [
    ['both', ({ pipelines }) => Object.assign(pipelines, { web: OTHER_ID, release: PIPELINE_ID })],
    ['neither', renamed('pipelines', 'web', 'www')],
  ],
  'databases.*.project': [['both', ({ databases }) => Object.assign(databases.data, { project: 'acme-other' })]],
  'databases.*.database': [['both', ({ databases }) => Object.assign(databases.data, { database: 'orders' })]],
  'databases.*.apiKey': [['neither', ({ databases }) => Object.assign(databases.data, { apiKey: 'AIza' })]],
  'databases.*.signer': [
    ['cannot tell', ({ databases }) => Object.assign(databases.data, { signer: account('signer', 'acme-other') })],
  ],
  'databases.*.tenant': [['cannot tell', ({ databases }) => Object.assign(databases.data, { tenant: 'ci-x7k2p' })]],
  'credentials.*.environment': [
    ['cannot tell', ({ credentials }) => Object.assign(credentials.config, { environment: 'other' })],
  ],
  'credentials.*.ttl': [['wider', ({ credentials }) => Object.assign(credentials.store, { ttl: '601s' })]],
  'credentials.*.firestore.database': [
    ['cannot tell', ({ credentials }) => Object.assign(credentials.config.firestore, { database: 'spare' })],
    [
      'neither',
      (data) => {
        renamed('databases', 'data', 'main')(data);
        data.credentials.config.firestore.database = 'main';
      },
    ],
  ],
  'credentials.*.firestore.tenant': [
    ['cannot tell', ({ credentials }) => Object.assign(credentials.config.firestore, { tenant: 'ci-x7k2p' })],
  ],
  'credentials.*.firestore.allow.*.path': [
    ['wider', allowed([{ path: 'config/{rest=**}', verbs: ['get'] }])],
    ['narrower', allowed([{ path: 'config/one', verbs: ['get'] }])],
    ['both', allowed([{ path: 'config/one/sub/{name}', verbs: ['get'] }])],
  ],
  'credentials.*.firestore.allow.*.verbs.*': [
    ['wider', allowed([{ path: 'config/{name}', verbs: ['read'] }])],
    ['both', allowed([{ path: 'config/{name}', verbs: ['list'] }])],
  ],
  'credentials.*.serviceAccount.email': [
    ['cannot tell', service('shared', { email: account('import', 'acme') })],
    ['both', service('pooled', { pool: undefined, email: POOL[0] }), 'cannot tell'],
  ],
  'credentials.*.serviceAccount.pool.*': [
    ['cannot tell', service('pooled', { pool: [...POOL, account('ci-003', 'acme-ci')] })],
    ['narrower', service('pooled', { pool: POOL.slice(1) }), 'cannot tell'],
  ],
  'credentials.*.serviceAccount.retiring.*': [
    ['narrower', service('pooled', { pool: POOL.slice(1), retiring: POOL.slice(0, 1) }), 'cannot tell'],
    ['cannot tell', service('pooled', { retiring: [account('ci-003', 'acme-ci')] })],
    ['cannot tell', service('pooled', { pool: [account('ci-003', 'acme-ci')], retiring: POOL })],
  ],
  'credentials.*.serviceAccount.scopes.*': [
    ['narrower', service('shared', { scopes: [`${AUTH}devstorage.full_control`] })],
    ['both', service('pooled', { scopes: [`${AUTH}devstorage.read_only`] })],
    ['wider', service('pooled', { scopes: [`${AUTH}datastore`, 'openid'] })],
    ['neither', service('shared', { scopes: [`${AUTH}cloud-platform`, `${AUTH}datastore`] })],
  ],
  'credentials.*.storage.serviceAccount': [
    ['cannot tell', storage('cache', { serviceAccount: account('cache-2', 'acme') })],
    ['wider', storage('store', { pool: undefined, serviceAccount: account('store-1', 'acme-ci') })],
  ],
  'credentials.*.storage.pool.*': [['cannot tell', storage('store', { pool: [account('store-2', 'acme-ci')] })]],
  'credentials.*.storage.retiring.*': [
    [
      'cannot tell',
      storage('store', { pool: [account('store-2', 'acme-ci')], retiring: [account('store-1', 'acme-ci')] }),
    ],
  ],
  'credentials.*.storage.bucket': [['both', storage('cache', { bucket: 'acme-other' })]],
  'credentials.*.storage.prefix': [
    ['wider', storage('cache', { prefix: null })],
    ['narrower', storage('cache', { prefix: 'warm/one/' })],
    ['both', storage('cache', { prefix: 'warmer/' })],
  ],
  'credentials.*.storage.role': [
    ['narrower', storage('cache', { role: 'roles/storage.objectViewer' })],
    ['both', storage('cache', { role: 'roles/storage.legacyBucketWriter' })],
    ['cannot tell', storage('store', { role: 'projects/acme/roles/store_2' })],
  ],
  'credentials.*.accept.*': [
    ['neither', ({ credentials }) => Object.assign(credentials.config, { accept: { short_ttl: 'it is short' } })],
  ],
  'rules.*.name': [['neither', ({ rules }) => Object.assign(rules[0], { name: 'every' })]],
  'rules.*.grants.*': [
    ['wider', ({ rules }) => rules[1].grants.push('cache')],
    ['narrower', ({ rules }) => rules[0].grants.pop()],
  ],
  'rules.*.accept.*': [
    ['neither', ({ rules }) => Object.assign(rules[0], { accept: { slug_only: 'it is our slug' } })],
  ],
  'accept.*': [['neither', (data) => Object.assign(data, { accept: { unused_pipeline: 'it is our slug' } })]],
  ...Object.fromEntries(
    [...MATCH_KEYS, 'agent_tag:*'].map((key): [string, Case[]] => [`rules.*.match.${key}`, casesOfClaim(key)]),
  ),
};

function casesOfClaim(key: string): Case[] {
  if (key === 'pipeline_slug')
    return [['wider', ({ rules }) => Object.assign(rules[0].match, { [key]: ['we*', 'x'] })]];
  if (key === 'build_branch' || key === 'build_tag')
    return [['narrower', ({ rules }) => Object.assign(rules[0].match, { [key]: 'main' })]];
  if (key === 'organization_id')
    return [['narrower', ({ rules }) => Object.assign(rules[0].match, { [key]: OTHER_ID })]];
  const value = key === 'pipeline' ? 'web' : key.endsWith('_id') ? PIPELINE_ID : 'x7';
  const claim = key === 'agent_tag:*' ? 'agent_tag:os' : key;
  return [['narrower', ({ rules }) => Object.assign(rules[0].match, { [claim]: key === 'build_number' ? 7 : value })]];
}

function provider(change: object): (data: Data) => void {
  return ({ identityProviders }) => Object.assign(identityProviders.aws, change);
}

function renamed(section: string, before: string, after: string): (data: Data) => void {
  return (data) => {
    data[section][after] = data[section][before];
    delete data[section][before];
  };
}

function allowed(allow: Data[]): (data: Data) => void {
  return ({ credentials }) => Object.assign(credentials.config.firestore, { allow });
}

function service(name: string, change: object): (data: Data) => void {
  return ({ credentials }) => Object.assign(credentials[name].serviceAccount, change);
}

function storage(name: string, change: object): (data: Data) => void {
  return ({ credentials }) => Object.assign(credentials[name].storage, change);
}

function parsed(data: Data) {
  // Undefined removes a key.
  const result = parsePolicyData(JSON.parse(JSON.stringify(data)));
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result;
}

/** Of everything that differs between two policies. */
function directionBetween(before: Data, after: Data): Direction | undefined {
  const [old, new_] = [parsed(before), parsed(after)];
  const { changes, credentials } = diffPolicies(old.policy, new_.policy);
  const directions = [
    ...changes,
    ...credentials.flatMap((one) => one.changes),
    ...writtenChanges(old.written, new_.written, new Set()),
  ].map(({ direction }) => direction);
  const has = (...some: Direction[]) => directions.some((one) => some.includes(one));
  if (has('cannot tell')) return 'cannot tell';
  if (has('both') || (has('wider') && has('narrower'))) return 'both';
  return directions.find((direction) => direction !== 'neither') ?? directions[0];
}

function leavesOf(schema: Data, path: readonly string[] = []): string[] {
  const { properties = {}, patternProperties, items, additionalProperties } = schema;
  const inner: [string, Data][] = [
    ...Object.entries<Data>(properties),
    ...(items ? [['*', items] as [string, Data]] : []),
    ...(typeof additionalProperties === 'object' ? [['*', additionalProperties] as [string, Data]] : []),
    ...(patternProperties ? [['agent_tag:*', {}] as [string, Data]] : []),
  ];
  if (inner.length === 0) return [path.join('.')];
  return inner.flatMap(([key, value]) => leavesOf(value, [...path, key]));
}

describe('a change of a policy', () => {
  it('has a case here for every key of the policy file', () => {
    expect(Object.keys(CASES).sort()).toEqual(leavesOf(policyJsonSchema()).sort());
  });

  const cases = Object.entries(CASES).flatMap(([key, some]) =>
    some.map(([direction, change, opposite], index) => [key, index, direction, change, opposite] as const),
  );
  const MIRRORED: Partial<Record<Direction, Direction>> = { wider: 'narrower', narrower: 'wider' };

  it.each(cases)('is seen whichever key it is at: %s (%i) %s', (_, __, direction, change) => {
    const data = basePolicy();
    change(data);
    expect(directionBetween(basePolicy(), data)).toBe(direction);
  });

  it.each(cases.filter(([, , direction]) => direction !== 'cannot tell'))(
    'has the opposite direction the other way around: %s (%i) %s',
    (_, __, direction, change, opposite) => {
      const data = basePolicy();
      change(data);
      expect(directionBetween(data, basePolicy())).toBe(opposite ?? MIRRORED[direction] ?? direction);
    },
  );

  it.each<[string, (data: Data) => void]>([
    ['the order of a list', ({ rules }) => rules[0].grants.reverse()],
    ['a longest ttl that is the longest there is', ({ environments }) => (environments.other.maxTtl = '1h')],
    [
      'all kinds of revocation',
      ({ environments }) => (environments.other.revocation = ['immediate', 'propagating', 'expiry']),
    ],
    ['a rule whose jobs another one has', ({ rules }) => rules.push({ ...rules[0], name: 'again' })],
    [
      'a path that another one covers',
      ({ credentials }) => credentials.config.firestore.allow.push({ path: 'config/x', verbs: ['get'] }),
    ],
    [
      'verbs one by one',
      allowed([
        { path: 'config/{a}', verbs: ['get'] },
        { path: 'config/{b}', verbs: ['get'] },
      ]),
    ],
  ])('is none when it is only %s', (_, change) => {
    const data = basePolicy();
    change(data);
    expect(directionBetween(basePolicy(), data)).toBeUndefined();
  });

  it('does not confuse a member whose name has a dot with a member of another one', () => {
    const withZone = (...at: string[]) => {
      const data = basePolicy();
      data.identityProviders.aws.claims.zone.at = at;
      return data;
    };
    expect(directionBetween(withZone('a', 'b'), withZone('a.b'))).toBe('both');
    expect(directionBetween(withZone('a\\.b'), withZone('a.b'))).toBe('both');
  });

  it('does not confuse the name of an environment with a member of every object', () => {
    const data = basePolicy();
    data.environments.constructor = { require: ['step_key'] };
    expect(directionBetween(data, basePolicy())).toBe('neither');
  });

  it('is both when a scope for something else becomes a bucket', () => {
    const before = basePolicy();
    before.credentials.cache = {
      ...before.credentials.cache,
      storage: undefined,
      serviceAccount: { email: account('cache-ci', 'acme'), scopes: [`${AUTH}datastore`] },
    };
    expect(directionBetween(before, basePolicy())).toBe('both');
    before.credentials.cache.serviceAccount.scopes = [`${AUTH}cloud-platform`];
    expect(directionBetween(before, basePolicy())).toBe('narrower');
  });

  it.each([
    ['devstorage.read_write', true],
    ['cloud-platform', false],
    ['devstorage.full_control', false],
  ])('from the scope %s to devstorage.read_only has a note about HMAC keys: %s', (scope, hasNote) => {
    const [before, after] = [scope, 'devstorage.read_only'].map((name) => {
      const data = basePolicy();
      data.credentials.shared.serviceAccount.scopes = [`${AUTH}${name}`];
      return parsed(data).policy;
    }) as [Policy, Policy];
    const shared = diffPolicies(before, after).credentials.find(({ credential }) => credential === 'shared');
    expect(shared?.changes.map(({ note }) => note !== undefined)).toEqual([hasNote]);
  });

  it('keeps claims apart whose values have different lengths', () => {
    const long = `${'x'.repeat(70)}*`;
    const policy = (match: object, other: object) =>
      Object.assign(basePolicy(), {
        rules: [
          { name: 'one', match: { pipeline: 'web', ...match }, grants: ['config'] },
          { name: 'two', match: { pipeline: 'web', ...other }, grants: ['shared'] },
        ],
      });
    const before = policy({ step_key: 'x' }, { step_key: 'x' });
    const after = policy({ step_key: long }, { build_source: long });
    const { credentials } = diffPolicies(parsed(before).policy, parsed(after).policy);
    // No source is that long, and a step key can be.
    expect(credentials.map(({ verdict }) => verdict).slice(0, 2)).toEqual(['both', 'cannot tell']);
  });
});

describe('the comparison of random policies', () => {
  const UNGUARDED = { staging: {}, production: {}, constructor: {} };
  const organization = { slug: 'acme-inc' };

  it('is unchanged from a policy to itself, and its examples hold in decide', () => {
    let examples = 0;
    fc.assert(
      fc.property(writtenPolicies, writtenPolicies, (...data) => {
        const [before, after] = data.map((one) => parsed({ ...one, environments: UNGUARDED, organization }).policy) as [
          ReturnType<typeof parsed>['policy'],
          ReturnType<typeof parsed>['policy'],
        ];
        expect(diffPolicies(before, before)).toMatchObject({ changes: [], widens: false });
        const outcome = (policy: typeof before, example: Example, credential: string) => {
          if (!('job' in example)) return undefined;
          const job = parseJob(policy, claimsOf(policy, example.job));
          return 'claims' in job ? decide(policy, job.claims, credential).outcome : job.problems;
        };
        for (const { credential, changes } of diffPolicies(before, after).credentials)
          for (const { gained, lost } of changes.filter(({ what }: Change) => what === 'jobs')) {
            if (gained) {
              examples += 1;
              expect([before, after].map((policy) => outcome(policy, gained, credential))).toEqual([
                'refused',
                'granted',
              ]);
            }
            if (lost)
              expect([before, after].map((policy) => outcome(policy, lost, credential))).toEqual([
                'granted',
                'refused',
              ]);
          }
      }),
      { seed: 20270105, numRuns: 60 },
    );
    expect(examples).toBeGreaterThan(15);
  });
});
