// A judgement of known claims is what the policy decides, and where claims are not known, it holds whatever they are.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimFields, parseClaims } from '../../../../shared/core/policy/claims.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { createJudge } from '../../../../shared/core/policy-history/judge.ts';
import { claimsOfEvent } from '../../../../shared/core/policy-history/known-claims.ts';
import { credentialsNamed, ORGANIZATION_ID, PIPELINE_ID, policyData } from '../../../fixtures/policies.ts';

const CREDENTIALS = ['staging-config', 'staging-export'] as const;
const some = (...values: string[]) => fc.option(fc.subarray(values, { minLength: 1 }), { nil: undefined, freq: 2 });
const rule = fc.record({
  match: fc.record({
    pipeline_slug: fc.constantFrom(['app'], ['a*'], ['other', 'app']),
    build_branch: some('main', 'release/*', '**'),
    build_tag: some('v*', 'main'),
    queue_key: some('deploy', 'd*'),
    pipeline_id: some(PIPELINE_ID),
    'agent_tag:os': some('linux'),
  }),
  grants: fc.subarray([...CREDENTIALS], { minLength: 1 }),
});
const policies = fc.record({ rules: fc.array(rule, { maxLength: 4 }), id: fc.boolean() }).map(({ rules, id }) => {
  const result = parsePolicyData(
    policyData('acme-staging', credentialsNamed(CREDENTIALS, 'acme-staging'), {
      organization: { slug: 'acme-inc', ...(id && { id: ORGANIZATION_ID }) },
      rules: rules.map(({ match, grants }, index) => ({
        name: `rule ${index}`,
        match: Object.fromEntries(Object.entries(match).filter(([, patterns]) => patterns)),
        grants,
      })),
    }),
  );
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
});
const claim = (...values: string[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
const jobs = fc.record({
  pipeline_slug: fc.constantFrom('app', 'other', 'third'),
  build_branch: fc.constantFrom('main', 'release/1', 'x/y'),
  build_tag: claim('v1', 'main'),
  queue_key: claim('deploy', 'docs'),
  pipeline_id: claim(PIPELINE_ID, ORGANIZATION_ID),
  organization_id: claim(ORGANIZATION_ID, PIPELINE_ID),
  'agent_tag:os': claim('linux', 'macos'),
});
const credentials = fc.constantFrom(...CREDENTIALS, 'no-such');

function toClaims(job: object) {
  const present = Object.entries(job).filter(([, value]) => value !== undefined);
  const parsed = parseClaims({
    ...{ organization_slug: 'acme-inc', build_number: 1, build_commit: 'HEAD' },
    ...{ job_id: PIPELINE_ID, agent_id: PIPELINE_ID, ...Object.fromEntries(present) },
  });
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  return parsed.claims;
}

describe('a judgement', () => {
  it('of an event with all claims is the decision', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(policies, jobs, credentials, (policy, job, credential) => {
        const claims = toClaims(job);
        const decision = decide(policy, claims, credential);
        const judged = createJudge(policy)(credential, claimsOfEvent(claimFields(claims), false));
        seen.add(judged.outcome);
        expect(judged.outcome).toBe(decision.outcome);
        if (judged.outcome === 'granted' && decision.outcome === 'granted')
          expect(judged.rules).toEqual([decision.rule]);
      }),
      { seed: 20261130, numRuns: 3000 },
    );
    expect([...seen].sort()).toEqual(['granted', 'refused']);
  });

  it('of an event that lacks claims holds for every token that the event may be of', () => {
    const seen = new Set<string>();
    const lacking = fc.subarray(['build_tag', 'queue_key', 'pipeline_id', 'organization_id', 'agent_tag:os'] as const);
    fc.assert(
      fc.property(policies, jobs, credentials, lacking, jobs, (policy, job, credential, lacked, other) => {
        const claims = toClaims(job);
        const known = claimsOfEvent(claimFields(claims), false);
        const judged = createJudge(policy)(credential, {
          get: (name) => (lacked.some((one) => one === name) ? undefined : known.get(name)),
        });
        seen.add(judged.outcome);
        const possible = toClaims({ ...job, ...Object.fromEntries(lacked.map((name) => [name, other[name]])) });
        const decision = decide(policy, possible, credential);
        if (judged.outcome !== 'cannot tell') expect(judged.outcome).toBe(decision.outcome);
        if (judged.outcome !== 'refused' && decision.outcome === 'granted')
          expect(judged.rules).toContain(decision.rule);
      }),
      { seed: 20261130, numRuns: 3000 },
    );
    expect([...seen].sort()).toEqual(['cannot tell', 'granted', 'refused']);
  });
});
