// What jobs get when some of their claims are stated: true for every such job, by `decide`.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JobClaims, parseClaims } from '../../../../shared/core/policy/claims.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { matchesPattern } from '../../../../shared/core/policy/pattern.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { type Demands, type ExampleJob, meeting } from '../../../../shared/core/policy-analysis/jobs.ts';
import { jobOutside } from '../../../../shared/core/policy-analysis/outside.ts';
import { type PartialJob, parsePartialJob, toJobs } from '../../../../shared/core/policy-analysis/partial-job.ts';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { whatJobsGet } from '../../../../shared/core/policy-analysis/what.ts';
import { Work } from '../../../../shared/core/policy-analysis/work.ts';
import { PIPELINE_ID } from '../../../fixtures/policies.ts';
import { writtenPolicies } from '../../../fixtures/written-policies.ts';

const EXAMPLE = (() => {
  const result = parsePolicy(readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8'), 'x');
  if (!('policy' in result)) throw new Error('the example is not a policy');
  return result.policy;
})();
const UNGUARDED = { staging: {}, production: {}, constructor: {} };
const SEED = 20270105;

function stated(policy: Policy, ...claims: string[]): PartialJob {
  const result = parsePartialJob(policy, claims);
  if ('problems' in result) throw new Error(result.problems.join('\n'));
  return result.job;
}

/** For each credential: the answer, and the claims of each condition. */
function ask(policy: Policy, ...claims: string[]): Record<string, unknown> {
  return Object.fromEntries(
    whatJobsGet(policy, stated(policy, ...claims)).map(({ credential, answer, granting }) => [
      credential,
      answer === 'conditional' ? granting.map(({ conditions }) => conditions.map(([claim]) => claim)) : answer,
    ]),
  );
}

/** A policy with one credential, and these rules for it. */
function policyOf(...matches: object[]): Policy {
  const { version, organization, audience, pipelines } = EXAMPLE;
  const result = parsePolicyData({
    ...{ version, organization, audience, pipelines },
    environments: { staging: {} },
    credentials: {
      export: {
        environment: 'staging',
        ttl: '10m',
        serviceAccount: { email: 'export@acme-staging.iam.gserviceaccount.com', scopes: ['openid'] },
      },
    },
    rules: matches.map((match, index) => ({
      name: `rule ${index}`,
      match: { pipeline: 'web', ...match },
      grants: ['export'],
    })),
  });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}

describe('what jobs get', () => {
  it('is granted when every job with the stated claims gets it', () => {
    expect(ask(EXAMPLE, 'pipeline=web', 'build_branch=main', 'build_source=ui', 'build_tag=')).toEqual({
      'staging-config': 'granted',
      'production-config': 'never',
      'staging-admin': 'granted',
      'staging-export': 'granted',
      'staging-cache': 'granted',
    });
  });

  it('names the claims that are not stated, and none that the stated ones imply', () => {
    expect(ask(EXAMPLE, 'pipeline=web-release', 'build_branch=v2', 'build_tag=v2', 'build_source=ui')).toMatchObject({
      'staging-config': 'granted',
      'production-config': [['step_key']],
    });
    expect(ask(EXAMPLE, 'pipeline=web', 'build_branch=main')).toMatchObject({
      'staging-config': [['build_source', 'build_tag']],
    });
  });

  it('knows that a build of a tag is another build', () => {
    expect(ask(EXAMPLE, 'pipeline=web', 'build_branch=main', 'build_source=ui', 'build_tag=main')).toMatchObject({
      'staging-config': 'never',
    });
  });

  it('gives nothing to a job without the id of the organization, when the policy has one', () => {
    expect(new Set(Object.values(ask(EXAMPLE, 'pipeline=web', 'organization_id=')))).toEqual(new Set(['never']));
  });

  it('is granted when several rules together match every job', () => {
    const policy = policyOf({ step_key: 'a/**' }, { step_key: '**/b' }, { step_key: '**' });
    expect(ask(policy, 'pipeline=web')).toEqual({ export: [['step_key']] });
    expect(ask(policy, 'pipeline=web', 'step_key=a/b')).toEqual({ export: 'granted' });
    const halves = policyOf({ build_tag: '**' }, { build_branch: '**' });
    expect(ask(halves, 'pipeline=web')).toEqual({ export: 'granted' });
  });

  it('lists no rule whose jobs another rule matches too', () => {
    const policy = policyOf({ step_key: 'deploy' }, { step_key: 'd*' }, { step_key: 'd*', queue_key: 'q' });
    expect(whatJobsGet(policy, stated(policy, 'pipeline=web'))[0]?.granting.map(({ rule }) => rule)).toEqual([
      'rule 1',
    ]);
    const twice = policyOf({ step_key: 'd*' }, { step_key: ['d*', 'deploy'] });
    expect(whatJobsGet(twice, stated(twice, 'pipeline=web'))[0]?.granting.map(({ rule }) => rule)).toEqual(['rule 0']);
  });

  it('takes a * of a stated value for itself', () => {
    const policy = policyOf({ build_branch: ['ab', 'a*c'], build_tag: '**' });
    const answers = (branch: string) => ask(policy, 'pipeline=web', 'build_tag=x', `build_branch=${branch}`);
    expect(answers('a*')).toEqual({ export: 'never' });
    expect(answers('a*c')).toEqual({ export: 'granted' });
  });

  it('says of a rule that refuses which demands no job meets', () => {
    const [, production] = whatJobsGet(EXAMPLE, stated(EXAMPLE, 'pipeline=web', 'step_key=test'));
    expect(production?.refusing.map(({ unmet }) => unmet.map(([claim]) => claim))).toEqual([
      ['pipeline_id', 'step_key'],
    ]);
  });

  it.each([
    ['pipeline=wbe', 'Did you mean "web"?'],
    ['branch=main', 'Did you mean "build_branch"?'],
    ['build_branch=', 'build_branch is empty: every job has one'],
    ['build_number=x', 'build_number cannot be "x"'],
    [`organization_id=${PIPELINE_ID}`, "does not match the policy's organization.id"],
  ])('refuses %s', (claim, message) => {
    expect(parsePartialJob(EXAMPLE, [claim])).toMatchObject({ problems: [expect.stringContaining(message)] });
  });

  it('agrees with decide, for every job that the stated claims leave possible', () => {
    const counts: Record<string, number> = {};
    fc.assert(
      fc.property(writtenPolicies, fc.infiniteStream(fc.nat()), (data, numbers) => {
        const result = parsePolicyData({ ...data, environments: UNGUARDED });
        if ('problems' in result) throw new Error(JSON.stringify(result.problems));
        const { policy } = result;
        const next = (below: number) => (numbers.next().value ?? 0) % below;
        for (let round = 0; round < 3; round += 1) {
          const job = randomJob(policy, next);
          const share = [2, 10, 50][round] ?? 2;
          const known = new Map([...job].filter(([claim]) => claim.startsWith('organization') || next(share) !== 0));
          for (const { credential, answer, granting } of whatJobsGet(policy, known)) {
            counts[answer] = (counts[answer] ?? 0) + 1;
            const isGranted = decide(policy, toClaims(policy, job), credential).outcome === 'granted';
            if (answer !== 'conditional') expect(answer).toBe(isGranted ? 'granted' : 'never');
            expect(granting.some(({ conditions }) => meets(job, conditions))).toBe(isGranted);
            if (answer !== 'conditional') continue;
            for (const { conditions } of granting)
              expect(outcomeOf(policy, known, credential, { conditions })).toBe('granted');
            const all = granting.map(({ conditions }) => conditions);
            expect(outcomeOf(policy, known, credential, { without: all })).toBe('refused');
          }
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
    expect(counts).toEqual({ granted: expect.any(Number), conditional: expect.any(Number), never: expect.any(Number) });
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(20);
  });
});

function outcomeOf(
  policy: Policy,
  known: PartialJob,
  credential: string,
  { conditions = [], without = [] }: { readonly conditions?: Demands; readonly without?: readonly Demands[] },
): string {
  const tools = { finder: new TextFinder(), work: new Work() };
  const example = jobOutside(meeting(toJobs(known), conditions), without, tools);
  if (!example) throw new Error('there is no such job');
  return decide(policy, toClaims(policy, new Map([...known, ...example])), credential).outcome;
}

function meets(job: ExampleJob, demands: Demands): boolean {
  return demands.every(([claim, { absent, patterns }]) => {
    const value = job.get(claim) ?? null;
    return value === null ? absent : patterns.some((pattern) => matchesPattern(pattern, value));
  });
}

/** A job that a rule may well match: its values are those of one rule, with something in place of wildcards, and some are others. */
function randomJob(policy: Policy, next: (below: number) => number): Map<string, string | null> {
  const match = policy.rules[next(Math.max(1, policy.rules.length))]?.match ?? {};
  const { slug, id } = policy.organization;
  const job = new Map<string, string | null>([['organization_slug', slug]]);
  if (id !== undefined) job.set('organization_id', id);
  for (const claim of ['build_branch', 'build_tag', 'step_key', 'build_source', 'agent_tag:os', 'agent_tag:host_id']) {
    const patterns = match[claim] ?? ['x'];
    const pattern = patterns[next(patterns.length)] ?? 'x';
    job.set(claim, next(5) === 0 ? 'web' : pattern.replaceAll(/\*+/g, ['x', '', 'a/b'][next(3)] ?? '') || 'x');
  }
  if (!match.build_tag || next(4) === 0) job.set('build_tag', null);
  if (next(4) === 0) job.set('step_key', null);
  for (const claim of ['pipeline_id', 'cluster_id', 'queue_id']) {
    const [value] = match[claim] ?? [];
    job.set(claim, value === undefined || value.includes('*') || next(8) === 0 ? PIPELINE_ID : value);
  }
  job.set('pipeline_slug', match.pipeline_slug?.[0]?.replaceAll('*', 'x') ?? 'web');
  return job;
}

function toClaims(policy: Policy, job: ExampleJob): JobClaims {
  const present = [...job].filter(([, value]) => value !== null);
  const { build_number = '1', ...claims } = Object.fromEntries(present);
  const result = parseClaims({
    pipeline_slug: 'web',
    build_branch: 'main',
    build_commit: 'HEAD',
    job_id: PIPELINE_ID,
    agent_id: PIPELINE_ID,
    organization_slug: policy.organization.slug,
    ...claims,
    build_number: Number(build_number),
  });
  if ('invalidClaim' in result) throw new Error(`${result.invalidClaim} is not valid`);
  return result.claims;
}
