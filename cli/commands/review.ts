// `keydesk review`: the auditor's report on a period, from the ledger and from what people give.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { projectIdSchema } from '../../shared/core/policy/google-names.ts';
import { reviewCsv } from '../../shared/core/review/csv-rows.ts';
import { policiesByHash } from '../../shared/core/review/policies-in-force.ts';
import { isClear, type Review, reviewOf } from '../../shared/core/review/review.ts';
import { reviewLines } from '../../shared/core/review/text.ts';
import { readPeople } from '../buildkite-people.ts';
import { logOption } from '../log-files.ts';
import { touchesOption } from '../log-usage.ts';
import { impersonateOption, openOperatorApi, readerOption, reportFailures } from '../operator-api.ts';
import { examples, required } from '../options.ts';
import { readCloudLogging, readDoctor, readLogFiles, readTouches } from '../review/evidence.ts';
import { readLedger } from '../review/ledger.ts';
import { EXIT, fail, note, print, printJson } from '../terminal.ts';
import { parseTime } from '../time-options.ts';

export const reviewCommand = new Command('review')
  .summary("the auditor's report on a period")
  .description(
    `Report on the grants that could be used in a period: for each pipeline what it could reach, got and never used; for each grant its basis, its end, what ended it and how long that took. What is not known comes first. All grants are as the ledger was at one time, with their number and SHA-256.

The period is in UTC, from the beginning of --from up to, and not including, --to.

With --log, or --project, it compares the ledger with the audit log. With --touches, which are Google's Data Access entries of Firestore, it says what grants did touch. With --doctor it repeats the output of "keydesk doctor --json". The parts are explained in docs/AUDIT.md.`,
  )
  .option('--from <date>', 'the first day, such as 2026-10-01, or a time (required)', parseTime)
  .option('--to <date>', 'the day after the last, such as 2026-11-01, or a time (required)', parseTime)
  .option('--environment <name>', 'only grants and credentials of this environment')
  .addOption(logOption(''))
  .option('--project <id>', "read the audit log from Cloud Logging in Keydesk's project", parseProject)
  .option('--view <name>', 'with --project: a log view, by its whole name, in place of its logs')
  .addOption(touchesOption())
  .option('--doctor <file>', 'output of "keydesk doctor --json"')
  .option('--csv <file>', 'also write the grants as CSV')
  .option('--json', 'the review as JSON')
  .addOption(readerOption())
  .addOption(impersonateOption())
  .addHelpText(
    'after',
    `${examples(
      'review --from 2026-10-01 --to 2026-11-01',
      `review --from 2026-10-01 --to 2026-11-01 --environment production --log october.json.gz \\
      --touches data-access.json --doctor doctor.json --csv grants.csv --json > review.json`,
    )}

Exit code 1: something is to be explained, or is not known.`,
  )
  .action((options) =>
    reportFailures(async () => {
      const from = required(options.from, '--from DATE');
      const to = required(options.to, '--to DATE');
      if (from >= to) fail(EXIT.usage, '--from must be before --to.');
      const { environment, log: logs, project, view, touches: touchFiles, doctor: doctorFile } = options;
      if (logs && project) fail(EXIT.usage, 'Give --log or --project, and not both.');
      if (view !== undefined && project === undefined) fail(EXIT.usage, '--view needs --project, whose quota is used.');
      requireOneStandardInput([...(logs ?? []), ...(touchFiles ?? []), ...(doctorFile ? [doctorFile] : [])]);
      const period = { from, to };
      const doctor = doctorFile === undefined ? undefined : readDoctor(doctorFile);
      const call = await openOperatorApi('reader', READER_ROUTES, {
        url: options.reader,
        impersonate: options.impersonate,
      });
      const ledger = await readLedger(call, period, environment);
      const { rows } = ledger.population;
      const log = logs
        ? await readLogFiles(logs)
        : project === undefined
          ? undefined
          : await readCloudLogging({ project, view }, period);
      const touches = touchFiles && (await readTouches(touchFiles, rows, policiesByHash(ledger.texts), period));
      // With a view, the project only pays for the requests.
      const keydesk = view === undefined ? project : undefined;
      const review = reviewOf({ period, environment, ...ledger, log, touches, doctor, project: keydesk });
      if (options.csv !== undefined) writeCsv(options.csv, reviewCsv(review));
      if (options.json) printJson(review);
      else await printLines(review);
      if (!isClear(review)) process.exitCode = EXIT.failure;
    }),
  );

const UUIDS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** With the names of people, where they can be had. */
async function printLines(review: Review): Promise<void> {
  const people = review.grants.flatMap(({ job, conditions }) => {
    const ids = [conditions?.created_by?.user_id, conditions?.approval?.approved_by];
    return ids.flatMap((id) => (id === undefined ? [] : [{ id, organization: String(job.organization_slug) }]));
  });
  const ids = new Set(people.map(({ id }) => id));
  const { show, hint } = await readPeople(people[0]?.organization ?? '', ids);
  for (const line of reviewLines(review)) print(line.replace(UUIDS, (id) => (ids.has(id) ? show(id) : id)));
  if (hint !== undefined) note(hint);
}

function writeCsv(file: string, csv: string): void {
  try {
    writeFileSync(file, csv);
  } catch (error) {
    fail(EXIT.failure, `${file} cannot be written: ${error instanceof Error ? error.message : error}`);
  }
  note(`${file}: SHA-256 ${createHash('sha256').update(csv).digest('hex')}`);
}

function requireOneStandardInput(files: readonly string[]): void {
  if (files.filter((file) => file === '-').length > 1) fail(EXIT.usage, 'Only one file can be standard input.');
}

function parseProject(written: string): string {
  if (projectIdSchema.safeParse(written).success) return written;
  throw new InvalidArgumentError('it is the ID of a project, such as acme-keydesk.');
}
