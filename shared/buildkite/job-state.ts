// Asks Buildkite whether a job has finished, by its REST API.
// Source: buildkite.com/docs/apis/rest-api/jobs (GET /v2/organizations/{org}/jobs/{id}, scope read_builds) and
// /rest-api/rate-limits. A 404 is not an answer: a token that may not see the pipeline gets it too.

import * as z from 'zod';
import { buildkiteTime } from '../core/webhook-event.ts';
import type { Ask, OutgoingAnswer } from '../outgoing.ts';
import { Unavailable } from '../unavailable.ts';

export interface JobAnswer {
  /** `unknown`: Buildkite has no such job for this API token. */
  readonly outcome: 'finished' | 'running' | 'unknown';
  /** Buildkite's own word for it, or what it says of the agent. */
  readonly job_state: string | undefined;
  /** Milliseconds since the epoch, where Buildkite says so. */
  readonly finished_at: number | undefined;
  /** Calls left in this minute, when Buildkite says so. */
  readonly remaining: number | undefined;
}

/** Throws Unavailable; its `retryAfter` is what Buildkite asks for when it is asked too often. */
export type AskJobState = (organization_slug: string, job_id: string) => Promise<JobAnswer>;

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
const MAX_RETRY_AFTER = 300;

const job = z.object({
  id: z.string(),
  state: z.string().max(64),
  finished_at: z.string().nullish(),
  agent: z.object({ connection_state: z.string().max(64).nullish() }).nullish(),
});

export function createJobStateReader(parts: {
  readonly ask: Ask;
  readonly apiUrl: string;
  readonly apiToken: string;
}): AskJobState {
  const { ask, apiUrl, apiToken } = parts;
  return async (organization_slug, job_id) => {
    const what = 'buildkite jobs';
    const answer = await ask({
      what,
      url: `${apiUrl.replace(/\/$/, '')}/v2/organizations/${encodeURIComponent(organization_slug)}/jobs/${encodeURIComponent(job_id)}`,
      headers: { authorization: `Bearer ${apiToken}` },
    });
    const remaining = remainingOf(answer);
    if (answer.status === 404) return { outcome: 'unknown', job_state: undefined, finished_at: undefined, remaining };
    if (answer.status === 429) throw new Unavailable(what, 'answered 429', retryAfterOf(answer));
    const refused = answer.status === 401 || answer.status === 403;
    if (answer.status !== 200) throw new Unavailable(what, `answered ${answer.status}`, 2, { refused });
    const parsed = job.safeParse(answer.json);
    if (!parsed.success || parsed.data.id.toLowerCase() !== job_id)
      throw new Unavailable(what, 'answered something unexpected');
    return { ...judge(parsed.data), remaining };
  };
}

function judge({ state, finished_at, agent }: z.output<typeof job>): Omit<JobAnswer, 'remaining'> {
  if (FINISHED.has(state) || (finished_at && !RUNNING.has(state)))
    return { outcome: 'finished', job_state: state, finished_at: buildkiteTime.parse(finished_at) };
  // The agent has not been heard of for minutes: Buildkite fails the job, and what it held is held by nobody.
  if (agent?.connection_state === 'lost')
    return { outcome: 'finished', job_state: 'agent_lost', finished_at: undefined };
  return { outcome: 'running', job_state: state, finished_at: undefined };
}

/** The least of what the organization and the token's user have left. */
function remainingOf({ headers }: OutgoingAnswer): number | undefined {
  const left = ['ratelimit-remaining', 'ratelimit-user-remaining'].flatMap(
    (name) => secondsOf(headers.get(name)) ?? [],
  );
  return left.length > 0 ? Math.min(...left) : undefined;
}

function retryAfterOf({ headers }: OutgoingAnswer): number {
  const asked = ['retry-after', 'ratelimit-reset', 'ratelimit-user-reset'].flatMap(
    (name) => secondsOf(headers.get(name)) ?? [],
  );
  return Math.min(Math.max(...asked, 60), MAX_RETRY_AFTER);
}

function secondsOf(header: string | null): number | undefined {
  return header !== null && /^[0-9]{1,9}$/.test(header) ? Number(header) : undefined;
}
