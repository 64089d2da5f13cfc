// Rules that can be removed: without those that are shadowed a policy grants the same, and without another one it grants less.

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parsePolicyText } from '../../../../shared/core/policy/parse-yaml.ts';
import type { Policy } from '../../../../shared/core/policy/policy.ts';
import { diffPolicies } from '../../../../shared/core/policy-analysis/diff.ts';
import { checkPolicy } from '../../../../shared/core/policy-warnings/check.ts';
import { type Data, PIPELINE_ID, policyData, policyText } from '../../../fixtures/policies.ts';

const OTHER_ID = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';
const CREDENTIALS = ['one', 'two'];

const branch = fc.constantFrom('main', 'm*', '*', '**', 'release/*', 'release/1', 'a*', '*a', 'a');
const match = fc.record(
  {
    pipeline_id: fc.constantFrom([PIPELINE_ID], [OTHER_ID], [PIPELINE_ID, OTHER_ID]),
    build_branch: fc.uniqueArray(branch, { minLength: 1, maxLength: 3 }),
    build_tag: fc.constantFrom('v*', '**'),
    step_key: fc.constantFrom('deploy', 'd*'),
    queue_id: fc.constantFrom(PIPELINE_ID, 'ab-*'),
  },
  { requiredKeys: ['pipeline_id'] },
);
const rules = fc
  .array(fc.tuple(match, fc.subarray(CREDENTIALS, { minLength: 1 })), { minLength: 2, maxLength: 6 })
  .map((all) => all.map(([claims, grants], index) => ({ name: `rule ${index}`, match: claims, grants })));

function read(written: readonly Data[]) {
  const export_ = {
    ...{ environment: 'staging', ttl: '10m' },
    serviceAccount: { email: 'export@acme-staging.iam.gserviceaccount.com', scopes: ['openid'] },
  };
  const credentials = Object.fromEntries(CREDENTIALS.map((name) => [name, export_]));
  const result = parsePolicyText(policyText(policyData('acme-data', credentials, { rules: written })));
  if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result;
}

const isSame = (before: Policy, after: Policy) =>
  diffPolicies(before, after).credentials.every(({ verdict }) => verdict === 'unchanged');

it('without the shadowed rules a policy grants the same, and without another rule less', () => {
  const counts = { shadowed: 0, never: 0, needed: 0 };
  fc.assert(
    fc.property(rules, (written) => {
      const policy = read(written);
      const { warnings } = checkPolicy(policy);
      const ofCode = (wanted: string) =>
        new Set(warnings.flatMap(({ code, path }) => (code === wanted ? [Number(path[1])] : [])));
      const [shadowed, never, doubled] = [
        ofCode('rule_shadowed'),
        ofCode('rule_never_matches'),
        ofCode('duplicate_rule'),
      ];
      const without = (removed: (index: number) => boolean) =>
        read(written.filter((_, index) => !removed(index))).policy;
      counts.shadowed += shadowed.size;
      counts.never += never.size;
      expect(
        isSame(
          policy.policy,
          without((index) => shadowed.has(index) || never.has(index)),
        ),
      ).toBe(true);
      if (doubled.size > 0) return;
      const rest = without((index) => shadowed.has(index) || never.has(index));
      for (const index of written.keys()) {
        if (shadowed.has(index) || never.has(index)) continue;
        counts.needed += 1;
        const less = without((other) => shadowed.has(other) || never.has(other) || other === index);
        expect(isSame(rest, less)).toBe(false);
      }
    }),
    { seed: 20270107, numRuns: 100 },
  );
  expect(counts.shadowed).toBeGreaterThan(10);
  expect(counts.never).toBeGreaterThan(5);
  expect(counts.needed).toBeGreaterThan(50);
});
