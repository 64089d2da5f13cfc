// What holds for the warnings about every policy: each of them is at a place of the file, and can be accepted there.

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parsePolicyText } from '../../../../shared/core/policy/parse-yaml.ts';
import { checkPolicy } from '../../../../shared/core/policy-warnings/check.ts';
import { type Data, policyText } from '../../../fixtures/policies.ts';
import { schemaProblems } from '../../../fixtures/policy-schema.ts';
import { writtenPolicies } from '../../../fixtures/written-policies.ts';

const REASON = 'this is only a test';

function check(data: Data) {
  const result = parsePolicyText(policyText(data));
  return 'problems' in result ? undefined : { ...result, ...checkPolicy(result) };
}

it('every warning of every policy can be accepted at its place, and changes nothing else', () => {
  let count = 0;
  fc.assert(
    fc.property(writtenPolicies, (data) => {
      const first = check(data);
      if (!first) return;
      const accepting = structuredClone(data);
      for (const warning of first.warnings) {
        count += 1;
        expect(first.locate(warning)).toMatchObject({ line: 1, column: expect.any(Number) });
        const [section = '', name = ''] = warning.path;
        const place = section === 'rules' || section === 'credentials' ? accepting[section][name] : accepting;
        place.accept = { ...place.accept, [warning.code]: REASON };
      }
      const second = check(accepting);
      expect(schemaProblems(accepting)).toEqual([]);
      expect(second?.problems).toEqual([]);
      expect(second?.warnings).toEqual([]);
      expect(second?.accepted).toEqual(first.warnings.map((warning) => ({ ...warning, reason: REASON })));
      expect(withoutAccept(second?.policy)).toEqual(withoutAccept(first.policy));
    }),
    { seed: 20261130, numRuns: 100 },
  );
  expect(count).toBeGreaterThan(500);
});

function withoutAccept(policy: unknown): unknown {
  return JSON.parse(JSON.stringify(policy, (key, value) => (key === 'accept' ? undefined : value)));
}
