// Runs the cases and proves the statements of test files.

import type { Tools } from '../policy-analysis/jobs.ts';
import { TextFinder } from '../policy-analysis/texts.ts';
import { WorkTogether } from '../policy-analysis/work.ts';
import { type CaseResult, runCase } from './cases.ts';
import { type Coverage, coverageOf } from './coverage.ts';
import { type PolicyTests, parseTests } from './parse-tests.ts';
import { type Proof, prove } from './prove.ts';
import type { PolicyAndFile } from './statements.ts';

export interface FileResult {
  readonly file: string;
  readonly tests: PolicyTests;
  readonly cases: readonly CaseResult[];
  readonly proofs: readonly Proof[];
}

interface TestRun {
  readonly files: readonly FileResult[];
  readonly coverage: Coverage;
  readonly passed: boolean;
}

type Problems = Extract<ReturnType<typeof parseTests>, { problems: unknown }>['problems'];

/** @returns also the problems of files that are no tests of the policy; their tests are not run */
export function runTests(
  policy: PolicyAndFile,
  texts: readonly { readonly file: string; readonly text: string }[],
  // All searches have a bound together.
  work = new WorkTogether(),
): TestRun & { readonly broken: readonly { file: string; text: string; problems: Problems }[] } {
  const finder = new TextFinder();
  const newTools = (): Tools => ({ finder, work: work.next() });
  const files: FileResult[] = [];
  const broken: { file: string; text: string; problems: Problems }[] = [];
  for (const { file, text } of texts) {
    const tests = parseTests(text, policy, newTools);
    if ('problems' in tests) {
      broken.push({ file, text, problems: tests.problems });
      continue;
    }
    const cases = tests.cases.map((testCase) => runCase(policy.policy, testCase));
    files.push({ file, tests, cases, proofs: tests.statements.map((one) => prove(policy.policy, one, newTools)) });
  }
  const cases = files.flatMap((one) => one.cases);
  const proofs = files.flatMap((one) => one.proofs);
  const passed =
    broken.length === 0 &&
    cases.every(({ wrong }) => wrong.length === 0) &&
    proofs.every(({ verdict }) => verdict === 'proven');
  return { files, broken, coverage: coverageOf(policy.policy, cases), passed };
}
