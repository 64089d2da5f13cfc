// `keydesk policy diff`: what a change of the policy does.

import { Command, Option } from '@commander-js/extra-typings';
import { toDiffData } from '../../../shared/core/policy-analysis/diff-json.ts';
import { toMarkdown } from '../../../shared/core/policy-analysis/diff-markdown.ts';
import { toText } from '../../../shared/core/policy-analysis/diff-text.ts';
import { reviewChange } from '../../../shared/core/policy-analysis/review.ts';
import { lostTests } from '../../../shared/core/policy-tests/lost-tests.ts';
import { examples, policyOption } from '../../options.ts';
import { NAME_POLICY, readPolicy } from '../../policy-file.ts';
import { readPolicyVersion, testsNextTo } from '../../policy-version.ts';
import { EXIT, fail, print, printJson } from '../../terminal.ts';

export const diffCommand = new Command('diff')
  .summary('show what a change of the policy allows and forbids')
  .description(
    'Compare two versions of a policy. Shows for each credential whether jobs get more or less by the new one, with an example job. OLD and NEW are files, git revisions of the policy file, or REVISION:PATH. With a revision as OLD, also shows which tests next to the policy are removed or changed. The exit code is 3 if anything is wider, or may be, or if a test is removed or changed.',
  )
  .argument('<old>', 'the version to compare with, such as main')
  .argument('[new]', 'the new version; without it, the policy file')
  .addOption(policyOption())
  .option('--markdown', 'a comment for a pull request')
  .addOption(new Option('--json', 'the differences as JSON').conflicts('markdown'))
  .addHelpText(
    'after',
    examples(
      'policy diff main',
      'policy diff old.yaml new.yaml',
      'policy diff v1.2.0 HEAD --policy deploy/policy.yaml --markdown',
      'policy diff main:policy.yaml deploy/policy.yaml --json',
    ),
  )
  .action((old, new_, options) => {
    const before = readPolicyVersion(old, options.policy);
    const after =
      new_ === undefined
        ? { ...readPolicy(options.policy, NAME_POLICY), name: options.policy }
        : readPolicyVersion(new_, options.policy);
    if (!after.policy) fail(EXIT.failure, `${after.name} does not exist. Name a version that has the policy.`);
    const tests = 'tests' in after && after.tests ? after.tests : testsNextTo(new_ ?? options.policy);
    const review = reviewChange(before, after, before.tests ? lostTests(before.tests, tests) : []);
    if (options.json) printJson(toDiffData(review));
    else if (options.markdown) process.stdout.write(toMarkdown(review));
    else for (const line of toText(review)) print(line);
    if (review.diff.widens || review.lostTests.length > 0) process.exitCode = EXIT.differs;
  });
