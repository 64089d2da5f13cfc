// `npm start -- --approvals` runs the policies of two examples as one.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { approvalsPolicyText, mergeExamples } from '../../../sandbox/approvals/policy.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { policyFrom } from '../../fixtures/policy-tests.ts';

const read = (path: string) => readFileSync(join(ROOT, 'examples', path), 'utf8');

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
