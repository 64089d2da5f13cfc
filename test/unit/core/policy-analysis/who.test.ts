// Who can get a credential, or reach a path or a bucket. The examples are jobs that `decide` grants the credential to.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Verb } from '../../../../shared/core/kinds/firestore.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parseJob } from '../../../../shared/core/policy/explain.ts';
import { parsePolicyText } from '../../../../shared/core/policy/parse-yaml.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { claimsOf } from '../../../../shared/core/policy-analysis/example-lines.ts';
import { readQuestion, type WrittenQuestion } from '../../../../shared/core/policy-analysis/questions.ts';
import { whoGets } from '../../../../shared/core/policy-analysis/who.ts';
import { writtenPolicies } from '../../../fixtures/written-policies.ts';

const NOTHING = {
  credential: undefined,
  environment: undefined,
  path: undefined,
  verbs: [],
  database: undefined,
  bucket: undefined,
  prefix: undefined,
} satisfies WrittenQuestion;
const UNGUARDED = { staging: {}, production: {}, constructor: {} };
const SEED = 20270106;

type Parsed = Exclude<ReturnType<typeof parsePolicyData>, { problems: unknown }>;

function parsed(result: ReturnType<typeof parsePolicyData>): Parsed {
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result;
}

const EXAMPLE_TEXT = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const EXAMPLE_DATA = parse(EXAMPLE_TEXT);
const EXAMPLE = parsed(parsePolicyText(EXAMPLE_TEXT) as ReturnType<typeof parsePolicyData>);

/** For each credential how much of it opens what is asked. */
function ask(question: Partial<WrittenQuestion>, { policy, written }: Parsed = EXAMPLE): Record<string, string> {
  const read = readQuestion(written, { ...NOTHING, ...question });
  if ('problem' in read) throw new Error(read.problem);
  const found = whoGets(policy, written, read);
  return Object.fromEntries(found.map(({ credential, opening }) => [credential, opening.opens]));
}

const problemOf = (question: Partial<WrittenQuestion>) => {
  const read = readQuestion(EXAMPLE.written, { ...NOTHING, ...question });
  return 'problem' in read ? read.problem : undefined;
};

const BY_ROLES = { 'staging-admin': 'cannot tell', 'staging-export': 'cannot tell' };

describe('who can', () => {
  it('get a credential, or the credentials of an environment', () => {
    expect(ask({ credential: 'staging-cache' })).toEqual({ 'staging-cache': 'all' });
    expect(ask({ environment: 'production' })).toEqual({ 'production-config': 'all' });
  });

  it('get the credentials of an environment, and those of others that open the same', () => {
    const data = JSON.parse(JSON.stringify(EXAMPLE_DATA));
    const { firestore, ttl } = data.credentials['production-config'];
    data.credentials['staging-debug'] = { environment: 'staging', ttl, firestore };
    data.credentials['staging-sql'] = {
      ...{ environment: 'staging', ttl },
      serviceAccount: { email: 'sql-ci@acme-production.iam.gserviceaccount.com', scopes: ['openid'] },
    };
    expect(ask({ environment: 'production' }, parsed(parsePolicyData(data)))).toEqual({
      'production-config': 'all',
      'staging-debug': 'same place',
      'staging-sql': 'same place',
    });
  });

  it.each<[string, string[], object]>([
    ['config/web', ['update'], { 'staging-config': 'all', 'production-config': 'all' }],
    ['config/web', ['delete'], { 'production-config': 'all' }],
    ['config/web', ['write'], { 'staging-config': 'part', 'production-config': 'all' }],
    ['config/web/regions/eu', ['get'], { 'staging-config': 'all', 'production-config': 'all' }],
    ['config/{document=**}', ['get', 'list'], { 'staging-config': 'all', 'production-config': 'all' }],
    ['releases/{release}', ['get'], { 'staging-config': 'all' }],
    ['releases/{release}', [], { 'staging-config': 'part' }],
    ['releases/1/notes/2', ['get'], {}],
    ['users/a@b.c', ['get'], {}],
    ['keydesk_grants/a', [], {}],
  ])('reach %s for %j', (path, verbs, expected) => {
    expect(ask({ path, verbs })).toEqual({ ...expected, ...BY_ROLES });
  });

  it('reach a path of one database', () => {
    expect(ask({ path: 'config/web', database: 'production' })).toEqual({ 'production-config': 'all', ...BY_ROLES });
  });

  it('reach a path of one database, by whichever of its names', () => {
    const data = JSON.parse(JSON.stringify(EXAMPLE_DATA));
    data.databases.live = { ...data.databases.production };
    data.credentials['production-config'].firestore.database = 'live';
    for (const database of ['live', 'production'])
      expect(ask({ path: 'config/web', database }, parsed(parsePolicyData(data)))).toEqual({
        'production-config': 'all',
        ...BY_ROLES,
      });
  });

  it('reach anything that other accounts may, with the scope to ask for their tokens', () => {
    const data = JSON.parse(JSON.stringify(EXAMPLE_DATA));
    data.credentials['staging-export'].serviceAccount.scopes = ['https://www.googleapis.com/auth/iam'];
    const policy = parsed(parsePolicyData(data));
    expect(ask({ path: 'config/web', database: 'production' }, policy)).toEqual({
      'production-config': 'all',
      ...BY_ROLES,
    });
    expect(ask({ bucket: 'acme-other' }, policy)).toEqual(BY_ROLES);
  });

  it.each<[string, string | undefined, object]>([
    ['acme-ci-cache', 'warm/', { 'staging-cache': 'all' }],
    ['acme-ci-cache', 'warm/deps/a.tar', { 'staging-cache': 'all' }],
    ['acme-ci-cache', undefined, { 'staging-cache': 'part' }],
    ['acme-ci-cache', 'war', { 'staging-cache': 'part' }],
    ['acme-ci-cache', 'warmer/', {}],
    ['acme-other', undefined, {}],
  ])('reach bucket %s, %s', (bucket, prefix, expected) => {
    expect(ask({ bucket, prefix })).toEqual({ ...expected, 'staging-admin': 'cannot tell' });
  });

  it('says of a rule whether a job matches it', () => {
    const data = JSON.parse(JSON.stringify(EXAMPLE.written));
    const { version, organization, audience, pipelines } = data;
    const { policy, written } = parsed(
      parsePolicyData({
        ...{ version, organization, audience, pipelines },
        environments: { staging: {} },
        credentials: {
          export: {
            ...{ environment: 'staging', ttl: '10m' },
            serviceAccount: { email: 'export@acme-staging.iam.gserviceaccount.com', scopes: ['openid'] },
          },
        },
        rules: [
          { name: 'never', match: { pipeline: 'web', build_source: 'x'.repeat(65) }, grants: ['export'] },
          { name: 'some', match: { pipeline: 'web' }, grants: ['export'] },
        ],
      }),
    );
    const [access] = whoGets(policy, written, { about: 'credential', credential: 'export' });
    expect(access?.rules.map(({ rule, example }) => [rule, typeof example])).toEqual([
      ['never', 'undefined'],
      ['some', 'object'],
    ]);
  });

  it('shows example jobs that decide grants the credential to', () => {
    let count = 0;
    fc.assert(
      fc.property(writtenPolicies, (data) => {
        const { policy, written } = parsed(parsePolicyData({ ...data, environments: UNGUARDED }));
        for (const credential of Object.keys(policy.credentials))
          for (const { rules } of whoGets(policy, written, { about: 'credential', credential }))
            for (const { example } of rules) {
              if (!example || example === 'cannot tell') continue;
              count += 1;
              const job = parseJob(policy, claimsOf(policy, example));
              expect('claims' in job && decide(policy, job.claims, credential).outcome).toBe('granted');
            }
      }),
      { seed: SEED, numRuns: 60 },
    );
    expect(count).toBeGreaterThan(60);
  });

  it('finds the credentials whose paths match a document, and no others', () => {
    let [opened, closed] = [0, 0];
    const segment = fc.constantFrom('config', 'cache', 'a', 'b', 'c-d', 'x', 'y', 'keydesk_grants2', 'ä');
    const document = fc.oneof(
      fc.array(segment, { minLength: 2, maxLength: 6 }).filter(({ length }) => length % 2 === 0),
      fc.constantFrom(['a', 'b', 'c-d', 'x'], ['x', 'y'], ['x', 'a', 'y', 'b'], ['config', 'a', 'b', 'c']),
    );
    const verb = fc.constantFrom<Verb>('get', 'list', 'create', 'update', 'delete');
    fc.assert(
      fc.property(writtenPolicies, document, verb, (data, segments, asked) => {
        const { policy, written } = parsed(parsePolicyData({ ...data, environments: UNGUARDED }));
        const path = segments.join('/');
        const found = ask({ path, verbs: [asked] }, { policy, written });
        for (const [name, credential] of Object.entries(policy.credentials)) {
          if (credential.kind !== 'firestore') continue;
          const opens = credential.allow.some(
            (entry) => entry.verbs.includes(asked) && toExpression(entry.path).test(path),
          );
          if (opens) opened += 1;
          else closed += 1;
          expect(found[name]).toBe(opens ? 'all' : undefined);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
    expect(opened).toBeGreaterThan(15);
    expect(closed).toBeGreaterThan(100);
  });
});

/** The documents of a template. */
function toExpression(template: string): RegExp {
  const source = template
    .replace(/\/\{\w+=\*\*\}$/, '(/[^/]+)*')
    .split('/')
    .map((segment) => (segment.startsWith('{') ? '[^/]+' : segment))
    .join('/');
  return new RegExp(`^${source}$`, 'u');
}

describe('a question', () => {
  it.each<[Partial<WrittenQuestion>, string]>([
    [{}, 'Give one of these'],
    [{ credential: 'staging-config', path: 'config/web' }, 'Give one of these'],
    [{ credential: 'stagin-config' }, 'Did you mean "staging-config"?'],
    [{ environment: 'prod' }, 'Known: staging, production.'],
    [{ path: 'config/web', verbs: ['updte'] }, 'Did you mean "update"?'],
    [{ path: 'config/web', database: 'stagin' }, 'Did you mean "staging"?'],
    [{ path: 'config' }, 'Write "config/{document}"'],
    [{ path: '/config/web' }, 'Write "config/web"'],
    [{ path: 'config/*' }, 'Write "config/{document}"'],
    [{ path: '/users/a@b.c' }, '--path must not begin with a slash.'],
    [{ bucket: 'gs://acme-ci-cache/warm/' }, 'Write --bucket acme-ci-cache --prefix warm/.'],
    [{ bucket: 'acme-ci-cache', prefix: '/warm' }, '--prefix must not begin with a slash'],
    [{ environment: 'staging', verbs: ['get'] }, '--verb and --database belong to --path'],
    [{ environment: 'staging', prefix: 'warm/' }, '--prefix belongs to --bucket'],
  ])('%j is refused: %s', (question, message) => {
    expect(problemOf(question)).toContain(message);
  });
});
