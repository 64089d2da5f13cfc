// `keydesk policy unused`: what of a policy nothing used.

import { Command } from '@commander-js/extra-typings';
import { judgeParts, unusedJson, unusedLines } from '../../../shared/core/policy-history/unused.ts';
import { logOption } from '../../log-files.ts';
import { readAccess, readUsage, requireFiles, sinceOption, touchesOption, untilOption } from '../../log-usage.ts';
import { examples, policyOption, required } from '../../options.ts';
import { readDeployablePolicy } from '../../policy-file.ts';
import { EXIT, print, printJson } from '../../terminal.ts';

export const unusedCommand = new Command('unused')
  .summary('show what of a policy nothing used since a date')
  .description(
    'Show the rules, grants, patterns, credentials and pipelines of a policy that no request in a log used, and when the others were used last. With --touches also the paths and verbs. A log that begins too late or ends too early, has a gap or no request, could not be read in part, or is of another version of the policy proves nothing. The exit code is 1 if something is unused, and 3 if the log does not say.',
  )
  .addOption(policyOption())
  .addOption(logOption())
  .addOption(sinceOption())
  .addOption(untilOption())
  .addOption(touchesOption())
  .option('--json', 'the uses as JSON')
  .addHelpText(
    'after',
    examples(
      'policy unused --since 30d --log november.json',
      'policy unused --since 2026-11-01 --log audit.json.gz --json',
    ),
  )
  .action(async ({ policy: file, log: logs, since: start, until, touches = [], json }) => {
    const log = required(logs, '--log FILE');
    const since = required(start, '--since DATE');
    if (touches.length > 0) requireFiles(log, 'with --touches the log is read twice.');
    const read = readDeployablePolicy(file);
    const { usage, coverage } = await readUsage(read, log, since, until);
    const period = { since, until: coverage.last_at ?? since };
    const access = touches.length > 0 ? (await readAccess(read, { log, touches }, period, 1)).access : [];
    const parts = judgeParts(usage.parts(), access);
    const report = { since, coverage, allowed: usage.allowed, parts, access, pipelines: read.policy.pipelines };
    const found = parts.filter(({ status }) => status !== 'used');
    if (found.length > 0) {
      const proven = coverage.gaps.length === 0 && found.some(({ status }) => status === 'unused');
      process.exitCode = proven ? EXIT.failure : EXIT.differs;
    }
    if (json) printJson({ policy_sha256: read.sha256, ...unusedJson(report) });
    else for (const line of unusedLines(report)) print(line);
  });
