// `keydesk policy suggest`: a tighter policy, from what happened. It writes no file.

import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { suggestChanges } from '../../../shared/core/policy-history/suggest.ts';
import { diffOf, suggestJson, suggestLines } from '../../../shared/core/policy-history/suggest-text.ts';
import { NewlyRefused, tighten } from '../../../shared/core/policy-history/tightened.ts';
import { logOption } from '../../log-files.ts';
import {
  readAccess,
  readRequests,
  readUsage,
  requireFiles,
  sinceOption,
  touchesOption,
  untilOption,
} from '../../log-usage.ts';
import { examples, policyOption, required } from '../../options.ts';
import { readDeployablePolicy } from '../../policy-file.ts';
import { EXIT, fail, print, printJson } from '../../terminal.ts';

const MAX_NAMES = 5;

export const suggestCommand = new Command('suggest')
  .summary('suggest a tighter policy, from what happened')
  .description(
    'Suggest what a policy can do without: rules, grants and patterns that no request in a log used and, with --touches, paths and verbs that no grant touched. Prints each suggestion with its evidence, and the difference to the policy file, for `git apply -p0`. Suggests nothing without evidence for all of the period, and nothing that opens more. Writes no file. The exit code is 3 if there is a suggestion, or if the logs do not prove anything.',
  )
  .addOption(policyOption())
  .addOption(logOption())
  .addOption(sinceOption())
  .addOption(untilOption())
  .addOption(touchesOption())
  .option(
    '--max-names <count>',
    'names at one place of a path, above which they become a wildcard',
    toMaxNames,
    MAX_NAMES,
  )
  .option('--json', 'the suggestions as JSON')
  .addHelpText(
    'after',
    examples(
      'policy suggest --since 30d --log november.json --touches data-access.json',
      'policy suggest --since 30d --log november.json > suggestion.diff',
    ),
  )
  .action(async ({ policy: file, log: logs, since: start, until, touches = [], maxNames, json }) => {
    const log = required(logs, '--log FILE');
    const since = required(start, '--since DATE');
    requireFiles(log, 'the log is read several times.');
    const read = readDeployablePolicy(file);
    const { usage, coverage } = await readUsage(read, log, since, until);
    const period = { since, until: coverage.last_at ?? since };
    const { access, unknownGrants } =
      touches.length > 0
        ? await readAccess(read, { log, touches }, period, maxNames)
        : { access: [], unknownGrants: 0 };
    const history = { period, coverage, allowed: usage.allowed, parts: usage.parts(), access };
    const found = suggestChanges(read, history);
    const tightened = tighten(read, found.suggestions);
    const refused = new NewlyRefused(read.policy, tightened.policy);
    await readRequests(log, (request) => {
      if (request.at === undefined || request.at >= since) refused.add(request);
    });
    if (refused.count > 0)
      fail(
        EXIT.failure,
        `${refused.count} requests in the log would be refused by the suggestion. Report this as a bug of Keydesk.`,
      );
    const report = { file, read, history, found, tightened, unknownGrants };
    if (tightened.applied.length > 0 || coverage.gaps.length > 0) process.exitCode = EXIT.differs;
    if (json) printJson(suggestJson(report));
    else {
      for (const line of suggestLines(report)) print(line);
      const diff = diffOf(report);
      if (diff !== '') process.stdout.write(`\n${diff}`);
    }
  });

function toMaxNames(text: string): number {
  if (!/^[1-9][0-9]?$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 to 99.');
  return Number(text);
}
