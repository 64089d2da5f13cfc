// `keydesk policy test`: runs the cases of test files, and proves their statements.

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from '@commander-js/extra-typings';
import { isComplete } from '../../../shared/core/policy-tests/coverage.ts';
import { reportCoverage, reportFile } from '../../../shared/core/policy-tests/report.ts';
import { reportData } from '../../../shared/core/policy-tests/report-json.ts';
import { runTests } from '../../../shared/core/policy-tests/run-tests.ts';
import { TEST_FILE } from '../../command-mistakes.ts';
import { examples, policyOption } from '../../options.ts';
import { printProblems, readDeployablePolicy, readText } from '../../policy-file.ts';
import { EXIT, fail, print, printJson } from '../../terminal.ts';

export const testCommand = new Command('test')
  .summary('run the tests of a policy')
  .description(
    'Run the tests of a policy. A case says what one job gets. A statement is about all jobs: it is proven for every job token that Keydesk accepts, or refuted with an example. The exit code is 1 if a case fails, or a statement is not proven.',
  )
  .argument('[file...]', 'test files (default: every *.test.yaml in the folder of the policy)')
  .addOption(policyOption())
  .option('--coverage', 'fail if a rule or a credential is in no case')
  .option('--json', 'the results as JSON')
  .addHelpText(
    'after',
    examples(
      'policy test --policy examples/policy.yaml',
      'policy test examples/policy.test.yaml --policy examples/policy.yaml --coverage',
    ),
  )
  .action((named, options) => {
    const policy = readDeployablePolicy(options.policy);
    const files = named.length > 0 ? named.map(toTestFile) : testFilesOf(options.policy);
    const {
      files: results,
      broken,
      coverage,
      passed,
    } = runTests(
      policy,
      files.map((file) => ({ file, text: readText(file) })),
    );
    const success = passed && (!options.coverage || isComplete(coverage));
    if (!success) process.exitCode = EXIT.failure;
    if (broken.length > 0) {
      printProblems(broken);
      return;
    }
    if (options.json) {
      printJson(reportData(success, results, { coverage, policy: policy.policy }));
      return;
    }
    for (const result of results) for (const line of reportFile(policy.policy, result)) print(line);
    if (!passed) print('');
    for (const line of reportCoverage(coverage)) print(line);
  });

function toTestFile(file: string): string {
  if (TEST_FILE.test(file) || !/\.ya?ml$/i.test(file)) return file;
  return fail(
    EXIT.usage,
    `${file} is not the name of a test file, which ends in .test.yaml. If it is the policy, write --policy ${file}.`,
  );
}

function testFilesOf(policy: string): string[] {
  const folder = dirname(policy);
  const files = readdirSync(folder)
    .filter((name) => TEST_FILE.test(name))
    .sort()
    .map((name) => (folder === '.' ? name : join(folder, name)));
  return files.length > 0
    ? files
    : fail(EXIT.failure, `${policy} has no tests: no *.test.yaml is in its folder. Write one, or name a file.`);
}
