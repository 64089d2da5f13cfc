// Reads the UUIDs of a Buildkite organization and its pipelines from Buildkite's REST API. Sources: buildkite.com/docs/apis/rest-api/organizations
// and /pipelines, and /docs/apis/rest-api#pagination.

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

const identified = z.object({ id: z.guid().toLowerCase(), slug: z.string().min(1).max(256) });
const pipelinePage = z.array(identified.extend({ archived_at: z.string().nullish() }));

export interface ListedPipeline {
  readonly slug: string;
  readonly id: string;
  readonly archived: boolean;
}

interface Deps {
  readonly sendRequest: HttpClient;
  readonly clock: Clock;
  readonly apiUrl: string;
  readonly apiToken: string;
  /** Takes a line about what takes long. */
  readonly note: (line: string) => void;
}

/**
 * All pipelines that the API token may see, sorted by slug.
 * @throws Error with a message for people, which never holds the token
 */
export async function readBuildkiteOrganization(
  deps: Deps,
  slug: string,
): Promise<{ organization: { slug: string; id: string }; pipelines: readonly ListedPipeline[] }> {
  const organization = parse(identified, await get(deps, slug, '', 'read_organizations'));
  const pipelines = new Map<string, ListedPipeline>();
  let page: number | undefined = 1;
  while (page !== undefined) {
    if (page > 1) deps.note(`Reading page ${page} of the pipelines…`);
    const response = await get(deps, slug, `/pipelines?page=${page}&per_page=${PER_PAGE}`, 'read_pipelines');
    for (const { id, slug, archived_at } of parse(pipelinePage, response))
      pipelines.set(id, { slug, id, archived: Boolean(archived_at) });
    page = nextPage(response, page);
  }
  return { organization, pipelines: [...pipelines.values()].sort((one, other) => (one.slug < other.slug ? -1 : 1)) };
}

async function get(deps: Deps, slug: string, path: string, scope: string): Promise<JsonResponse> {
  const { sendRequest, clock, apiUrl, apiToken, note } = deps;
  for (let waits = 0; ; waits += 1) {
    const response = await sendRequest({
      dependency: 'Buildkite',
      url: `${apiUrl.replace(/\/$/, '')}/v2/organizations/${encodeURIComponent(slug)}${path}`,
      headers: { authorization: `Bearer ${apiToken}` },
      deadlineMs: DEADLINE_MS,
      maxBytes: MAX_BYTES,
    });
    if (response.status === 200) return response;
    if (response.status !== 429) throw new Error(explain(response.status, slug, scope));
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

function explain(status: number, slug: string, scope: string): string {
  if (status === 401)
    return 'Buildkite does not accept the API token (401). Check that it is complete, and that it has not expired or been revoked.';
  if (status === 403)
    return `Buildkite refuses the request (403). The API token needs the scopes read_organizations and read_pipelines, and access to the organization ${slug}. This request needs ${scope}.`;
  if (status === 404)
    return `Buildkite has no organization ${slug} that this API token may see (404). Check the slug: it follows buildkite.com/ in the address of a pipeline. Check that the token has access to the organization.`;
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
