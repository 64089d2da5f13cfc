// What Buildkite says of a job, state by state. Whoever is said to have finished loses what it holds, so the doubt is
// always for the running job; and a 404 is no answer.

import { describe, expect, it } from 'vitest';
import { createJobStateReader } from '../../../shared/buildkite/job-state.ts';
import type { Outgoing, OutgoingAnswer } from '../../../shared/outgoing.ts';
import { Unavailable } from '../../../shared/unavailable.ts';

const JOB_ID = '0184990a-477b-4fa8-9968-496074483cee';
const FINISHED_AT = '2026-11-24T10:00:00.000Z';

/** As Buildkite answers for a job that an agent runs; cut short. */
const running = {
  id: JOB_ID,
  type: 'script',
  state: 'running',
  exit_status: null,
  agent: { id: '0184990a-4782-42b5-afc1-16715b10b8ff', connection_state: 'connected' },
  finished_at: null,
};
const ok = (json: unknown, headers: Record<string, string> = {}): OutgoingAnswer => ({
  status: 200,
  json,
  headers: new Headers(headers),
});
const status = (code: number, headers: Record<string, string> = {}) => ({
  ...ok({ message: 'no' }, headers),
  status: code,
});

function reader(answer: OutgoingAnswer | Error, apiUrl = 'https://api.buildkite.com') {
  const asked: Outgoing[] = [];
  const read = createJobStateReader({
    ask: async (request) => {
      asked.push(request);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    apiUrl,
    apiToken: 'api-token',
  });
  return { asked, read: (id = JOB_ID, slug = 'acme-inc') => read(slug, id) };
}

describe('a job is asked for', () => {
  it('by its id and its organization, with the API token', async () => {
    const { asked, read } = reader(ok(running));
    await read();
    expect(asked).toEqual([
      {
        what: 'buildkite jobs',
        url: `https://api.buildkite.com/v2/organizations/acme-inc/jobs/${JOB_ID}`,
        headers: { authorization: 'Bearer api-token' },
      },
    ]);
  });

  it('under the base URL, whatever its slash and whatever the names', async () => {
    const { asked, read } = reader(ok({ ...running, id: 'a?b' }), 'http://127.0.0.1:9/');
    await read('a?b', 'x/../y');
    expect(asked[0]?.url).toBe('http://127.0.0.1:9/v2/organizations/x%2F..%2Fy/jobs/a%3Fb');
  });
});

describe('the state of a job', () => {
  const NOT_STARTED = [
    'pending',
    'waiting',
    'limiting',
    'limited',
    'platform_limiting',
    'platform_limited',
    'scheduled',
    'reserved',
  ];
  const ON_AGENT = ['assigned', 'accepted', 'running', 'canceling', 'timing_out'];
  const ENDED = ['passed', 'failed', 'finished', 'canceled', 'timed_out', 'expired', 'skipped', 'broken'];
  const NEVER_RAN = ['waiting_failed', 'blocked_failed', 'unblocked_failed'];
  const OF_BLOCKS = ['blocked', 'unblocked'];

  it.each([...NOT_STARTED, ...ON_AGENT])('%s means that it runs, whatever else is said', async (state) => {
    for (const finished_at of [null, FINISHED_AT])
      expect(await reader(ok({ ...running, state, finished_at })).read()).toEqual({
        outcome: 'running',
        job_state: state,
        finished_at: undefined,
        remaining: undefined,
      });
  });

  it('comes with the time at which it finished', async () => {
    const finished = await reader(ok({ ...running, state: 'passed', finished_at: FINISHED_AT })).read();
    expect(finished.finished_at).toBe(Date.parse(FINISHED_AT));
    const timeless = await reader(ok({ ...running, state: 'passed', finished_at: 'then' })).read();
    expect(timeless.finished_at).toBeUndefined();
  });

  it.each(ENDED)('%s means that it has finished, also without a time', async (state) => {
    for (const finished_at of [null, FINISHED_AT])
      expect(await reader(ok({ ...running, state, finished_at })).read()).toMatchObject({
        outcome: 'finished',
        job_state: state,
      });
  });

  it.each([...NEVER_RAN, ...OF_BLOCKS, 'new_in_2027'])(
    '%s means that it has finished once there is a time',
    async (state) => {
      const { finished_at: _, ...timeless } = running;
      expect(await reader(ok({ ...running, state, finished_at: FINISHED_AT })).read()).toMatchObject({
        outcome: 'finished',
        job_state: state,
      });
      expect(await reader(ok({ ...running, state })).read()).toMatchObject({ outcome: 'running', job_state: state });
      expect(await reader(ok({ ...timeless, state })).read()).toMatchObject({ outcome: 'running', job_state: state });
    },
  );

  it('does not matter when its agent is lost: nobody holds what it held', async () => {
    for (const state of ON_AGENT)
      expect(await reader(ok({ ...running, state, agent: { connection_state: 'lost' } })).read()).toMatchObject({
        outcome: 'finished',
        job_state: 'agent_lost',
      });
    const passed = { ...running, state: 'passed', agent: { connection_state: 'lost' } };
    expect(await reader(ok(passed)).read()).toMatchObject({ outcome: 'finished', job_state: 'passed' });
  });

  it.each(['never_connected', 'connected', 'disconnected', 'stopping', 'stopped'])(
    'counts while its agent is anything but lost: %s',
    async (connection_state) => {
      expect(await reader(ok({ ...running, agent: { connection_state } })).read()).toMatchObject({
        outcome: 'running',
      });
    },
  );

  it.each([
    ['no agent', { ...running, agent: null }],
    ['an agent of which nothing is said', { ...running, agent: {} }],
    ['an agent whose connection is null', { ...running, agent: { connection_state: null } }],
    ['its id in capitals', { ...running, id: JOB_ID.toUpperCase() }],
    ['more than we know', { ...running, concurrency: 1, unblocked_by: null }],
  ])('is read with %s', async (_, json) => {
    expect(await reader(ok(json)).read()).toMatchObject({ outcome: 'running', job_state: 'running' });
  });

  it('is unknown when Buildkite does not show the job to us, which is no end', async () => {
    expect(await reader(status(404, { 'RateLimit-Remaining': '12' })).read()).toEqual({
      outcome: 'unknown',
      job_state: undefined,
      remaining: 12,
    });
  });
});

describe('an answer that tells nothing of the job', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a list', [running]],
    ["another job's state", { ...running, id: '0184990a-477b-4fa8-9968-0000000000ff', state: 'passed' }],
    ['no id', { ...running, id: undefined }],
    ['no state', { ...running, state: undefined }],
    ['a state that is no text', { ...running, state: 1 }],
    ['a state of 65 characters', { ...running, state: 'x'.repeat(65) }],
    ['an end that is no text', { ...running, finished_at: 1 }],
    ['an agent that is text', { ...running, agent: 'lost' }],
  ])('is unavailable: %s', async (_, json) => {
    const reading = reader(ok(json)).read();
    await expect(reading).rejects.toMatchObject({ name: 'Unavailable', what: 'buildkite jobs', refused: false });
    await expect(reading).rejects.toThrow('answered something unexpected');
  });

  it.each([401, 403])('is a refusal when the API token is not accepted: %i', async (code) => {
    await expect(reader(status(code)).read()).rejects.toMatchObject({
      name: 'Unavailable',
      refused: true,
      retryAfter: 2,
    });
  });

  it.each([500, 502, 503, 204, 400, 410])('may be asked for again: %i', async (code) => {
    const reading = reader(status(code)).read();
    await expect(reading).rejects.toMatchObject({ name: 'Unavailable', refused: false, retryAfter: 2 });
    await expect(reading).rejects.toThrow(`answered ${code}`);
  });

  it('never says the API token', async () => {
    const down = new Unavailable('buildkite jobs', 'could not be reached');
    await expect(reader(down).read()).rejects.toBe(down);
    await expect(reader(status(401)).read()).rejects.not.toThrow(/api-token/);
  });
});

describe('what Buildkite says of its limits', () => {
  it.each([
    ['nothing', {}, undefined],
    ["the organization's alone", { 'RateLimit-Remaining': '150' }, 150],
    ["the user's alone", { 'RateLimit-User-Remaining': '7' }, 7],
    ["the user's, which is less", { 'RateLimit-Remaining': '150', 'RateLimit-User-Remaining': '7' }, 7],
    ["the organization's, which is less", { 'RateLimit-Remaining': '3', 'RateLimit-User-Remaining': '7' }, 3],
    ['none left', { 'RateLimit-Remaining': '0', 'RateLimit-User-Remaining': '7' }, 0],
    ['one that is no number', { 'RateLimit-Remaining': 'many', 'RateLimit-User-Remaining': '7' }, 7],
    ['none that is a number', { 'RateLimit-Remaining': '-1', 'RateLimit-User-Remaining': '1.5' }, undefined],
  ])('is the calls left: %s', async (_, headers, remaining) => {
    const answer = await reader(ok(running, headers as Record<string, string>)).read();
    expect(answer).toEqual({ outcome: 'running', job_state: 'running', remaining });
  });

  it.each([
    ['a minute when it does not say', {}, 60],
    ['a minute at least', { 'RateLimit-Reset': '3' }, 60],
    ['as long as the organization must', { 'RateLimit-Reset': '90' }, 90],
    ['as long as the user must', { 'RateLimit-Reset': '90', 'RateLimit-User-Reset': '120' }, 120],
    ['as long as it asks for', { 'RateLimit-Reset': '90', 'Retry-After': '200' }, 200],
    ['five minutes at most', { 'Retry-After': '86400' }, 300],
    ['a minute when it is given a date', { 'Retry-After': 'Tue, 24 Nov 2026 10:00:00 GMT' }, 60],
    ['a minute when it is given nonsense', { 'RateLimit-Reset': '-90' }, 60],
  ])('is how long to leave it alone when it is asked too often: %s', async (_, headers, retryAfter) => {
    const reading = reader(status(429, headers as Record<string, string>)).read();
    await expect(reading).rejects.toMatchObject({ name: 'Unavailable', refused: false, retryAfter });
  });
});
