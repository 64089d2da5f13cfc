// What the commands about usage read: Keydesk's log, and Google's log of what grants touched.

import { Option } from '@commander-js/extra-typings';
import type { ReadPolicy } from '../shared/core/policy/parse-yaml.ts';
import { AccessUsage, type CredentialAccess } from '../shared/core/policy-history/access-usage.ts';
import { toGrantTouches } from '../shared/core/policy-history/document-touches.ts';
import { type JobRequest, toJobRequest } from '../shared/core/policy-history/job-request.ts';
import { Coverage, type Period } from '../shared/core/policy-history/period.ts';
import { Usage } from '../shared/core/policy-history/usage.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { newLogRead, readLogs, requireEntries, requireFound, warnOfMalformed } from './log-files.ts';
import { collect } from './options.ts';
import { EXIT, fail } from './terminal.ts';
import { parsePast } from './time-options.ts';

export function sinceOption() {
  return new Option(
    '--since <date|duration>',
    'start of the period, such as 2026-11-01, 2026-11-01T08:00:00Z, 30d, 12h or 4w (required)',
  ).argParser(parsePast);
}

export function untilOption() {
  return new Option('--until <date>', 'end of the period, as --since; without it, now').argParser(parsePast);
}

export function touchesOption() {
  return new Option(
    '--touches <file>',
    "log with Google's Data Access entries of Firestore, as --log; repeat it for more",
  ).argParser<string[]>(collect);
}

/** What the requests in a log used, and how far the log goes. Ends the process when the log has no entry. */
export async function readUsage(
  { policy, sha256 }: ReadPolicy,
  files: readonly string[],
  since: number,
  until = systemClock.now(),
) {
  if (until <= since) fail(EXIT.usage, '--until must be later than --since.');
  const usage = new Usage(policy, since);
  const coverage = new Coverage();
  const read = newLogRead();
  let lines = 0;
  await readLogs(files, read, (entry) => {
    const request = toJobRequest(entry);
    const known = isRequest(request) ? request : undefined;
    // Google's entries of what jobs did say nothing about whether Keydesk's log is complete.
    if (!entry.auditLog) coverage.add(entry.at ?? known?.at);
    if (entry.line?.event !== undefined) lines += 1;
    if (known?.policy_sha256 !== undefined && known.policy_sha256 !== sha256) coverage.addOtherPolicy(known.at);
    if (known) usage.add(known);
    return request;
  });
  requireEntries(read, files);
  requireFound(lines, { read, files, what: 'an event of Keydesk' });
  warnOfMalformed(read);
  coverage.addUnread(read.malformed);
  return { usage, coverage: coverage.report({ since, until }, usage.allowed.count) };
}

/** Calls `take` with each request of a log that was read before. */
export async function readRequests(files: readonly string[], take: (request: JobRequest) => void): Promise<void> {
  await readLogs(files, newLogRead(), (entry) => {
    const request = toJobRequest(entry);
    if (isRequest(request)) take(request);
    return undefined;
  });
}

/** What the grants in a log touched. @param maxNames see AccessUsage */
export async function readAccess(
  { policy }: ReadPolicy,
  files: { readonly log: readonly string[]; readonly touches: readonly string[] },
  period: Period,
  maxNames: number,
): Promise<{ access: CredentialAccess[]; unknownGrants: number }> {
  const usage = new AccessUsage(policy, period, maxNames);
  await readRequests(files.log, (request) => usage.addRequest(request));
  const read = newLogRead();
  await readLogs(files.touches, read, (entry) => {
    const touches = toGrantTouches(entry);
    if (touches) usage.addTouches(touches);
    return undefined;
  });
  requireEntries(read, files.touches);
  warnOfMalformed(read);
  usage.addUnread(read.malformed);
  return { access: usage.report(), unknownGrants: usage.unknownGrants };
}

/** Standard input is read once. */
export function requireFiles(log: readonly string[], why: string): void {
  if (log.includes('-')) fail(EXIT.usage, `--log -: ${why} Write the log to a file.`);
}

function isRequest(request: ReturnType<typeof toJobRequest>): request is JobRequest {
  return typeof request === 'object' && 'claims' in request;
}
