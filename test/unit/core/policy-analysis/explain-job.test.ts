// What `policy explain --claims` says has to change is enough, and changes nothing else: random policies and jobs, and the decision after
// the change.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type JobClaims, parseClaims } from '../../../../shared/core/policy/claims.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { explainJob, type RefusedExplanation } from '../../../../shared/core/policy-analysis/explain-job.ts';
import { explanationLines } from '../../../../shared/core/policy-analysis/explanation-lines.ts';
import { isFixed, type Unmet } from '../../../../shared/core/policy-analysis/nearest-rules.ts';
import { type Data, ORGANIZATION_ID, policyData } from '../../../fixtures/policies.ts';

const IDS = ['0184990a-4782-42b5-afc1-16715b10b1f0', '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31'];
const OTHER = '0184990c-0000-4000-8000-000000000000';
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const patterns = (...values: string[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 });

const CREDENTIALS = ['a', 'b', 'c'];
const credential = (environment: string) => ({
  environment,
  ttl: '10m',
  firestore: { database: 'data', allow: [{ path: 'config/{document}', verbs: ['get'] }] },
});

const rule = fc.record(
  {
    match: fc.record(
      {
        pipeline: patterns('web', 'release'),
        build_branch: patterns('main', 'release/*', 'v*', '**/x'),
        build_tag: patterns('v*', 'v1', 'main'),
        build_source: patterns('ui', 'webhook', 'schedule'),
        step_key: patterns('deploy', 'deploy-*'),
        cluster_id: patterns(OTHER),
        'agent_tag:queue': patterns('linux', '*-large'),
        build_number: patterns('7', '8*'),
      },
      { requiredKeys: ['pipeline'] },
    ),
    grants: patterns(...CREDENTIALS),
  },
  { requiredKeys: ['match', 'grants'] },
);

const policies = fc
  .record({
    rules: fc.array(rule, { maxLength: 4 }),
    id: fc.boolean(),
    require: some(patterns('build_branch', 'step_key', 'build_source')),
  })
  .map(
    ({ rules, id, require }): Data =>
      policyData(
        'acme-data',
        { a: credential('staging'), b: credential('production'), c: credential('staging') },
        {
          organization: { slug: 'acme-inc', ...(id && { id: ORGANIZATION_ID }) },
          environments: { staging: {}, production: require ? { require } : {} },
          pipelines: { web: IDS[0], release: IDS[1] },
          rules: rules.map((one, index) => ({ name: `rule ${index}`, ...one })),
        },
      ),
  )
  .filter((data) => 'policy' in parsePolicyData(data));

const jobs = fc
  .record({
    organization_id: some(fc.constant(ORGANIZATION_ID)),
    pipeline_id: some(fc.constantFrom(...IDS, OTHER)),
    pipeline_slug: fc.constantFrom('web', 'Not A Name', 'docs'),
    build_number: fc.constantFrom(7, 9),
    build_branch: fc.constantFrom('main', 'release/1', 'feature/x', 'v1', 'a*b'),
    build_tag: some(fc.constantFrom('v1', 'main', 't1')),
    build_source: some(fc.constantFrom('ui', 'api')),
    step_key: some(fc.constantFrom('deploy', 'deploy-web', 'test')),
    cluster_id: some(fc.constantFrom(OTHER, IDS[0] as string)),
    'agent_tag:queue': some(fc.constantFrom('linux', 'mac', 'x-large')),
  })
  .map((claims) => ({
    organization_slug: 'acme-inc',
    build_commit: 'c0ffee',
    job_id: '0184990a-4782-42b5-afc1-16715b10b8f1',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8f2',
    ...Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined)),
  }));

const toClaims = (payload: unknown): JobClaims => {
  const parsed = parseClaims(payload);
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  return parsed.claims;
};

const read = (data: Data) => {
  const result = parsePolicyData(data);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result;
};

/** The job with a value that meets each of these. */
function changed(payload: Record<string, unknown>, unmet: readonly Unmet[], claims: readonly string[]) {
  const after = { ...payload };
  for (const { claim, needs } of unmet.filter((one) => claims.includes(one.claim))) {
    const value = needs[0]?.replaceAll(/\*+/g, '1');
    if (value === undefined) delete after[claim];
    else after[claim] = claim === 'build_number' ? Number(value) : value;
  }
  return after;
}

function refusals(data: Data, payload: Record<string, unknown>): RefusedExplanation[] {
  const given = read(data);
  const explained = CREDENTIALS.map((name) => explainJob(given, toClaims(payload), name));
  return explained.filter((one): one is RefusedExplanation => one.outcome === 'refused');
}

const ORGANIZATION: Unmet = { claim: 'organization_id', has: null, needs: [ORGANIZATION_ID] };
const SETTINGS = { seed: 20261124, numRuns: 80 };

describe('the explanation of a refusal', () => {
  it('names changes of the job that are enough, and none that is not needed', () => {
    let looked = 0;
    fc.assert(
      fc.property(policies, jobs, (data, payload) => {
        for (const { credential: name, nearest } of refusals(data, payload))
          for (const { unmet, jobChanges } of nearest) {
            looked += 1;
            const all = unmet.map(({ claim }) => claim);
            expect(jobChanges.flatMap(({ claims }) => claims).sort()).toEqual([...all].sort());
            expect(jobChanges.filter(({ possible }) => !possible)).toHaveLength(unmet.filter(isFixed).length);
            const { policy } = read(data);
            const after = toClaims(changed(payload, unmet, all));
            expect(decide(policy, after, name).outcome).toBe('granted');
            for (const left of all) {
              const most = toClaims(
                changed(
                  payload,
                  unmet,
                  all.filter((claim) => claim !== left),
                ),
              );
              const { trace } = decide(policy, most, name);
              const near = nearest.find((one) => one.unmet === unmet)?.rule;
              if (left !== 'organization_id')
                expect(trace.find((one) => one.rule === near)?.outcome).not.toBe('granted');
            }
          }
      }),
      SETTINGS,
    );
    expect(looked).toBeGreaterThan(40);
  });

  it('names a change of the policy that is enough with what the job must still change, and grants nothing else', () => {
    let looked = 0;
    fc.assert(
      fc.property(policies, jobs, (data, payload) => {
        for (const { credential: name, nearest, firstRule } of refusals(data, payload)) {
          const changes = [
            ...nearest.flatMap(({ unmet, policyChange }) => (policyChange ? [{ unmet, ...policyChange }] : [])),
            ...(firstRule ? [{ unmet: [ORGANIZATION], ...firstRule }] : []),
          ];
          for (const { unmet, pipelines, rules, yaml, remaining, forbidden } of changes) {
            looked += 1;
            // No rule of these has conditions, and a file has no such key.
            const after = { ...data, pipelines, rules: rules.map(({ conditions: _, ...rule }) => rule) };
            const result = parsePolicyData(after);
            expect('problems' in result).toBe(forbidden.length > 0);
            if ('problems' in result) continue;
            const job = toClaims(changed(payload, unmet, remaining));
            expect(decide(result.policy, job, name).outcome).toBe('granted');
            for (const other of CREDENTIALS.filter((one) => one !== name))
              expect(decide(result.policy, job, other).outcome).toBe(decide(read(data).policy, job, other).outcome);
            const lines = parse(yaml.join('\n'));
            if (lines.rules) expect(lines.rules).toEqual([asWritten(rules.at(-1))]);
            else expect(rules.map(({ match }) => match)).toContainEqual(expect.objectContaining(toLists(lines)));
            expect({ ...data.pipelines, ...lines.pipelines }).toEqual(pipelines);
          }
        }
      }),
      SETTINGS,
    );
    expect(looked).toBeGreaterThan(40);
  });
});

describe('a job that lacks the UUID of its organization, and a credential that no rule grants', () => {
  it('must request the UUID, and be granted by a new rule', () => {
    const data = policyData(
      'acme-data',
      { a: credential('staging') },
      {
        organization: { slug: 'acme-inc', id: ORGANIZATION_ID },
        environments: { staging: {} },
        pipelines: {},
        rules: [],
      },
    );
    const claims = toClaims({
      ...{ organization_slug: 'acme-inc', pipeline_slug: 'web', build_number: 7, build_branch: 'main' },
      ...{ build_commit: 'c0ffee', build_source: 'ui', job_id: IDS[0], agent_id: IDS[1] },
    });
    const explanation = explainJob(read(data), claims, 'a');
    expect(explanation).toMatchObject({ missing: ['organization_id'], firstRule: { remaining: ['organization_id'] } });
    const lines = explanationLines(explanation, { pipelines: {}, file: 'policy.yaml' });
    expect(lines.filter((line) => line.includes('organization_id')).length).toBeGreaterThan(1);
  });
});

/** A list of one is a value in the lines. */
function asWritten(
  one: { match: Readonly<Record<string, readonly string[]>>; name: string; grants: readonly string[] } | undefined,
) {
  const match = Object.entries(one?.match ?? {}).map(([key, list]) => [key, list.length === 1 ? list[0] : list]);
  return { name: one?.name, match: Object.fromEntries(match), grants: one?.grants };
}

function toLists({ pipelines: _, ...lines }: Record<string, string | string[]>) {
  return Object.fromEntries(Object.entries(lines).map(([key, value]) => [key, [value].flat()]));
}
