// Requests of the command to Buildkite's REST API, with the API token of the person who runs it. Source: buildkite.com/docs/apis/rest-api,
// also #pagination.

import * as z from 'zod';
import { parseWait } from '../shared/buildkite/rate-limit.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { HttpClient, JsonResponse } from '../shared/runtime/http-client.ts';

const PER_PAGE = 100;
const DEADLINE_MS = 60_000;
/** A pipeline contains its whole configuration. */
const MAX_BYTES = 128 * 1024 * 1024;
/** How often a request waits for Buildkite's limit before the command fails. */
const MOST_WAITS = 3;

export interface BuildkiteApi {
  readonly sendRequest: HttpClient;
  readonly clock: Clock;
  readonly apiUrl: string;
  readonly apiToken: string;
  /** Takes a line about what takes long. */
  readonly note: (line: string) => void;
}

/** What is requested of an organization. */
interface Requested {
  readonly organization: string;
  /** Below the organization, with its query. */
  readonly path: string;
  readonly scope: string;
  /** What the API token needs for the whole command, where that is more. */
  readonly needs?: string;
}

/** A response that is not 200. Its message is for people, and never holds the token. */
export class RefusedByBuildkite extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** @throws Error with a message for people, which never holds the token */
export async function getOf<T extends z.ZodType>(
  api: BuildkiteApi,
  requested: Requested,
  schema: T,
): Promise<z.output<T>> {
  return parse(schema, await send(api, requested));
}

/** The entries of all pages, in the order of the list. @param list.name as in "of the pipelines" */
export async function readAllOf<T extends z.ZodType>(
  api: BuildkiteApi,
  list: Requested & { readonly name: string },
  schema: T,
): Promise<z.output<T>[]> {
  const { path, name } = list;
  const found: z.output<T>[] = [];
  let page: number | undefined = 1;
  while (page !== undefined) {
    if (page > 1) api.note(`Reading page ${page} of the ${name}…`);
    const response = await send(api, { ...list, path: `${path}?page=${page}&per_page=${PER_PAGE}` });
    found.push(...parse(z.array(schema), response));
    page = nextPage(response, page);
  }
  return found;
}

async function send(api: BuildkiteApi, requested: Requested): Promise<JsonResponse> {
  const { sendRequest, clock, apiUrl, apiToken, note } = api;
  const { organization, path } = requested;
  for (let waits = 0; ; waits += 1) {
    const response = await sendRequest({
      dependency: 'Buildkite',
      url: `${apiUrl.replace(/\/$/, '')}/v2/organizations/${encodeURIComponent(organization)}${path}`,
      headers: { authorization: `Bearer ${apiToken}` },
      deadlineMs: DEADLINE_MS,
      maxBytes: MAX_BYTES,
    });
    if (response.status === 200) return response;
    if (response.status !== 429) throw new RefusedByBuildkite(response.status, explain(response.status, requested));
    const seconds = parseWait(response, clock.now());
    if (waits === MOST_WAITS) throw new Error(`Buildkite limits requests (429). Try again in ${seconds} seconds.`);
    note(`Buildkite limits requests (429). Waiting ${seconds} seconds…`);
    await clock.sleep(seconds * 1000);
  }
}

function parse<T extends z.ZodType>(schema: T, { json }: JsonResponse): z.output<T> {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new Error('Buildkite returned a response that is not understood.');
  return parsed.data;
}

function explain(status: number, { organization, scope, needs = `the scope ${scope}` }: Requested): string {
  if (status === 401)
    return 'Buildkite does not accept the API token (401). Check that it is complete, and that it has not expired or been revoked.';
  if (status === 403)
    return `Buildkite refuses the request (403). The API token needs ${needs}, and access to the organization ${organization}. This request needs ${scope}.`;
  if (status === 404)
    return `Buildkite has no organization ${organization} that this API token may see (404). Check the slug: it follows buildkite.com/ in the address of a pipeline. Check that the token has access to the organization.`;
  return `Buildkite returned ${status}. Try again later.`;
}

/** Of the link only the number is used: the API token goes to no address that a response names. */
function nextPage({ headers }: JsonResponse, current: number): number | undefined {
  const [, link] = /<([^>]*)>;\s*rel="?next"?/.exec(headers.get('link') ?? '') ?? [];
  if (link === undefined) return undefined;
  const page = URL.canParse(link) ? Number(new URL(link).searchParams.get('page')) : Number.NaN;
  if (page !== current + 1) throw new Error('Buildkite returned a link to the next page that is not understood.');
  return page;
}
