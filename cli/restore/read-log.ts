// Reads what the audit log has of the time that the restored ledger has lost, from files or from Cloud Logging.

import { LostLines } from '../../shared/core/restore/log-lines.ts';
import { collectEntries, restoreFilter } from '../log-entries.ts';
import { newLogRead, readLogs, requireEntries } from '../log-files.ts';
import { openGoogle } from '../open-google.ts';
import type { Restore } from './options.ts';

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
  const filter = restoreFilter(new Date(from).toISOString());
  const google = await openGoogle(restore.project);
  return { lines, malformed: await collectEntries(google, view ?? restore.project, filter, lines) };
}
