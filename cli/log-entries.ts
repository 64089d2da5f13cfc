// Reads audit lines from Cloud Logging, with the rights of the person who runs the command: those of one request, or those of grants.
// Source: docs.cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list.

import * as z from 'zod';
import { type LogEntry, toLogEntry } from '../shared/core/policy-history/log-entry.ts';
import { type Clock, systemClock } from '../shared/runtime/clock.ts';
import { CouldNotLook, type Google, RateLimited } from './checks/google.ts';
import { EXIT, fail, note } from './terminal.ts';

const PAGE_SIZE = 100;
/** A page may be empty because the search takes long, and then the next page continues it. */
const MOST_PAGES = 50;

const page = z.object({ entries: z.array(z.unknown()).default([]), nextPageToken: z.string().optional() });

/** Cloud Logging counts the requests of a minute. Source: docs.cloud.google.com/logging/quotas#api-limits. */
const PAUSE_MS = 30_000;
/** Requests for one page that may be refused because there were too many. */
const MOST_REFUSALS = 10;

/** The filter of deploy/audit/request.logql. The type of the resource is indexed, which makes the search faster. */
export function requestFilter(requestId: string): string {
  return `resource.type="cloud_run_revision"\njsonPayload.request_id="${requestId}"`;
}

/** The lines of deploy/audit/grant.logql of every grant, and those of acts of the kill switch, in a period. @param until not included */
export function grantFilter(from: string, until: string): string {
  return [
    'resource.type="cloud_run_revision"',
    'labels.event=~"^(grant[.](issued|revoked|ended|expired)|kill_switch[.]activated)$"',
    `timestamp>="${from}"`,
    `timestamp<"${until}"`,
  ].join('\n');
}

/** Lines of grants and of acts of the kill switch, from a time on. */
export function restoreFilter(from: string): string {
  return [
    'resource.type="cloud_run_revision"',
    'labels.event=~"^(grant[.](issued|revoked|ended|expired)|kill_switch[.](activated|deactivated))$"',
    `timestamp>="${from}"`,
  ].join('\n');
}

/**
 * The entries of a request, newest first.
 * @param where the project, or a log view by its whole name
 * @throws CouldNotLook
 */
export async function readRequestEntries(google: Google, where: string, requestId: string): Promise<unknown[]> {
  const found: unknown[] = [];
  const query = { filter: requestFilter(requestId), orderBy: 'timestamp desc', pageSize: PAGE_SIZE };
  let pages = 0;
  for await (const entries of readEntryPages(google, where, query)) {
    found.push(...entries);
    pages += 1;
    if (pages === MOST_PAGES && found.length === 0)
      throw new CouldNotLook(
        'Cloud Logging did not finish the search',
        'Run the command again later, or give the entries with --log.',
      );
    if (pages === MOST_PAGES) return found;
  }
  return found;
}

/** Entries of one page of many: a line with many claims has some KB, and a response may have 4 MiB. */
const LONG_PAGE_SIZE = 250;

/**
 * Gives every entry that fits to `found`, the oldest first, and shows on a terminal how far it is. Ends the process where it may not look.
 * @returns how many entries could not be read
 */
export async function collectEntries(
  google: Google,
  where: string,
  filter: string,
  found: { readonly count: number; add(entry: LogEntry): 'malformed' | undefined },
): Promise<number> {
  let malformed = 0;
  const query = { filter, orderBy: 'timestamp asc', pageSize: LONG_PAGE_SIZE };
  try {
    for await (const entries of readEntryPages(google, where, query, PATIENCE)) {
      for (const json of entries) {
        const entry = toLogEntry(json);
        if (!entry || found.add(entry) === 'malformed') malformed += 1;
      }
      if (process.stderr.isTTY) note(`${found.count} lines of the log so far ...`);
    }
  } catch (error) {
    if (error instanceof CouldNotLook) fail(EXIT.failure, `${error.message}.\n${error.fix}`);
    throw error;
  }
  return malformed;
}

/** What reads Cloud Logging for a long time does when it is refused because of too many requests: it pauses. */
interface Patience {
  readonly clock: Clock;
  readonly onPause: (seconds: number) => void;
}

const PATIENCE: Patience = {
  clock: systemClock,
  onPause: (seconds) => note(`Cloud Logging had too many requests. The next one follows in ${seconds} s ...`),
};

/** Entries in pages, to their end. A page may be empty. @throws CouldNotLook */
async function* readEntryPages(
  google: Google,
  where: string,
  query: { readonly filter: string; readonly orderBy: string; readonly pageSize: number },
  patience?: Patience,
): AsyncGenerator<readonly unknown[]> {
  const isView = where.includes('/views/');
  for (let pageToken: string | undefined; ; ) {
    const { entries, nextPageToken } = await readPatiently(google, patience, {
      api: 'logging.googleapis.com',
      path: 'v2/entries:list',
      json: {
        resourceNames: [isView ? where : `projects/${where}`],
        ...query,
        ...(pageToken === undefined ? {} : { pageToken }),
      },
      shape: page,
      permission: isView ? 'logging.views.access' : 'logging.logEntries.list',
      role: isView ? 'roles/logging.viewAccessor' : 'roles/logging.viewer',
      on: where,
    });
    yield entries;
    if (!nextPageToken) return;
    pageToken = nextPageToken;
  }
}

async function readPatiently<T>(
  google: Google,
  patience: Patience | undefined,
  call: Parameters<typeof google.read<T>>[0],
): Promise<T> {
  for (let refusals = 1; ; refusals += 1)
    try {
      return await google.read(call);
    } catch (error) {
      if (!patience || !(error instanceof RateLimited) || refusals === MOST_REFUSALS) throw error;
      patience.onPause(PAUSE_MS / 1000);
      await patience.clock.sleep(PAUSE_MS);
    }
}
