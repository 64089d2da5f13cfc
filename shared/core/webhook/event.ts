// What a verified Buildkite webhook means to Keydesk: a ping, the end of a job, or nothing.
// Source: https://buildkite.com/docs/apis/webhooks/pipelines/job-events. Event names, job types and states that did not
// exist when this was written pass: an unknown event is ignored, an unknown kind of finished job ends.

import * as z from 'zod';
import type { JobEndCauseName } from '../grant/end-causes.ts';

/** The events that end a job. */
export const JOB_END_EVENTS = ['job.finished'] as const satisfies readonly JobEndCauseName[];
type JobEndEvent = (typeof JOB_END_EVENTS)[number];

/** Job types that never run on an agent, and so never held a job token. */
const TYPES_WITHOUT_TOKEN = new Set(['waiter', 'manual', 'trigger']);

const uuid = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i)
  .transform((value) => value.toLowerCase());

/** Milliseconds; undefined for what is no time. */
export const buildkiteTimestamp = z
  .string()
  .max(64)
  .nullish()
  .catch(undefined)
  .transform((text) => Date.parse(text ?? ''))
  .transform((at) => (Number.isNaN(at) ? undefined : at));

const envelope = z.object({ event: z.string().max(128) });
const finishedJob = z.object({
  job: z.object({
    id: uuid,
    type: z.string().max(64).optional().catch(undefined),
    state: z.string().max(64).optional().catch(undefined),
    finished_at: buildkiteTimestamp,
  }),
  pipeline: z
    .object({ id: uuid.optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

export type WebhookEvent =
  | { readonly kind: 'ping' }
  | {
      readonly kind: 'job_ended';
      readonly event: JobEndEvent;
      readonly job_id: string;
      /** Undefined when the event does not say. */
      readonly pipeline_id: string | undefined;
      readonly state: string | undefined;
      /** When it finished, by Buildkite's clock: milliseconds since the epoch. */
      readonly finished_at: number | undefined;
    }
  | { readonly kind: 'ignored'; readonly event: string };

/**
 * @param data what a body whose signature was verified says, as `WebhookScan` keeps it
 * @returns undefined when it is not an event, or the end of no job
 */
export function parseWebhookEvent(data: unknown): WebhookEvent | undefined {
  const parsed = envelope.safeParse(data);
  if (!parsed.success) return undefined;
  const { event } = parsed.data;
  if (event === 'ping') return { kind: 'ping' };
  if (!isJobEndEvent(event)) return { kind: 'ignored', event };
  const finished = finishedJob.safeParse(data);
  if (!finished.success) return undefined;
  const { job, pipeline } = finished.data;
  if (job.type !== undefined && TYPES_WITHOUT_TOKEN.has(job.type)) return { kind: 'ignored', event };
  const { id: job_id, state, finished_at } = job;
  return { kind: 'job_ended', event, job_id, pipeline_id: pipeline?.id, state, finished_at };
}

function isJobEndEvent(event: string): event is JobEndEvent {
  return JOB_END_EVENTS.some((known) => known === event);
}
