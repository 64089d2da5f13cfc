// The webhooks of Buildkite's notification service about a job: the body of `job.finished` and similar events, without the
// signature.
// Source: https://buildkite.com/docs/apis/webhooks/pipelines/job-events.

import { randomUUID } from 'node:crypto';
import type { Job } from './job.ts';

/** `url` is the URL of the API; `claims` are those of the job's tokens; `finishedAt` is in milliseconds. */
export function eventBody(
  url: string,
  event: string,
  job: Job,
  { claims, finishedAt }: { readonly claims: Readonly<Record<string, unknown>>; readonly finishedAt: number },
): object {
  const build = `${url}/v2/organizations/${claims.organization_slug}/pipelines/${claims.pipeline_slug}/builds/${claims.build_number}`;
  return {
    event,
    job: {
      id: job.id,
      type: 'script',
      name: 'Deploy',
      step_key: claims.step_key,
      state: job.state,
      build_url: build,
      command: './deploy.sh',
      soft_failed: false,
      exit_status: 0,
      agent: { id: claims.agent_id, name: 'agent-1', connection_state: 'connected', job: null },
      retried: false,
      finished_at: new Date(finishedAt).toISOString(),
    },
    build: {
      id: randomUUID(),
      number: claims.build_number,
      state: 'running',
      branch: claims.build_branch,
      finished_at: null,
    },
    pipeline: { id: claims.pipeline_id, slug: claims.pipeline_slug, provider: { id: 'github', settings: {} } },
    sender: { id: randomUUID(), name: 'Webhook Creator' },
  };
}
