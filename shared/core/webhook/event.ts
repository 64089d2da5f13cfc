// What a verified Buildkite webhook means to Keydesk: a ping, the end of a job, news of a build, or nothing.
// Sources: buildkite.com/docs/apis/webhooks/pipelines/job-events and /build-events. Event names, job types and states that did not
// exist when this was written pass: an unknown event is ignored, an unknown kind of finished job ends. News of a build in another
// form is ignored, and a look at Buildkite finds the same: after refusals Buildkite might stop sending the ends of jobs.

import * as z from 'zod';
import { type BuildNews, REASON_KEY, toReason } from '../conditions/build-record.ts';
import { blockStepSchema, userSchema, uuidSchema } from '../conditions/buildkite-build.ts';
import type { JobEndCauseName } from '../grant/end-causes.ts';
import { buildkiteTimestamp } from './timestamp.ts';

/** The events that end a job. */
export const JOB_END_EVENTS = ['job.finished'] as const satisfies readonly JobEndCauseName[];
type JobEndEvent = (typeof JOB_END_EVENTS)[number];

/** The events that say who started a build, or who unblocked a step of it. */
export const BUILD_EVENTS = ['job.activated', 'build.scheduled'] as const;
type BuildEvent = (typeof BUILD_EVENTS)[number];

/** Job types that never run on an agent, and so never held a job token. */
const TYPES_WITHOUT_TOKEN = new Set(['waiter', 'manual', 'trigger']);

const envelope = z.object({ event: z.string().max(128) });
const finishedJob = z.object({
  job: z.object({
    id: uuidSchema,
    type: z.string().max(64).optional().catch(undefined),
    state: z.string().max(64).optional().catch(undefined),
    finished_at: buildkiteTimestamp,
  }),
  pipeline: z
    .object({ id: uuidSchema.optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

const buildEvent = z.object({
  build: z.object({
    id: uuidSchema.optional().catch(undefined),
    number: z.int().min(1),
    creator: userSchema.optional().catch(undefined),
    source: z.string().max(64).optional().catch(undefined),
    meta_data: z.record(z.string(), z.unknown()).optional().catch(undefined),
  }),
  pipeline: z.object({ id: uuidSchema }),
});
const activatedJob = z.object({ job: blockStepSchema });

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
  | {
      readonly kind: 'build_news';
      readonly event: BuildEvent;
      readonly news: BuildNews;
      /** How the build was started: `ui`, `api` and others. Undefined when the event does not say. */
      readonly build_source: string | undefined;
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
  if (isBuildEvent(event)) return parseBuildEvent(event, data) ?? { kind: 'ignored', event };
  if (!isJobEndEvent(event)) return { kind: 'ignored', event };
  const finished = finishedJob.safeParse(data);
  if (!finished.success) return undefined;
  const { job, pipeline } = finished.data;
  if (job.type !== undefined && TYPES_WITHOUT_TOKEN.has(job.type)) return { kind: 'ignored', event };
  const { id: job_id, state, finished_at } = job;
  return { kind: 'job_ended', event, job_id, pipeline_id: pipeline?.id, state, finished_at };
}

/** Undefined when it names no build, or no block step with a key that was unblocked. */
function parseBuildEvent(event: BuildEvent, data: unknown): WebhookEvent | undefined {
  const parsed = buildEvent.safeParse(data);
  const activated = event === 'job.activated' ? activatedJob.safeParse(data) : undefined;
  if (!parsed.success || activated?.success === false) return undefined;
  const { pipeline, build } = parsed.data;
  const { id: build_id, number: build_number, creator, meta_data, source: build_source } = build;
  const reason = toReason(meta_data?.[REASON_KEY]);
  const unblocks = activated?.data ? [activated.data.job] : [];
  const news = { pipeline_id: pipeline.id, build_number, build_id, creator, reason, unblocks };
  return { kind: 'build_news', event, news, build_source };
}

function isBuildEvent(event: string): event is BuildEvent {
  return BUILD_EVENTS.some((known) => known === event);
}

function isJobEndEvent(event: string): event is JobEndEvent {
  return JOB_END_EVENTS.some((known) => known === event);
}
