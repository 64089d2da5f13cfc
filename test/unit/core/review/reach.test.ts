// What pipelines could reach: true for every job of theirs, by `decide`.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClaims } from '../../../../shared/core/policy/claims.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { keyOf, pipelinesOf } from '../../../../shared/core/review/pipelines.ts';
import { policiesInForce } from '../../../../shared/core/review/policies-in-force.ts';
import { toPopulation } from '../../../../shared/core/review/population.ts';
import { openRules, reachOf } from '../../../../shared/core/review/reach.ts';
import { reviewOf } from '../../../../shared/core/review/review.ts';
import { AS_OF, FROM, grantOf, inputOf, iso, policyOf, RELEASE, TO, WEB } from '../../../fixtures/review-world.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const { policy: example, sha256: exampleSha256 } = policyOf(EXAMPLE);
const DAY = 86_400_000;

const IDS = [WEB, RELEASE, '0184990c-4782-42b5-afc1-16715b10b1f1'];
const CLUSTER = '0184990d-4782-42b5-afc1-16715b10b1f2';
const SLUGS = ['web', 'web-release', 'docs'];
const BRANCHES = ['main', 'release/1', 'v2', 'feature'];
const SOURCES = ['ui', 'webhook', 'schedule'];

const narrowing = fc.oneof(
  fc.record({ pipeline_id: fc.uniqueArray(fc.constantFrom(...IDS), { minLength: 1, maxLength: 2 }) }),
  fc.record({ pipeline_slug: fc.uniqueArray(fc.constantFrom(...SLUGS, 'web*'), { minLength: 1, maxLength: 2 }) }),
  fc.record({
    pipeline_id: fc.constantFrom(...IDS).map((id) => [id]),
    pipeline_slug: fc.constantFrom(...SLUGS, '*').map((slug) => [slug]),
  }),
  fc.constant({ cluster_id: [CLUSTER] }),
);
const chosen = fc.record(
  {
    build_branch: fc.uniqueArray(fc.constantFrom(...BRANCHES, 'release/*', '**'), { minLength: 1, maxLength: 2 }),
    build_source: fc.uniqueArray(fc.constantFrom(...SOURCES), { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);
const match = fc.tuple(narrowing, chosen).map(([one, other]) => ({ ...one, ...other }));

/** Two credentials, and rules for them. */
const policies = fc
  .array(fc.tuple(match, fc.subarray(['export', 'cache'], { minLength: 1 })), { minLength: 1, maxLength: 4 })
  .map((rules): Policy => {
    const credential = (name: string, environment: string) => ({
      ...{ environment, ttl: '10m' },
      serviceAccount: { email: `${name}@acme-staging.iam.gserviceaccount.com`, scopes: ['openid'] },
    });
    const result = parsePolicyData({
      ...{ version: 1, organization: example.organization, audience: example.audience },
      environments: { staging: {}, production: {} },
      credentials: { export: credential('export', 'staging'), cache: credential('cache-ci', 'production') },
      rules: rules.map(([one, grants], nth) => ({ name: `rule ${nth}`, match: one, grants })),
    });
    if ('problems' in result) throw new Error(JSON.stringify(result.problems));
    return result.policy;
  });

const jobs = fc.record({
  pipeline: fc.integer({ min: 0, max: 2 }),
  build_branch: fc.constantFrom(...BRANCHES),
  build_source: fc.constantFrom(...SOURCES),
});

function claimsOf({ pipeline, ...build }: { pipeline: number; build_branch: string; build_source: string }) {
  const parsed = parseClaims({
    ...grantOf(1, FROM).job,
    ...{ pipeline_id: IDS[pipeline], pipeline_slug: SLUGS[pipeline], cluster_id: CLUSTER, ...build },
    ...{
      iss: 'https://agent.buildkite.com',
      aud: 'x',
      sub: 'x',
      iat: 1,
      nbf: 1,
      exp: 2,
      runner_environment: 'self-hosted',
    },
  });
  if (!('claims' in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed.claims;
}

it('a pipeline could reach what any of its jobs gets, and all its jobs get what it says they do', () => {
  fc.assert(
    fc.property(fc.array(policies, { minLength: 1, maxLength: 2 }), fc.array(jobs, { minLength: 20 }), (all, tried) => {
      const readable = all.map((policy, nth) => ({ sha256: `${nth}`, policy }));
      const seen = IDS.map((pipeline_id, nth) => {
        const grant = grantOf(nth, FROM);
        return { ...grant, job: { ...grant.job, pipeline_id, pipeline_slug: SLUGS[nth] ?? '' } };
      });
      const pipelines = pipelinesOf(toPopulation(seen, AS_OF).rows, [], new Map());
      for (const [nth, id] of IDS.entries()) {
        const pipeline = pipelines.find((one) => keyOf(one) === id);
        if (!pipeline) throw new Error('a pipeline with a grant is missing');
        const reach = new Map(reachOf(pipeline, readable, undefined).map((one) => [one.credential, one]));
        for (const job of tried.filter((one) => one.pipeline === nth))
          for (const { sha256, policy } of readable)
            for (const credential of ['export', 'cache']) {
              const isGranted = 'rule' in decide(policy, claimsOf(job), credential);
              const found = reach.get(credential);
              if (isGranted) expect(found?.policy_sha256s).toContain(sha256);
              if (found?.for === 'all_jobs' && found.policy_sha256s.length === all.length && all.length === 1)
                expect(isGranted).toBe(true);
            }
      }
    }),
    { numRuns: 60 },
  );
});

it('rules that name no pipeline are those that a pipeline without a grant may meet', () => {
  fc.assert(
    fc.property(policies, (policy) => {
      const open = new Set(openRules([{ sha256: 'x', policy }], undefined).map(({ rule }) => rule));
      for (const { name, match: demanded } of policy.rules) {
        const named = demanded.pipeline_id !== undefined || demanded.pipeline_slug?.every((one) => !one.includes('*'));
        expect(open.has(name)).toBe(!named);
      }
    }),
  );
});

describe('a pipeline of the review', () => {
  const web = { policy_sha256: exampleSha256 };
  const start = iso(FROM - DAY);
  const review = (more: Parameters<typeof inputOf>[1] = {}) =>
    reviewOf(
      inputOf([grantOf(1, FROM + DAY, web)], { policies: [{ text: EXAMPLE, first: start, last: start }], ...more }),
    );

  it('has its name, what it could reach, did get and never used', () => {
    expect(review().pipelines).toMatchObject([
      {
        pipeline: { id: WEB, names: ['web'], slugs: ['web'] },
        could_reach: [
          { credential: 'staging-admin', for: 'some_jobs', rules: ['deploy to staging'] },
          { credential: 'staging-cache' },
          { credential: 'staging-config' },
          { credential: 'staging-export' },
        ],
        got: [{ credential: 'staging-config', grants: 1, tokens_issued: 1, rules: ['deploy to staging'] }],
        never_used: ['staging-admin', 'staging-cache', 'staging-export'],
        touched: null,
      },
      {
        pipeline: { id: RELEASE, names: ['web-release'], slugs: [] },
        got: [],
        never_used: expect.arrayContaining(['production-config']),
      },
    ]);
  });

  it('has the credentials of one environment where that is asked', () => {
    const { pipelines, credentials } = review({ environment: 'production' });
    expect(pipelines.flatMap(({ could_reach }) => could_reach.map(({ credential }) => credential))).toEqual([
      'production-config',
    ]);
    expect(credentials.map(({ credential }) => credential)).toEqual(['production-config']);
  });

  it('did not use a credential without an issued token', () => {
    const unissued = grantOf(1, FROM + DAY, { ...web, state: 'expired', issued_at: null, tokens_issued: 0 });
    const { pipelines } = reviewOf(inputOf([unissued], { policies: [{ text: EXAMPLE, first: start, last: start }] }));
    expect(pipelines[0]).toMatchObject({ got: [], never_used: expect.arrayContaining(['staging-config']) });
  });
});

describe('policies that may have been in force', () => {
  const policy = (sha256: string, first: number, last: number) => ({
    sha256,
    first_used_at: iso(first),
    last_started_at: iso(last),
  });
  const shas = (stored: Parameters<typeof policiesInForce>[0], grants = toPopulation([], AS_OF).rows) =>
    policiesInForce(stored, grants, { from: FROM, to: TO }).map(({ sha256 }) => sha256);

  it('are those that started in the period, the last one before, and those of its grants', () => {
    const stored = [
      policy('long before', FROM - 9 * DAY, FROM - 5 * DAY),
      policy('just before', FROM - 8 * DAY, FROM - DAY),
      policy('through', FROM - 7 * DAY, TO + DAY),
      policy('in it', FROM + DAY, FROM + DAY),
      policy('after', TO, TO + DAY),
    ];
    expect(shas(stored)).toEqual(['just before', 'through', 'in it']);
    const { rows } = toPopulation(
      [grantOf(1, FROM, { policy_sha256: 'long before' }), grantOf(2, FROM, { policy_sha256: 'lost' })],
      AS_OF,
    );
    expect(shas(stored, rows)).toEqual(['lost', 'long before', 'just before', 'through', 'in it']);
  });
});
