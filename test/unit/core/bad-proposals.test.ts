// Plausible changes of a policy that must not be merged: what runs on a pull request stops each of them.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../shared/core/policy/check-text.ts';
import { diffPolicies } from '../../../shared/core/policy-analysis/diff.ts';
import { runTests } from '../../../shared/core/policy-tests/run-tests.ts';
import { checkPolicy } from '../../../shared/core/policy-warnings/check.ts';
import { BAD_PROPOSALS, type Gate, GOOD_PROPOSALS, type Proposal } from '../../fixtures/bad-proposals.ts';
import { policyFrom } from '../../fixtures/policy-tests.ts';

const COMPANY = new URL('../../../examples/companies/several-teams/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, COMPANY), 'utf8');
const POLICY = read('policy.yaml');
const TESTS = readdirSync(COMPANY)
  .filter((name) => name.endsWith('.test.yaml'))
  .map((file) => ({ file, text: read(file) }));

function changed({ changes }: Pick<Proposal, 'changes'>): string {
  return changes.reduce((text, [before, after]) => {
    expect(text).toContain(before);
    return text.replace(before, () => after);
  }, POLICY);
}

/** Of a policy that is none, no test and no difference is shown. */
function gatesThatStop(text: string): Gate[] {
  const result = checkPolicyText(text);
  if ('problems' in result) return ['check'];
  const { warnings, problems } = checkPolicy(result);
  const stops: readonly (readonly [Gate, boolean])[] = [
    ['check', warnings.length + problems.length > 0],
    ['test', !runTests(result, TESTS).passed],
    ['diff', diffPolicies(policyFrom(POLICY).policy, result.policy).widens],
  ];
  return stops.flatMap(([gate, stopped]) => (stopped ? [gate] : []));
}

describe('a bad proposal', () => {
  it('is one of twenty or more', () => {
    expect(BAD_PROPOSALS.length).toBeGreaterThanOrEqual(20);
  });

  it.each(BAD_PROPOSALS)('is stopped: $title', (proposal) => {
    expect(gatesThatStop(changed(proposal))).toEqual(proposal.stoppedBy);
    expect(proposal.stoppedBy).not.toEqual([]);
  });
});

describe('a proposal that gives no job more', () => {
  it.each([{ title: 'none', changes: [] }, ...GOOD_PROPOSALS])('is not stopped: $title', (proposal) => {
    expect(gatesThatStop(changed(proposal))).toEqual([]);
  });
});
