// The fake Buildkite's builds are as strict as the documentation of the REST API.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../../../../sandbox/fakes/buildkite/buildkite.ts';
import type { FakeUser } from '../../../../../sandbox/fakes/buildkite/builds.ts';

import { API_TOKEN } from '../../../../../sandbox/fakes/buildkite/rest-api.ts';

import { TEAMS_API_TOKEN } from '../../../../../sandbox/fakes/buildkite/teams.ts';
import { TestClock } from '../../../../fixtures/test-clock.ts';

const ANNE: FakeUser = { id: '0184990a-477b-4fa8-9968-496074483ca1', name: 'Anne' };
const NOBODY = '0184990a-477b-4fa8-9968-496074483ce5';
const BERT: FakeUser = { id: '0184990a-477b-4fa8-9968-496074483cb2', name: 'Bert' };

/** Each test has a minute to itself, because requests are limited. */
const clock = new TestClock(Date.UTC(2026, 10, 24, 10));
let buildkite: FakeBuildkite;
beforeAll(async () => {
  buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: 'x', clock });
  buildkite.builds.people.push(ANNE, BERT);
});
afterAll(() => buildkite.close());

async function call(path: string, { method = 'GET', token = buildkite.builds.apiTokenOf(ANNE), body = '' } = {}) {
  const response = await fetch(`${buildkite.url}/v2/organizations/acme-inc/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(method === 'GET' ? {} : { body }),
  });
  return { status: response.status, json: JSON.parse(await response.text()) };
}

function started() {
  clock.advance(60_000);
  const { builds } = buildkite;
  const build = builds.start({ creator: ANNE, metaData: { why: 'x' } });
  const step = builds.addBlockStep(build, 'approve');
  return { builds, build, step, path: `pipelines/app/builds/${build.number}` };
}

describe('a build', () => {
  it('is shown with who started it, its pipeline, its metadata and its jobs', async () => {
    const { builds, build, step, path } = started();
    const job = buildkite.startJob(builds.claimsOf(build));
    const { status, json } = await call(path, { token: API_TOKEN });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      ...{ id: build.id, number: build.number, source: 'ui', blocked: true, meta_data: { why: 'x' } },
      ...{ creator: { id: ANNE.id }, pipeline: { id: build.pipeline.id, slug: 'app' } },
      jobs: [
        { id: job.id, type: 'script', state: 'running' },
        { id: step.id, type: 'manual', step_key: 'approve', step: { id: step.step_id }, state: 'blocked' },
      ],
      job_state_counts: { total: 2, states: { running: 1, blocked: 1 } },
    });
    expect(json.jobs[1]).toMatchObject({ unblocked_by: null, unblocked_at: null, unblockable: true });
  });

  it('is shown without its jobs or its pipeline, or with jobs of some states, on request', async () => {
    const { builds, step, path } = started();
    builds.unblock(step, BERT);
    expect((await call(`${path}?exclude_jobs=true`)).json).not.toHaveProperty('jobs');
    expect((await call(`${path}?exclude_pipeline=true`)).json).not.toHaveProperty('pipeline');
    const ids = async (query: string) => (await call(`${path}?${query}`)).json.jobs.map(({ id }: { id: string }) => id);
    expect(await ids('job_states[]=blocked')).toEqual([]);
    expect(await ids('job_states[]=blocked&job_states[]=unblocked')).toEqual([step.id]);
  });

  it('has the jobs that were retried on request only', async () => {
    const { builds, build, step, path } = started();
    builds.unblock(step, BERT);
    const next = builds.retry(build, step);
    expect((await call(path)).json.jobs).toMatchObject([{ id: next.id, state: 'blocked' }]);
    const { jobs } = (await call(`${path}?include_retried_jobs=true`)).json;
    expect(jobs).toMatchObject([
      { id: step.id, retried: true, step: { id: step.step_id } },
      { id: next.id, retried: false, step: { id: step.step_id } },
    ]);
    expect(() => builds.retry(build, step)).toThrow();
  });

  it.each([
    ['a parameter that is not documented', 'builds/1?jobs=all', 422],
    ['a switch that is neither true nor false', 'builds/1?exclude_jobs=yes', 422],
    ['jobs that have finished, in whatever way', 'builds/1?job_states[]=finished', 422],
    ['jobs of a state that is none', 'builds/1?job_states[]=done', 422],
    ['a number that no build has', 'builds/999', 404],
    ['no number', 'builds/latest', 404],
    ['another pipeline', '../other/builds/1', 404],
  ])('is not shown for %s', async (_, path, status) => {
    started();
    expect((await call(`pipelines/app/${path}`)).status).toBe(status);
  });
});

describe('a block step', () => {
  const unblock = (path: string, body: object | '' = '', token?: string) =>
    call(path, { method: 'PUT', body: body === '' ? '' : JSON.stringify(body), ...(token ? { token } : {}) });

  it('is unblocked by the owner of the API token, and Buildkite sends job.activated', async () => {
    const { builds, build, step, path } = started();
    const sent: string[][] = [];
    builds.onEvent = (event, body) => sent.push([event, body]);
    const { status, json } = await unblock(`${path}/jobs/${step.id}/unblock`, { fields: { why: 'x' } });
    builds.onEvent = undefined;
    expect(status).toBe(200);
    expect(json).toMatchObject({ id: step.id, state: 'unblocked', unblocked_by: { id: ANNE.id }, unblockable: false });
    expect(sent.map(([event]) => event)).toEqual(['job.activated']);
    expect(JSON.parse(sent[0]?.[1] ?? '')).toMatchObject({
      ...{ event: 'job.activated', job: json, pipeline: { id: build.pipeline.id } },
      build: { id: build.id, number: build.number, creator: { id: ANNE.id } },
    });
    expect(JSON.parse(sent[0]?.[1] ?? '').build).not.toHaveProperty('jobs');
  });

  it('is unblocked in the name of another member of the organization, which Buildkite allows every token with write_builds', async () => {
    const { step } = started();
    const { json } = await unblock(`jobs/${step.id}/unblock`, { unblocker: BERT.id });
    expect(json).toMatchObject({ unblocked_by: { id: BERT.id } });
  });

  it.each<[string, (given: ReturnType<typeof started>) => Promise<{ status: number; json: unknown }>, number, string]>([
    [
      'by an API token without write_builds',
      ({ step }) => unblock(`jobs/${step.id}/unblock`, '', API_TOKEN),
      403,
      'Forbidden',
    ],
    [
      'by the API token that reads teams',
      ({ step }) => unblock(`jobs/${step.id}/unblock`, '', TEAMS_API_TOKEN),
      403,
      'Forbidden',
    ],
    [
      'by somebody who left the organization',
      ({ step }) => unblock(`jobs/${step.id}/unblock`, '', buildkite.builds.apiTokenOf({ ...ANNE, id: NOBODY })),
      422,
      'Unblocker is not a valid user id for this organization',
    ],
    [
      'in the name of a name',
      ({ step }) => unblock(`jobs/${step.id}/unblock`, { unblocker: 'Bert' }),
      422,
      'Unblocker is not a valid user id for this organization',
    ],
    [
      'with fields that are no texts',
      ({ step }) => unblock(`jobs/${step.id}/unblock`, { fields: { why: ['x'] } }),
      422,
      'the body has a property that is not documented',
    ],
    ['that nobody knows', () => unblock(`jobs/${NOBODY}/unblock`), 404, 'No job found'],
    [
      'in the name of somebody else',
      ({ step }) => unblock(`jobs/${step.id}/unblock`, { unblocker: NOBODY }),
      422,
      'Unblocker is not a valid user id for this organization',
    ],
    [
      'of a canceled build',
      ({ build, step }) => {
        build.canceled = true;
        return unblock(`jobs/${step.id}/unblock`);
      },
      422,
      'Jobs from canceled builds cannot be unblocked',
    ],
    [
      'that is a script',
      ({ builds, build }) => unblock(`jobs/${buildkite.startJob(builds.claimsOf(build)).id}/unblock`),
      400,
      'This job type cannot be unblocked',
    ],
    [
      'a second time',
      async ({ step }) => {
        await unblock(`jobs/${step.id}/unblock`);
        return unblock(`jobs/${step.id}/unblock`);
      },
      422,
      'This job has already been unblocked',
    ],
    [
      'of another build',
      ({ step }) => unblock(`pipelines/app/builds/999/jobs/${step.id}/unblock`),
      404,
      'No job found',
    ],
    [
      'with a property that is not documented',
      ({ step }) => unblock(`jobs/${step.id}/unblock`, { by: BERT.id }),
      422,
      'the body has a property that is not documented',
    ],
  ])('is not unblocked %s', async (_, attempt, status, message) => {
    expect(await attempt(started())).toEqual({ status, json: { message } });
  });
});
