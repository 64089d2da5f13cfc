// `keydesk grants export`: grants for another program, all of them as the ledger was at one time.

import { createHash } from 'node:crypto';
import { Command, Option } from '@commander-js/extra-typings';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import {
  EXPORT_FORMATS,
  type ExportFormat,
  exportGrant,
  exportHeader,
  exportUnreadable,
} from '../../grants/export-text.ts';
import { readFilters, withPeriod } from '../../grants/filters.ts';
import { type EmptyList, whyNoEvidence } from '../../grants/nothing-found.ts';
import { grantPages, type ReaderApi, summaryLine } from '../../grants/pages.ts';
import { impersonateOption, openOperatorApi, readerOption, reportFailures } from '../../operator-api.ts';
import { examples } from '../../options.ts';
import { EXIT, note, warn } from '../../terminal.ts';
import { unreadableLines } from './list.ts';

export const exportCommand = withPeriod(new Command('export'))
  .summary('grants for another program, as NDJSON or CSV')
  .description(
    `Write grants to standard output, all of them as the ledger was at one time: writes in the meantime change nothing. Standard error has the count and the SHA-256 of what was written. Without --state or a period, these are the live grants.

In CSV, a value that a spreadsheet would take for a formula gets an apostrophe in front.`,
  )
  .optionsGroup('Options:')
  .addOption(new Option('--format <format>', 'what to write').choices(EXPORT_FORMATS).default('ndjson' as const))
  .addOption(readerOption())
  .addOption(impersonateOption())
  .addHelpText(
    'after',
    `${examples(
      'grants export --state all > grants.ndjson',
      'grants export --environment production --day 2026-11-24 --format csv > tuesday.csv',
    )}

Exit code 1: it is incomplete, or proves nothing because a name is not known or the ledger does not cover the period. Then standard error has no SHA-256.`,
  )
  .action(({ reader: url, impersonate, format, ...options }) =>
    reportFailures(async () => {
      const filters = readFilters(options);
      const call = await openOperatorApi('reader', READER_ROUTES, { url, impersonate });
      await exportAll(call, filters, format);
    }),
  );

async function exportAll(
  call: ReaderApi,
  filters: ReturnType<typeof readFilters>,
  format: ExportFormat,
): Promise<void> {
  const hash = createHash('sha256');
  const write = async (text: string): Promise<void> => {
    hash.update(text);
    if (text !== '' && !process.stdout.write(text)) await drained();
  };
  await write(exportHeader(format));
  let count = 0;
  let first: EmptyList | undefined;
  for await (const { grants, unreadable, next_cursor, ...page } of grantPages(call, filters)) {
    first ??= page;
    await write(grants.map((grant) => exportGrant(format, grant)).join(''));
    await write(unreadable.map((record) => exportUnreadable(format, record)).join(''));
    count += grants.length;
    for (const line of unreadableLines(unreadable)) warn(line);
    const noEvidence = next_cursor === null && count === 0 ? await whyNoEvidence(call, first) : [];
    for (const line of noEvidence) warn(line);
    if (noEvidence.length > 0) process.exitCode = EXIT.failure;
    else if (next_cursor === null) note(`${summaryLine({ ...page, count })} SHA-256 ${hash.digest('hex')}.`);
    else if (process.stderr.isTTY) note(`${count} grants so far ...`);
  }
}

/** Until a slow reader of standard output has read; also when it has gone. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['drain', 'close', 'error']) process.stdout.once(event, () => resolve());
  });
}
