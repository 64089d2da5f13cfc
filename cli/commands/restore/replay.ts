// `keydesk restore replay`: what was issued, ended and blocked after the snapshot, from the audit log, goes back on record; and all ends.

import { Command } from '@commander-js/extra-typings';
import { ADMIN_ROUTES } from '../../../shared/core/operator-api/admin.ts';
import type { LostGrant } from '../../../shared/core/operator-api/lost-grant.ts';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import { logOption } from '../../log-files.ts';
import { adminOption, impersonateOption, openOperatorApi, readerOption, reportFailures } from '../../operator-api.ts';
import { examples } from '../../options.ts';
import { requireHold } from '../../restore/hold-block.ts';
import { flagsOf, restoreOf, withRestoreOptions } from '../../restore/options.ts';
import { type LostLog, readLostLog } from '../../restore/read-log.ts';
import { type Replayed, replay } from '../../restore/replay.ts';
import { type Item, item, report } from '../../restore/step.ts';
import { EXIT, note, print, printJson } from '../../terminal.ts';
import { EXAMPLE } from './texts.ts';

export const replayCommand = withRestoreOptions(new Command('replay'))
  .summary('step 5: what the ledger has lost is recorded and ended')
  .description(
    `Read the audit log since the snapshot, from Cloud Logging or from files. Record each grant that the ledger has lost, end every live grant, and activate the blocks of that time again. Tokens that nothing can end are listed, each with its latest expiry. It is safe to repeat: do so when late lines have arrived.

A grant without a line in the log is not found. "restore open" therefore waits until no token of that time can live.

Exit code 1: something is not finished, or a line could not be read.`,
  )
  .addOption(logOption())
  .option('--view <name>', 'a log view, by its whole name, in place of the logs of the project')
  .option('--dry-run', 'only list what the log has')
  .addOption(readerOption())
  .addOption(adminOption())
  .addOption(impersonateOption())
  .addHelpText('after', examples(`restore replay ${EXAMPLE}`, `restore replay ${EXAMPLE} --log lost.json --dry-run`))
  .action(({ json, reader, admin, impersonate, log, view, dryRun, ...options }) =>
    reportFailures(async () => {
      const restore = restoreOf(options);
      const found = await readLostLog(restore, { log, view });
      if (dryRun) return list(found, json);
      const read = await openOperatorApi('reader', READER_ROUTES, { url: reader, impersonate });
      const { id: holdId, reason } = await requireHold(read, restore);
      const call = await openOperatorApi('admin', ADMIN_ROUTES, { url: admin, impersonate });
      const replayed = await replay({ read, call }, { lines: found.lines, holdId, reason });
      if (!json) for (const line of acceptedLines(replayed)) print(line);
      report(
        {
          step: 'replay',
          items: itemsOf(replayed, found.malformed),
          proves: `every grant with a line in the log since ${restore.snapshot.iso} is on record, and ended as far as it can be.`,
          not_proven: [
            'that the log has a line of each grant, and that it has arrived. Cloud Logging promises neither.',
            ...(replayed.still_accepted.length > 0 ? ['that the tokens above are rejected before they expire.'] : []),
          ],
          next: `keydesk restore open ${flagsOf(restore)}`,
          result: replayed,
        },
        json,
      );
    }),
  );

function list({ lines, malformed }: LostLog, json: true | undefined): void {
  const { grants, blocks } = lines;
  if (json) printJson({ grants, blocks, malformed });
  else {
    for (const grant of grants) print(lostLine(grant));
    for (const { kill_switch_id, actor, reason } of blocks) print(`block ${kill_switch_id}  ${actor}: ${reason}`);
  }
  note(`${grants.length} grants and ${blocks.length} blocks. ${malformed} lines could not be read.`);
  if (malformed > 0) process.exitCode = EXIT.failure;
}

function lostLine({ grant_id, credential, state, job_id, revocation, expires_at }: LostGrant): string {
  return `${grant_id}  ${credential} of job ${job_id}  ${state}, ${revocation}, latest expiry ${expires_at}`;
}

function acceptedLines({ still_accepted }: Replayed): string[] {
  if (still_accepted.length === 0) return [];
  return [
    `${still_accepted.length} grants have tokens that nothing ends before they expire:`,
    ...still_accepted.map(
      ({ grant_id, credential, job, accepted_until }) =>
        `  ${grant_id}  ${credential} of job ${job.job_id}  accepted until ${accepted_until ?? 'now'}`,
    ),
  ];
}

function itemsOf(replayed: Replayed, malformed: number): Item[] {
  const { in_log, recorded, refused, revoked, expired, unfinished, blocks, blocks_to_remove } = replayed;
  const done = (yes: string) => item(true, { yes, no: '' });
  const left = (no: string, ...commands: string[]) => item(false, { yes: '', no }, ...commands);
  return [
    done(`${in_log} grants are in the log; ${recorded.length} were not on record, or not as they were.`),
    done(`${revoked} grants were revoked or their accounts disabled, and ${expired} had expired.`),
    ...refused.map(({ grant_id, problem }) => left(`The grant ${grant_id} was not recorded: ${problem}.`)),
    ...unfinished.map(({ grant_id, error }) => left(`The grant ${grant_id ?? '-'} is not finished: ${error}`)),
    ...(malformed > 0
      ? [left(`${malformed} lines could not be read. Read them, and end what they name: keydesk kill --job-id UUID`)]
      : []),
    ...blocks.map(({ id, problem }) =>
      problem === null
        ? done(`The block ${id} is in force again.`)
        : left(`The block ${id} is not in force: ${problem}`),
    ),
    // Access that is refused although it may be had harms nobody: it keeps nothing from being opened.
    ...blocks_to_remove.map((id) =>
      done(`The block ${id} is in force, and was removed after the snapshot. Later: keydesk blocks remove ${id}`),
    ),
  ];
}
