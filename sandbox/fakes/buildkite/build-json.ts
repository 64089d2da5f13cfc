// A build and its block steps as the REST API and webhooks show them: in a webhook, the build has no jobs.
// Sources: buildkite.com/docs/apis/rest-api/builds, /jobs, /docs/apis/webhooks/pipelines/build-events, /job-events.

import { randomUUID } from 'node:crypto';
import type { FakeBlockStep, FakeBuild, FakeUser } from './builds.ts';

/** What URLs are made of. */
export interface Names {
  /** Of the API, without a slash at its end. */
  readonly url: string;
  readonly organization: string;
}

const CREATED_AT = '2026-11-24T09:00:00.000Z';

/** What a webhook about the build has, without a job. */
export function buildEventBody({ url, organization }: Names, event: string, build: FakeBuild) {
  const { id, number, pipeline, source, creator, metaData, canceled, blockSteps } = build;
  const ofPipeline = `${url}/v2/organizations/${organization}/pipelines/${pipeline.slug}`;
  return {
    event,
    build: {
      id,
      graphql_id: toGraphqlId('Build', id),
      url: `${ofPipeline}/builds/${number}`,
      web_url: `https://buildkite.com/${organization}/${pipeline.slug}/builds/${number}`,
      number,
      state: canceled ? 'canceled' : 'running',
      cancel_reason: null,
      blocked: blockSteps.some(({ state }) => state === 'blocked'),
      message: 'Release',
      commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
      branch: 'main',
      tag: null,
      env: {},
      source,
      creator: creator && toUser(creator),
      created_at: CREATED_AT,
      scheduled_at: CREATED_AT,
      started_at: null,
      finished_at: null,
      meta_data: metaData,
      pull_request: null,
      rebuilt_from: null,
    },
    pipeline: {
      id: pipeline.id,
      graphql_id: toGraphqlId('Pipeline', pipeline.id),
      url: ofPipeline,
      name: pipeline.slug,
      slug: pipeline.slug,
      repository: `git@github.com:acme/${pipeline.slug}.git`,
      provider: { id: 'github', settings: {} },
    },
    sender: { id: randomUUID(), name: 'Webhook Creator' },
  };
}

export function toManualJob({ organization }: Names, { number, pipeline }: FakeBuild, step: FakeBlockStep) {
  const { id, step_id, key, state, unblocked_by, unblocked_at, retried } = step;
  return {
    id,
    graphql_id: toGraphqlId('Job', id),
    type: 'manual',
    label: 'Approve',
    step_key: key,
    ...(step_id === null ? {} : { step: { id: step_id, signature: null } }),
    state,
    web_url: null,
    retried,
    unblocked_by: unblocked_by && toUser(unblocked_by),
    unblocked_at: unblocked_at === null ? null : new Date(unblocked_at).toISOString(),
    unblockable: state === 'blocked',
    unblock_url: `https://buildkite.com/${organization}/${pipeline.slug}/builds/${number}#${id}`,
  };
}

function toUser({ id, name }: FakeUser) {
  return {
    id,
    graphql_id: toGraphqlId('User', id),
    name,
    email: `${name.toLowerCase().replaceAll(' ', '.')}@acme.example`,
    avatar_url: 'https://www.gravatar.com/avatar/e14f55d3f939977cecbf51b64ff6f861',
    created_at: CREATED_AT,
  };
}

function toGraphqlId(type: string, id: string): string {
  return Buffer.from(`${type}---${id}`).toString('base64');
}
