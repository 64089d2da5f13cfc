// The results of test files as data for programs.

import type { Policy } from '../policy/policy.ts';
import { isConditionClaim } from '../policy-analysis/condition-claims.ts';
import { exampleConditions } from '../policy-analysis/example-conditions.ts';
import type { ExampleJob } from '../policy-analysis/jobs.ts';
import type { Coverage, Covered } from './coverage.ts';
import type { FileResult } from './run-tests.ts';

export function reportData(
  passed: boolean,
  files: readonly FileResult[],
  { coverage, policy }: { readonly coverage: Coverage; readonly policy: Policy },
): object {
  return { passed, files: files.map((file) => fileData(file, policy)), coverage: coverageData(coverage) };
}

function fileData({ file, tests, cases, proofs }: FileResult, policy: Policy): object {
  return {
    file,
    cases: cases.map(({ testCase: { name, path, granted, refused }, wrong, gets }) => ({
      name,
      ...tests.placeOf(path),
      passed: wrong.length === 0,
      expected: { granted, refused },
      gets,
      wrong: wrong.map(([credential, decision]) => ({
        credential,
        outcome: decision.outcome,
        ...('rule' in decision ? { rule: decision.rule } : 'reason' in decision ? { reason: decision.reason } : {}),
        trace: decision.trace.filter(({ outcome }) => outcome !== 'other_credential'),
      })),
    })),
    statements: proofs.map(({ statement: { title, path }, verdict, findings, about, unopened }) => ({
      statement: title,
      ...tests.placeOf(path),
      verdict: verdict.replace(' ', '_'),
      credentials: about,
      unopened: unopened ? { [unopened.what]: unopened.name, did_you_mean: unopened.near ?? null } : null,
      findings: findings.map(({ verdict: found, rule, credentials, job, why }) => ({
        verdict: found.replace(' ', '_'),
        rule: rule ?? null,
        credentials,
        job: job ? claimsIn(job) : null,
        ...(job && conditionsIn(job, policy)),
        why: why ?? null,
      })),
    })),
  };
}

function claimsIn(job: ExampleJob): object {
  return Object.fromEntries([...job].filter(([claim]) => !isConditionClaim(claim)));
}

function conditionsIn(job: ExampleJob, policy: Policy): object {
  const conditions = exampleConditions(job, policy);
  return conditions.length > 0 ? { conditions } : {};
}

function coverageData({ rules, credentials }: Coverage): object {
  const data = ({ total, missing }: Covered) => ({ total, covered: total - missing.length, missing });
  return { rules: data(rules), credentials: data(credentials) };
}
