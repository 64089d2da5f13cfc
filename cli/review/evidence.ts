// Reads the evidence that people give to a review: Keydesk's log from files or from Cloud Logging, Google's log, the doctor's report.

import { statSync } from 'node:fs';
import type { Policy } from '../../shared/core/policy/policy.ts';
import { type DoctorReport, readDoctorReport } from '../../shared/core/review/doctor.ts';
import type { ReadLog, ReviewPeriod } from '../../shared/core/review/input.ts';
import { GrantLines } from '../../shared/core/review/log-lines.ts';
import type { GrantRow } from '../../shared/core/review/row.ts';
import { Touches, type TouchReport } from '../../shared/core/review/touches.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createGoogle } from '../checks/google.ts';
import { readInput } from '../input.ts';
import { collectEntries, grantFilter } from '../log-entries.ts';
import { newLogRead, readLogs, requireEntries, warnOfMalformed } from '../log-files.ts';
import { createOperatorClient } from '../operator-client.ts';
import { EXIT, fail } from '../terminal.ts';

/** Expiries are logged some time after they happened. */
const AFTER_MS = 3_600_000;

export async function readLogFiles(files: readonly string[]): Promise<ReadLog<GrantLines>> {
  const found = new GrantLines();
  const read = newLogRead();
  await readLogs(files, read, (entry) => found.add(entry));
  requireEntries(read, files);
  warnOfMalformed(read);
  return { found, malformed: read.malformed };
}

/** @param project pays for the requests, and has the log unless `view` does */
export async function readCloudLogging(
  { project, view }: { readonly project: string; readonly view: string | undefined },
  { from, to }: ReviewPeriod,
): Promise<ReadLog<GrantLines>> {
  // For tests: a server that has each of Google's APIs under a folder of its host.
  const base = process.env.KEYDESK_GOOGLE_APIS_URL;
  const google = createGoogle(createOperatorClient(systemClock).send, { quotaProject: project, base });
  const filter = grantFilter(new Date(from).toISOString(), new Date(to + AFTER_MS).toISOString());
  const found = new GrantLines();
  return { found, malformed: await collectEntries(google, view ?? project, filter, found) };
}

export async function readTouches(
  files: readonly string[],
  rows: readonly GrantRow[],
  policies: ReadonlyMap<string, Policy>,
  period: ReviewPeriod,
): Promise<ReadLog<TouchReport>> {
  const touches = new Touches(rows, policies, period);
  const read = newLogRead();
  await readLogs(files, read, (entry) => touches.add(entry));
  requireEntries(read, files);
  warnOfMalformed(read);
  return { found: touches.report(), malformed: read.malformed };
}

export function readDoctor(file: string): DoctorReport {
  const text = readInput(file);
  const read = readDoctorReport(text, file === '-' ? null : statSync(file).mtime.toISOString());
  if ('problem' in read) return fail(EXIT.failure, `${file === '-' ? 'standard input' : file}: ${read.problem}`);
  return read;
}
