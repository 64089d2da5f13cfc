// A credential for emergencies is granted by rules for emergencies alone.

import { expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { credentialsNamed, PIPELINE_ID, policyData } from '../../../fixtures/policies.ts';

const match = { pipeline: 'app' };
const emergency = (name: string, grants: readonly string[]) => ({
  ...{ name, match, grants },
  approval: { step: 'approve', by: 'managers', within: '1h', not: 'creator', use: 'break-glass' },
});
const ordinary = (name: string, grants: readonly string[]) => {
  const { approval, ...rule } = emergency(name, grants);
  return { ...rule, approval: { ...approval, use: undefined } };
};

const problemsOf = (...rules: readonly object[]) => {
  const parsed = parsePolicyData(
    policyData('acme-project', credentialsNamed(['staging-config', 'staging-export'], 'acme-project'), {
      pipelines: { app: PIPELINE_ID },
      teams: { managers: '0184990a-4782-42b5-afc1-16715b10c001' },
      rules,
    }),
  );
  return 'problems' in parsed ? parsed.problems.map(({ path, message }) => [path.join('.'), message]) : [];
};

it('one credential may have several of them, and each credential of one is reported that another rule grants', () => {
  expect(
    problemsOf(
      emergency('night', ['staging-config']),
      emergency('day', ['staging-config']),
      ordinary('deploy', ['staging-export']),
    ),
  ).toEqual([]);
  const words = (credential: string, rule: string) =>
    `"${credential}" is granted for emergencies by the rule "${rule}", which has use: break-glass. Give one of the two rules a credential of its own`;
  expect(
    problemsOf(
      ordinary('before', ['staging-export', 'staging-config']),
      emergency('night', ['staging-config']),
      emergency('day', ['staging-config', 'staging-export']),
      { name: 'without', match, grants: ['staging-config'] },
    ),
  ).toEqual([
    ['rules.0.grants.0', words('staging-export', 'day')],
    ['rules.0.grants.1', words('staging-config', 'night')],
    ['rules.3.grants.0', words('staging-config', 'night')],
  ]);
});
