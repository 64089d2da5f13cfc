// What `keydesk policy check` finds in a policy that is valid: warnings, those that the file accepts, and accepting what is not there.

import type { ReadPolicy } from '../policy/parse-yaml.ts';
import type { Policy, WrittenPolicy } from '../policy/policy.ts';
import { databasesOf } from '../security-rules/generate.ts';
import { rulesWarnings } from '../security-rules/limits.ts';
import { type CheckedPolicy, sortAccepted } from './accepted.ts';
import type { PolicyWarning } from './codes.ts';
import { conditionWarnings } from './conditions.ts';
import { credentialWarnings, databaseWarnings, organizationWarnings, signerWarnings } from './credentials.ts';
import { criticalWarnings } from './critical-environments.ts';
import { duplicateWarnings } from './duplicates.ts';
import { environmentWarnings } from './environments.ts';
import { matchingWarnings } from './matching-jobs.ts';
import { neverMatching } from './never-matching.ts';
import { otherEnvironmentWarnings } from './other-environment.ts';
import { placeholderWarnings } from './placeholders.ts';
import { ruleWarnings } from './rule.ts';
import { scopeProblems, scopeWarnings } from './scopes.ts';
import { audienceWarnings, commentWarnings } from './stray-characters.ts';
import { unusedWarnings } from './unused.ts';

export function checkPolicy(read: ReadPolicy): CheckedPolicy {
  const { policy, written } = read;
  const warnings = [
    ...organizationWarnings(written),
    ...audienceWarnings(written),
    ...commentWarnings(read),
    ...placeholderWarnings(written),
    ...environmentWarnings(written),
    ...databaseWarnings(written),
    ...signerWarnings(written),
    ...scopeWarnings(written),
    ...credentialWarnings(written),
    ...otherEnvironmentWarnings(written),
    ...unusedWarnings(written),
    ...duplicateWarnings(written),
    ...matchingWarnings(policy),
    ...ruleWarnings(written),
    ...criticalWarnings(written),
    ...conditionWarnings(written),
    ...largeRules(policy, written),
  ];
  const { problems, ...sorted } = sortAccepted(written, warnings);
  return { ...sorted, problems: [...neverMatching(written), ...scopeProblems(written), ...problems] };
}

function largeRules(policy: Policy, { databases }: WrittenPolicy): PolicyWarning[] {
  return databasesOf(policy).flatMap((name) => {
    const [key = ''] =
      Object.entries(databases).find(
        ([, { project, database }]) => project === name.project && database === name.database,
      ) ?? [];
    return rulesWarnings(policy, name).map((problem) => ({
      code: 'large_rules' as const,
      path: ['databases', key],
      message: `gets a rules file that ${problem}. Let pipelines share credentials, or open fewer paths.`,
    }));
  });
}
