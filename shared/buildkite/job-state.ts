// Looks up at Buildkite whether jobs have finished, by its REST API: one job, or a page of the jobs of a build.
// Sources: buildkite.com/docs/apis/rest-api/jobs (GET /v2/organizations/{org}/jobs/{id} and
// GET /v2/organizations/{org}/pipelines/{slug}/builds/{number}/jobs, both with the scope read_builds).

import * as z from 'zod';
import { buildkiteTimestamp } from '../core/webhook/timestamp.ts';
import { LookupError } from '../operations/lookup-error.ts';
import type { BuildkiteJobs, JobPage, JobState } from '../operations/ports.ts';
import type { RestApi } from './rest-api.ts';

const PER_PAGE = 100;

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

export function createBuildkiteJobs({ get }: RestApi): BuildkiteJobs {
  return {
    job: async (organization_slug, job_id) => {
      const path = `organizations/${encodeURIComponent(organization_slug)}/jobs/${encodeURIComponent(job_id)}`;
      const response = await get(path, (json) => parseJob(json, job_id));
      return { ...response, value: response.value ?? UNKNOWN };
    },
    page: ({ organization_slug, pipeline_slug, build_number }, after) => {
      const [organization, pipeline] = [encodeURIComponent(organization_slug), encodeURIComponent(pipeline_slug)];
      const query = new URLSearchParams({ per_page: String(PER_PAGE), ...(after === undefined ? {} : { after }) });
      return get(`organizations/${organization}/pipelines/${pipeline}/builds/${build_number}/jobs?${query}`, parsePage);
    },
  };
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
