// The list of a build's jobs as the REST API pages it: by cursor, 30 jobs, or up to 100 by request. Refuses parameters
// that the documentation does not know. Retried jobs are in the list unless they are left out by `include_retried_jobs`.
// Source: buildkite.com/docs/apis/rest-api/jobs (list jobs of a build).

import type { LocalResponse } from '../../local-server.ts';

/** What Keydesk reads of a job, and little more. */
export interface ListedJob {
  readonly id: string;
  readonly type: string;
  readonly state: string;
  readonly finished_at: string | null;
  readonly agent: { readonly connection_state: string };
}

const PARAMETERS = new Set([
  ...['state[]', 'step_key', 'group_key', 'include_retried_jobs', 'per_page', 'after', 'before'],
]);
/** Documented for this list; nobody needs them here. */
const FILTERS = ['state[]', 'step_key', 'group_key', 'include_retried_jobs', 'before'];

export function listJobs(
  jobs: readonly ListedJob[],
  { url, query }: { readonly url: string; readonly query: URLSearchParams },
): LocalResponse {
  const unknown = [...query.keys()].filter((name) => !PARAMETERS.has(name));
  const filter = FILTERS.find((name) => query.has(name));
  if (unknown.length > 0) return refuse(`unknown parameter: ${unknown.join(', ')}`);
  if (filter !== undefined) return refuse(`the sandbox does not filter by ${filter}`);
  const size = query.get('per_page') ?? '30';
  if (!/^[1-9][0-9]?$|^100$/.test(size)) return badRequest('per_page must be from 1 to 100');
  const after = query.get('after');
  const start = after === null ? 0 : jobs.findIndex((job) => cursorOf(job) === after) + 1;
  if (after !== null && start === 0) return badRequest('after is not a cursor of this list');
  const items = jobs.slice(start, start + Number(size));
  const last = items.at(-1);
  const next =
    last && start + items.length < jobs.length ? linkTo(url, { per_page: size, after: cursorOf(last) }) : null;
  return { status: 200, json: { items, links: { self: linkTo(url, Object.fromEntries(query)), next } } };
}

/** Opaque, and of characters that a URL must escape. */
function cursorOf({ id }: ListedJob): string {
  return Buffer.from(`job/${id}+`).toString('base64');
}

function linkTo(url: string, query: Record<string, string>): string {
  return `${url}?${new URLSearchParams(query)}`;
}

/** Documented for a wrong state, per_page or cursor. */
function badRequest(message: string): LocalResponse {
  return { status: 400, json: { message } };
}

function refuse(message: string): LocalResponse {
  return { status: 422, json: { message } };
}
