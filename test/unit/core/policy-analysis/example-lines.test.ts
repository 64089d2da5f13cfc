// An example job as options of `explain`: read back, it is the job that the example describes.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parseJob } from '../../../../shared/core/policy/explain.ts';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { claimLine, claimsOf } from '../../../../shared/core/policy-analysis/example-lines.ts';
import {
  ALL_JOBS,
  type ExampleJob,
  exampleJob,
  grantedJobs,
  meeting,
} from '../../../../shared/core/policy-analysis/jobs.ts';
import { jobOutside } from '../../../../shared/core/policy-analysis/outside.ts';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { Work } from '../../../../shared/core/policy-analysis/work.ts';
import { writtenPolicies } from '../../../fixtures/written-policies.ts';

const EXAMPLE_FILE = new URL('../../../../examples/policy.yaml', import.meta.url);
const EXAMPLE = policyIn(parsePolicy(readFileSync(EXAMPLE_FILE, 'utf8'), 'policy.yaml'));
const SEED = 20270104;

function policyIn(result: { readonly policy: Policy } | object): Policy {
  if ('policy' in result) return result.policy;
  throw new Error(JSON.stringify(result));
}

function outcomeOf(policy: Policy, example: ExampleJob, credential: string): string {
  const job = parseJob(policy, claimsOf(policy, example));
  return 'claims' in job ? decide(policy, job.claims, credential).outcome : job.problems.join('\n');
}

describe('an example job on a command line', () => {
  const line = (claims: Record<string, string | null>) => claimLine(EXAMPLE, new Map(Object.entries(claims)));

  it('names pipelines, leaves out the organization and absent claims, and adds what explain insists on', () => {
    const { slug, id } = EXAMPLE.organization;
    expect(
      line({
        organization_slug: slug,
        organization_id: id ?? null,
        step_key: 'deploy',
        build_tag: null,
        pipeline_id: EXAMPLE.pipelines.web ?? '',
      }),
    ).toBe('--claim pipeline=web --claim build_branch=main --claim step_key=deploy');
  });

  it('leaves out an organization id that explain would fill in', () => {
    expect(line({ organization_id: null, build_branch: 'x' })).toBe('--claim build_branch=x --claim organization_id=');
  });

  it.each([
    ['plain/value-1.2_3', 'build_branch=plain/value-1.2_3'],
    ['two words', "'build_branch=two words'"],
    ["it's", `'build_branch=it'\\''s'`],
    ['$(id) `id` \\ "', `'build_branch=$(id) \`id\` \\ "'`],
    ['~root', "'build_branch=~root'"],
    ['ä😀', "'build_branch=ä😀'"],
    ["\u202e'\\\u00a0", "$'build_branch=\\xe2\\x80\\xae\\'\\\\\\xc2\\xa0'"],
  ])('is one word each to a shell: %j', (value, written) => {
    expect(line({ build_branch: value })).toBe(`--claim ${written}`);
  });

  it('is a job that decide grants the credential to, for every rule', () => {
    let granted = 0;
    const check = (policy: Policy) => {
      for (const credential of Object.keys(policy.credentials))
        for (const demands of grantedJobs(policy, credential)) {
          const example = exampleJob(meeting(ALL_JOBS, demands), { finder: new TextFinder(), work: new Work() });
          if (!example) continue;
          granted += 1;
          expect(outcomeOf(policy, example, credential)).toBe('granted');
        }
    };
    check(EXAMPLE);
    fc.assert(
      fc.property(writtenPolicies, (data) => check(policyIn(parsePolicyData({ ...data, environments: UNGUARDED })))),
      { seed: SEED, numRuns: 60 },
    );
    expect(granted).toBeGreaterThan(60);
  });

  it('is a job that one policy grants a credential to and another refuses', () => {
    let found = 0;
    const organization = { slug: 'acme-inc' };
    fc.assert(
      fc.property(writtenPolicies, writtenPolicies, (...data) => {
        const [one, other] = data.map((written) =>
          policyIn(parsePolicyData({ ...written, environments: UNGUARDED, organization })),
        ) as [Policy, Policy];
        const finder = new TextFinder();
        for (const demands of grantedJobs(one, 'credential-0')) {
          const example = jobOutside(meeting(ALL_JOBS, demands), grantedJobs(other, 'credential-0'), {
            finder,
            work: new Work(),
          });
          if (!example) continue;
          found += 1;
          expect(outcomeOf(one, example, 'credential-0')).toBe('granted');
          expect(outcomeOf(other, example, 'credential-0')).toBe('refused');
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
    expect(found).toBeGreaterThan(20);
  });
});

const UNGUARDED = { staging: {}, production: {}, constructor: {} };
