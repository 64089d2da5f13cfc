// A corpus of changes of policies, with verdicts that were written by hand from docs/POLICY.md. Examples of jobs are checked
// by the decision itself.

import { describe, expect, it } from 'vitest';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import type { Example } from '../../../../shared/core/policy-analysis/change.ts';
import { diffPolicies } from '../../../../shared/core/policy-analysis/diff.ts';
import { claimsOfExample } from '../../../fixtures/example-claims.ts';
import { isExampleGranted } from '../../../fixtures/example-facts.ts';
import { POLICY_CHANGES } from '../../../fixtures/policy-changes/corpus.ts';

describe('a change of a policy', () => {
  it.each(POLICY_CHANGES.map((change) => [change.title, change] as const))('has its verdict: %s', (_, change) => {
    const [before, after] = [policyOf(change.before), policyOf(change.after)];
    const { changes, credentials, widens } = diffPolicies(before, after);
    const differing = credentials.filter(({ verdict }) => verdict !== 'unchanged');
    const everywhere = changes.filter(({ direction }) => direction !== 'neither');
    expect({
      verdicts: Object.fromEntries(differing.map(({ credential, verdict }) => [credential, verdict])),
      everywhere: Object.fromEntries(everywhere.map(({ what, direction }) => [what, direction])),
      widens,
    }).toEqual({
      verdicts: Object.fromEntries(Object.entries(change.verdicts).filter(([, verdict]) => verdict !== 'unchanged')),
      everywhere: change.everywhere,
      widens: change.widens,
    });
    for (const { credential, changes: own } of credentials)
      for (const { what, direction, gained, lost } of own) {
        const isJobs = what === 'jobs';
        if (isJobs && (direction === 'wider' || direction === 'both')) expect(gained).toBeDefined();
        if (isJobs && (direction === 'narrower' || direction === 'both')) expect(lost).toBeDefined();
        expectGrantedOnlyBy(after, before, credential, gained);
        expectGrantedOnlyBy(before, after, credential, lost);
      }
    for (const { credential, verdict, example } of credentials)
      if (example)
        expectGrantedOnlyBy(
          ...(verdict === 'new' ? ([after, before] as const) : ([before, after] as const)),
          credential,
          { job: example },
        );
  });

  it('has a title of its own, and there are more than 220', () => {
    const titles = POLICY_CHANGES.map(({ title }) => title);
    expect(titles.length).toBeGreaterThan(220);
    expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
  });
});

function expectGrantedOnlyBy(granting: Policy, refusing: Policy, credential: string, example?: Example) {
  if (!example || !('job' in example)) return;
  const claims = claimsOfExample(example.job);
  const granted = (policy: Policy) =>
    claims.organization_slug === policy.organization.slug && isExampleGranted(policy, example.job, claims, credential);
  expect([granted(granting), granted(refusing)]).toEqual([true, false]);
}

function policyOf(data: unknown): Policy {
  const result = parsePolicyData(data);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}
