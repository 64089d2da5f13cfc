// Reads what the audit log has of the time that the restored ledger has lost, from files or from Cloud Logging.

import { toLogEntry } from '../../shared/core/policy-history/log-entry.ts';
import { LostLines } from '../../shared/core/restore/log-lines.ts';
import { CouldNotLook } from '../checks/google.ts';
import { readEntryPages, restoreFilter } from '../log-entries.ts';
import { newLogRead, readLogs, requireEntries } from '../log-files.ts';
import { EXIT, fail, note } from '../terminal.ts';
import { openGoogle, type Restore } from './options.ts';

const PAGE_SIZE = 1000;
/** A line is written after its record, and clocks differ. What is on record is found to be. */
const MARGIN_MS = 10 * 60_000;

export interface LostLog {
  readonly lines: LostLines;
  /** Entries that could not be read: what they say is not known. */
  readonly malformed: number;
}

export async function readLostLog(
  restore: Restore,
  { log, view }: { readonly log?: readonly string[] | undefined; readonly view?: string | undefined },
): Promise<LostLog> {
  const lines = new LostLines();
  const from = restore.snapshot.at - MARGIN_MS;
  if (log) {
    const read = newLogRead();
    await readLogs(log, read, (entry) => (entry.at !== undefined && entry.at < from ? undefined : lines.add(entry)));
    requireEntries(read, log);
    return { lines, malformed: read.malformed };
  }
  let malformed = 0;
  const google = await openGoogle(restore.project);
  const query = { filter: restoreFilter(new Date(from).toISOString()), orderBy: 'timestamp asc', pageSize: PAGE_SIZE };
  try {
    for await (const entries of readEntryPages(google, view ?? restore.project, query)) {
      for (const json of entries) {
        const entry = toLogEntry(json);
        if (!entry || lines.add(entry) === 'malformed') malformed += 1;
      }
      if (process.stderr.isTTY) note(`${lines.count} lines of the log so far ...`);
    }
  } catch (error) {
    if (error instanceof CouldNotLook) fail(EXIT.failure, `${error.message}.\n${error.fix}`);
    throw error;
  }
  return { lines, malformed };
}
