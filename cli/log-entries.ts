// Reads the audit lines of one request from Cloud Logging, with the rights of the person who runs the command.
// Source: docs.cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list.

import * as z from 'zod';
import { CouldNotLook, type Google } from './checks/google.ts';

const PAGE_SIZE = 100;
/** A page may be empty because the search takes long, and then the next page continues it. */
const MOST_PAGES = 50;

const page = z.object({ entries: z.array(z.unknown()).default([]), nextPageToken: z.string().optional() });

/** The filter of deploy/audit/request.logql. The type of the resource is indexed, which makes the search faster. */
export function requestFilter(requestId: string): string {
  return `resource.type="cloud_run_revision"\njsonPayload.request_id="${requestId}"`;
}

/**
 * The entries of a request, newest first.
 * @param where the project, or a log view by its whole name
 * @throws CouldNotLook
 */
export async function readRequestEntries(google: Google, where: string, requestId: string): Promise<unknown[]> {
  const isView = where.includes('/views/');
  const found: unknown[] = [];
  let pageToken: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const { entries, nextPageToken } = await google.read({
      api: 'logging.googleapis.com',
      path: 'v2/entries:list',
      json: {
        resourceNames: [isView ? where : `projects/${where}`],
        filter: requestFilter(requestId),
        orderBy: 'timestamp desc',
        pageSize: PAGE_SIZE,
        ...(pageToken === undefined ? {} : { pageToken }),
      },
      shape: page,
      permission: isView ? 'logging.views.access' : 'logging.logEntries.list',
      role: isView ? 'roles/logging.viewAccessor' : 'roles/logging.viewer',
      on: where,
    });
    found.push(...entries);
    if (!nextPageToken) return found;
    pageToken = nextPageToken;
  }
  if (found.length > 0) return found;
  throw new CouldNotLook(
    'Cloud Logging did not finish the search',
    'Run the command again later, or give the entries with --log.',
  );
}
