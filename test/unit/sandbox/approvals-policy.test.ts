// The policies of the examples are valid, and `npm start -- --approvals` runs two of them as one.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { approvalsPolicyText, mergeExamples } from '../../../sandbox/approvals/policy.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { checkPolicyText } from '../../../shared/core/policy/check-text.ts';
import { policyFrom } from '../../fixtures/policy-tests.ts';

const EXAMPLES = join(ROOT, 'examples');
const read = (path: string) => readFileSync(join(EXAMPLES, path), 'utf8');
const POLICIES = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' }).filter((path) =>
  /(^|\/)(first-)?policy\.yaml$/.test(path),
);

it('there are several policies', () => {
  expect(POLICIES).toEqual(
    expect.arrayContaining(['policy.yaml', 'approvals/policy.yaml', 'break-glass/policy.yaml', 'first-policy.yaml']),
  );
});

it.each(POLICIES)('examples/%s is valid', (path) => {
  expect(checkPolicyText(read(path))).toHaveProperty('policy');
});

it('the merged policy has every rule of both, as it is in the examples', () => {
  const { policy } = policyFrom(approvalsPolicyText());
  const own = ['approvals', 'break-glass'].map((name) => policyFrom(read(`${name}/policy.yaml`)).policy);
  expect(policy.rules).toEqual(own.flatMap(({ rules }) => rules));
  for (const { credentials, teams, environments } of own) {
    expect(policy.credentials).toMatchObject(credentials);
    expect(policy.teams).toMatchObject(teams);
    expect(policy.environments).toMatchObject(environments);
  }
});

it.each([
  ['a text', { audience: 'https://other.example' }, 'audience'],
  ['the meaning of a name', { environments: { production: { maxTtl: '5m' } } }, 'environments.production'],
])('examples that differ in %s are not merged', (_, change, place) => {
  const example = parse(read('approvals/policy.yaml'));
  expect(() => mergeExamples([example, { ...parse(read('break-glass/policy.yaml')), ...change }])).toThrow(
    `differ in ${place}:`,
  );
});
