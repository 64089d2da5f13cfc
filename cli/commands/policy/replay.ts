// `keydesk policy replay`: what a policy would have decided of the requests in a log.

import { Command } from '@commander-js/extra-typings';
import { toJobRequest } from '../../../shared/core/policy-history/job-request.ts';
import { Replay } from '../../../shared/core/policy-history/replay.ts';
import { replayJson, replayLines } from '../../../shared/core/policy-history/replay-text.ts';
import { compareSettings, unjudgedLines } from '../../../shared/core/policy-history/unjudged-settings.ts';
import { formatPeriod, plural } from '../../../shared/core/policy-history/words.ts';
import { logOption, newLogRead, readLogs, requireEntries, requireFound, warnOfMalformed } from '../../log-files.ts';
import { examples, explainWith, policyOption, required } from '../../options.ts';
import { readDeployablePolicy } from '../../policy-file.ts';
import { readPolicyVersion } from '../../policy-version.ts';
import { EXIT, fail, print, printJson } from '../../terminal.ts';

export const replayCommand = new Command('replay')
  .summary('show what a policy would have decided of the requests in a log')
  .description(
    'Judge the requests in a log by a policy, and show which of them it decides otherwise: for each credential and pipeline how many, since when, and an example. A log is lines of Keydesk, or an export of Cloud Logging. Compares what rules decide; `policy diff` compares what credentials open. The exit code is 3 if anything is decided otherwise, if the events do not say, if an entry cannot be read, if --before shows that what is not judged differs or is not known, or if the log has no request that a policy decided.',
  )
  .addOption(policyOption())
  .addOption(logOption())
  .option(
    '--before <version>',
    'the policy that decided: a file, a git revision, or REVISION:PATH, to compare what is not judged',
  )
  .option('--json', 'the changes as JSON')
  .addHelpText(
    'after',
    examples(
      'policy replay --log november.json',
      `policy replay --policy new-policy.yaml --log audit-01.json.gz --log audit-02.json.gz
  $ gcloud logging read 'labels.event=~"^grant[.](issued|refused)$"' --freshness=30d --format=json |
      keydesk policy replay --log -`,
    ),
  )
  .action(async (options) => {
    const log = required(options.log, '--log FILE');
    const { policy, sha256 } = readDeployablePolicy(options.policy);
    const read = newLogRead();
    const before = options.before === undefined ? undefined : readPolicyVersion(options.before, options.policy);
    if (before && !before.policy)
      fail(EXIT.failure, `${before.name} does not exist. Name a version that has the policy.`);
    const replay = new Replay(policy, sha256);
    const decidedBy = new Set<string | undefined>();
    const undecided = new Map<string, number>();
    await readLogs(log, read, (entry) => {
      const request = toJobRequest(entry);
      if (request === undefined || request === 'malformed') return request;
      if ('undecided' in request) undecided.set(request.undecided, (undecided.get(request.undecided) ?? 0) + 1);
      else {
        replay.add(request);
        decidedBy.add(request.policy_sha256);
      }
      return undefined;
    });
    requireEntries(read, log);
    const result = replay.result();
    requireFound(result.requests.count + undecided.size, { read, files: log, what: 'a request of a job to Keydesk' });
    const settings = compareSettings(before, { policy, sha256 }, decidedBy);
    if (before && settings.settings !== 'same') process.exitCode = EXIT.differs;
    // Nothing was judged, so nothing is proven.
    if (result.changes.length > 0 || result.requests.count === 0 || read.malformed > 0) process.exitCode = EXIT.differs;
    if (options.json) {
      const not_judged = Object.fromEntries([...undecided].sort());
      printJson({
        policy_sha256: sha256,
        ...replayJson(policy, result),
        not_judged,
        ...settings,
        entries: toEntriesJson(read),
      });
      return;
    }
    warnOfMalformed(read);
    const { requests } = result;
    const period = requests.count > 0 ? `, ${formatPeriod(requests)} UTC` : '';
    print(
      `${options.policy}, judged on ${plural(requests.count, 'request')} (${plural(read.entries, 'log entry', 'log entries')})${period}`,
    );
    for (const line of replayLines(policy, result, explainWith(options.policy))) print(line);
    for (const line of unjudgedLines(settings, before !== undefined)) print(line);
    const reasons = [...undecided].sort().map(([reason, count]) => `${reason} ${count}`);
    if (reasons.length > 0)
      print(`Not judged, because the policy did not decide them or the event has no claims: ${reasons.join(', ')}`);
  });

function toEntriesJson({ entries, malformed, firstMalformed }: ReturnType<typeof newLogRead>) {
  return { read: entries, malformed, first_malformed: firstMalformed ?? null };
}
