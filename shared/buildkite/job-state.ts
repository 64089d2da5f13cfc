// Looks up at Buildkite whether jobs have finished, by its REST API: one job, or a page of the jobs of a build.
// Sources: buildkite.com/docs/apis/rest-api/jobs (GET /v2/organizations/{org}/jobs/{id} and
// GET /v2/organizations/{org}/pipelines/{slug}/builds/{number}/jobs, both with the scope read_builds).

import * as z from 'zod';
import { buildkiteTimestamp } from '../core/webhook/event.ts';
import { BUILDKITE, LookupError } from '../operations/lookup-error.ts';
import type { BuildkiteJobs, BuildkiteResponse, JobPage, JobState } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient, JsonResponse } from '../runtime/http-client.ts';
import { parseRateLimit, parseWait } from './rate-limit.ts';

const PER_PAGE = 100;
const DEADLINE_MS = 8_000;
/**
 * The step's author writes the command, the label and the artifact paths. An agent passes each to the command in one
 * environment variable, which Linux limits to 128 KiB (MAX_ARG_STRLEN); JSON may write six bytes for one. So one job
 * needs less than 3 MiB. A page of 100 jobs usually has less than 1 MiB; a larger one is replaced by lookups of single jobs.
 */
const MAX_BYTES = 8 * 1024 * 1024;

const RUNNING = new Set([
  'pending',
  'waiting',
  'limiting',
  'limited',
  'platform_limiting',
  'platform_limited',
  'scheduled',
  'reserved',
  'assigned',
  'accepted',
  'running',
  'canceling',
  'timing_out',
]);
const FINISHED = new Set(['passed', 'failed', 'finished', 'canceled', 'timed_out', 'expired', 'skipped', 'broken']);

const job = z.object({
  id: z.string(),
  state: z.string().max(64),
  finished_at: z.string().nullish(),
  agent: z.object({ connection_state: z.string().max(64).nullish() }).nullish(),
});
const withId = z.object({ id: z.string() });
const page = z.object({
  items: z.array(z.unknown()),
  links: z.object({ next: z.string().nullish() }).nullish(),
});

const UNKNOWN: JobState = { outcome: 'unknown', job_state: undefined, finished_at: undefined };

export function createBuildkiteJobs(deps: {
  readonly sendRequest: HttpClient;
  readonly apiUrl: string;
  readonly apiToken: string;
  readonly clock: Clock;
}): BuildkiteJobs {
  const { sendRequest, apiUrl, apiToken, clock } = deps;

  /** Comes to undefined for a 404. */
  const get = async <T>(path: string, parse: (json: unknown) => T): Promise<BuildkiteResponse<T | undefined>> => {
    const response = await send(sendRequest, {
      url: `${apiUrl.replace(/\/$/, '')}/v2/organizations/${path}`,
      headers: { authorization: `Bearer ${apiToken}` },
    });
    const { status, json } = response;
    const limit = parseRateLimit(response);
    if (status === 404) return { ...limit, value: undefined };
    if (status === 429)
      throw new LookupError('limited', 'returned 429', { retryAfter: parseWait(response, clock.now()) });
    if (status === 401 || status === 403) throw new LookupError('refused', `returned ${status}`);
    if (status !== 200) throw new LookupError('failed', `returned ${status}`, { code: 'error_response' });
    return { ...limit, value: parse(json) };
  };

  return {
    job: async (organization_slug, job_id) => {
      const path = `${encodeURIComponent(organization_slug)}/jobs/${encodeURIComponent(job_id)}`;
      const response = await get(path, (json) => parseJob(json, job_id));
      return { ...response, value: response.value ?? UNKNOWN };
    },
    page: ({ organization_slug, pipeline_slug, build_number }, after) => {
      const [organization, pipeline] = [encodeURIComponent(organization_slug), encodeURIComponent(pipeline_slug)];
      const query = new URLSearchParams({ per_page: String(PER_PAGE), ...(after === undefined ? {} : { after }) });
      return get(`${organization}/pipelines/${pipeline}/builds/${build_number}/jobs?${query}`, parsePage);
    },
  };
}

async function send(
  sendRequest: HttpClient,
  request: { url: string; headers: Record<string, string> },
): Promise<JsonResponse> {
  try {
    return await sendRequest({
      dependency: BUILDKITE,
      ...request,
      deadlineMs: DEADLINE_MS,
      maxBytes: MAX_BYTES,
      noResend: true,
    });
  } catch (error) {
    if (!DependencyError.is(error)) throw error;
    const { code } = error;
    // One that is slow says nothing about the others.
    const kind = code === 'response_too_large' ? 'too_large' : code === 'unreachable' ? 'unreachable' : 'failed';
    throw new LookupError(kind, error.message.replace(`${BUILDKITE}: `, ''), { code, cause: error });
  }
}

function parseJob(json: unknown, job_id: string): JobState {
  const parsed = job.safeParse(json);
  if (!parsed.success || parsed.data.id.toLowerCase() !== job_id)
    throw new LookupError('failed', 'returned something unexpected');
  return toJobState(parsed.data);
}

function parsePage(json: unknown): JobPage {
  const parsed = page.safeParse(json);
  if (!parsed.success) throw new LookupError('failed', 'returned something unexpected');
  const { items, links } = parsed.data;
  const jobs = new Map<string, JobState | undefined>();
  for (const item of items) {
    const named = withId.safeParse(item);
    const read = job.safeParse(item);
    if (named.success) jobs.set(named.data.id.toLowerCase(), read.success ? toJobState(read.data) : undefined);
  }
  return { jobs, next: cursorOf(links?.next ?? undefined) };
}

/** Of the link only the cursor is used: the API token goes to no address that a response names. */
function cursorOf(link: string | undefined): string | undefined {
  if (link === undefined) return undefined;
  const after = URL.canParse(link, 'https://api.buildkite.com')
    ? new URL(link, 'https://api.buildkite.com').searchParams.get('after')
    : null;
  if (!after) throw new LookupError('failed', 'returned a link without a cursor');
  return after;
}

function toJobState({ state, finished_at, agent }: z.output<typeof job>): JobState {
  if (FINISHED.has(state) || (finished_at && !RUNNING.has(state)))
    return { outcome: 'finished', job_state: state, finished_at: buildkiteTimestamp.parse(finished_at) };
  // Buildkite has not heard from the agent for minutes. It fails the job, and nobody uses the job's credentials.
  if (agent?.connection_state === 'lost')
    return { outcome: 'finished', job_state: 'agent_lost', finished_at: undefined };
  return { outcome: 'running', job_state: state, finished_at: undefined };
}
