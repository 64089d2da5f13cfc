// Which key signed the webhooks that the function accepted, from its audit log in Cloud Logging.
// Source: docs.cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list.

import * as z from 'zod';
import { PROBE_EVENT } from '../../shared/core/webhook/probe.ts';
import { CouldNotLook, type Google } from '../checks/google.ts';
import { functionOf, type WebhookDeployment } from './deployment.ts';

/** A page may be empty because the search takes long, and then the next page continues it. */
const MOST_PAGES = 50;

const accepted = z.object({
  timestamp: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  jsonPayload: z.object({ signed_by_key: z.int().positive(), buildkite_event: z.string() }),
});
const page = z.object({ entries: z.array(accepted).default([]), nextPageToken: z.string().optional() });

export interface SignedWebhook {
  /** When it was accepted, in milliseconds since the epoch. */
  readonly at: number;
  /** The number of the key in the list of the function, from 1. */
  readonly key: number;
  readonly event: string;
}

export interface WebhookSearch {
  /** Only of this revision: the numbers of its keys mean the same. */
  readonly revision?: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly key?: number;
  readonly order: 'oldest' | 'newest';
}

/** The oldest or newest webhook that was accepted and fits; probes do not count. @throws CouldNotLook */
export async function findSignedWebhook(
  google: Google,
  deployment: WebhookDeployment,
  search: WebhookSearch,
): Promise<SignedWebhook | undefined> {
  let pageToken: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const { entries, nextPageToken } = await google.read({
      api: 'logging.googleapis.com',
      path: 'v2/entries:list',
      json: {
        resourceNames: [`projects/${deployment.project}`],
        filter: filterOf(deployment, search),
        orderBy: search.order === 'oldest' ? 'timestamp asc' : 'timestamp desc',
        pageSize: 1,
        ...(pageToken === undefined ? {} : { pageToken }),
      },
      shape: page,
      permission: 'logging.logEntries.list',
      role: 'roles/logging.viewer',
      on: deployment.project,
    });
    const [entry] = entries;
    if (entry) {
      const { signed_by_key: key, buildkite_event: event } = entry.jsonPayload;
      return { at: entry.timestamp, key, event };
    }
    if (!nextPageToken) return undefined;
    pageToken = nextPageToken;
  }
  throw new CouldNotLook('Cloud Logging did not finish the search', 'Run this command again later.');
}

function filterOf(deployment: WebhookDeployment, { revision, since, key }: WebhookSearch): string {
  return [
    'resource.type="cloud_run_revision"',
    `resource.labels.service_name="${functionOf(deployment)}"`,
    ...(revision === undefined ? [] : [`resource.labels.revision_name="${revision}"`]),
    'labels.event="webhook.accepted"',
    `jsonPayload.buildkite_event!="${PROBE_EVENT}"`,
    ...(key === undefined ? [] : [`jsonPayload.signed_by_key=${key}`]),
    `timestamp>="${new Date(since).toISOString()}"`,
  ].join('\n');
}
