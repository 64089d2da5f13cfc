// What Buildkite says of a job, state by state. A job that counts as finished loses its credentials, so the doubt is
// always for the running job; and a 404 is no answer.

import { describe, expect, it } from 'vitest';
import { createBuildkiteJobs } from '../../../shared/buildkite/job-state.ts';
import { createRestApi } from '../../../shared/buildkite/rest-api.ts';
import { LookupError } from '../../../shared/operations/lookup-error.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import type { JsonResponse, OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

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
const ok = (json: unknown, headers: Record<string, string> = {}): JsonResponse => ({
  status: 200,
  json,
  headers: new Headers(headers),
});
const status = (code: number, headers: Record<string, string> = {}) => ({
  ...ok({ message: 'no' }, headers),
  status: code,
});

const NOW = Date.UTC(2026, 10, 24, 10);

function reader(response: JsonResponse | Error, apiUrl = 'https://api.buildkite.com') {
  const requested: OutgoingRequest[] = [];
  const buildkite = createBuildkiteJobs(
    createRestApi({
      sendRequest: async (request) => {
        requested.push(request);
        if (response instanceof Error) throw response;
        return response;
      },
      apiUrl,
      apiToken: 'api-token',
      clock: new TestClock(NOW),
    }),
  );
  return {
    asked: requested,
    read: async (id = JOB_ID, slug = 'acme-inc') => {
      const { value, remaining } = await buildkite.job(slug, id);
      return { ...value, remaining };
    },
    page: (after?: string) => buildkite.page(BUILD, after),
    limits: async () => {
      const { remaining, malformed } = await buildkite.job('acme-inc', JOB_ID);
      return { remaining, nonsense: malformed };
    },
  };
}
const BUILD = { organization_slug: 'acme-inc', pipeline_slug: 'app', build_number: 42 };
const MIB = 1024 * 1024;

describe('a job is requested', () => {
  it('by its id and its organization, with the API token', async () => {
    const { asked, read } = reader(ok(running));
    await read();
    expect(asked).toEqual([
      {
        dependency: 'buildkite jobs',
        url: `https://api.buildkite.com/v2/organizations/acme-inc/jobs/${JOB_ID}`,
        headers: { authorization: 'Bearer api-token' },
        deadlineMs: 8_000,
        maxBytes: 8 * MIB,
        noResend: true,
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
    ['an agent without any facts', { ...running, agent: {} }],
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

describe('a response that has nothing about the job', () => {
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
    await expect(reading).rejects.toMatchObject({
      name: 'DependencyError',
      dependency: 'buildkite jobs',
      kind: 'failed',
    });
    await expect(reading).rejects.toThrow('returned something unexpected');
  });

  it.each([401, 403])('is a refusal when the API token is not accepted: %i', async (code) => {
    await expect(reader(status(code)).read()).rejects.toMatchObject({
      name: 'DependencyError',
      kind: 'refused',
    });
  });

  it.each([500, 502, 503, 204, 400, 410])('may be retried: %i', async (code) => {
    const reading = reader(status(code)).read();
    await expect(reading).rejects.toMatchObject({ name: 'DependencyError', kind: 'failed' });
    await expect(reading).rejects.toThrow(`returned ${code}`);
  });

  it('never says the API token', async () => {
    const down = new DependencyError('buildkite jobs', 'unreachable', 'could not be reached');
    await expect(reader(down).read()).rejects.toMatchObject({ message: down.message, cause: down });
    await expect(reader(status(401)).read()).rejects.not.toThrow(/api-token/);
  });
});

describe('a lookup that fails', () => {
  it.each([
    [
      'its response is too large',
      new DependencyError('x', 'response_too_large', 'returned more than 1 bytes'),
      'too_large',
    ],
    ['it is too slow', new DependencyError('x', 'timed_out', 'no response within 8000 ms'), 'failed'],
    [
      'the connection failed',
      new DependencyError('x', 'unreachable', 'could not be reached', { cause: new Error() }),
      'unreachable',
    ],
  ])('says whether that is of these jobs alone: %s', async (_, error, kind) => {
    await expect(reader(error).read()).rejects.toMatchObject({ name: 'DependencyError', kind });
    await expect(reader(error).page()).rejects.toMatchObject({ kind });
  });

  it('is known for one also when it comes from another bundle', () => {
    const { message } = new LookupError('limited', 'returned 429');
    const other = (kind: unknown) => Object.assign(new Error(message), { name: 'DependencyError', kind });
    expect([LookupError.is(other('limited')), LookupError.is(other('x')), LookupError.is(other(undefined))]).toEqual([
      true,
      false,
      false,
    ]);
    expect(LookupError.is(new DependencyError('ledger', 'call_failed', 'failed'))).toBe(false);
  });
});

describe('a page of the jobs of a build', () => {
  const links = { self: 'https://api.buildkite.com/x', next: null as string | null };

  it('is requested by the build, a hundred jobs at a time, and from a cursor on', async () => {
    const { asked, page } = reader(ok({ items: [], links }));
    await page();
    await page('a+b=');
    const url = 'https://api.buildkite.com/v2/organizations/acme-inc/pipelines/app/builds/42/jobs?per_page=100';
    expect(asked).toMatchObject([{ url, maxBytes: 8 * MIB, noResend: true }, { url: `${url}&after=a%2Bb%3D` }]);
  });

  it('has the state of each job, by its id in lower case', async () => {
    const other = '0184990a-477b-4fa8-9968-0000000000ff';
    const items = [
      { ...running, id: JOB_ID.toUpperCase() },
      { ...running, id: other, state: 'passed' },
    ];
    const { value } = await reader(ok({ items, links })).page();
    expect([...(value?.jobs ?? [])].map(([id, job]) => [id, job?.outcome])).toEqual([
      [JOB_ID, 'running'],
      [other, 'finished'],
    ]);
    expect(value?.next).toBeUndefined();
  });

  it('is read although one of its jobs makes no sense', async () => {
    const items = [running, { ...running, id: 'other', state: 7 }, { state: 'passed' }, 'passed', null];
    const { value } = await reader(ok({ items, links })).page();
    expect([...(value?.jobs ?? [])].map(([id, job]) => [id, job?.outcome])).toEqual([
      [JOB_ID, 'running'],
      ['other', undefined],
    ]);
  });

  it.each([
    'https://api.buildkite.com/v2/x?per_page=100&after=c%2B1',
    '/v2/x?after=c%2B1',
    'https://evil.example/?after=c%2B1',
  ])('names the next page by its cursor alone: %s', async (next) => {
    const { value } = await reader(ok({ items: [], links: { ...links, next } })).page();
    expect(value?.next).toBe('c+1');
  });

  it('is undefined where Buildkite shows no such build', async () => {
    expect((await reader(status(404)).page()).value).toBeUndefined();
  });

  it.each([
    ['a list', [running]],
    ['items that are no list', { items: {}, links }],
    ['a link without a cursor', { items: [], links: { next: 'https://api.buildkite.com/v2/x?page=2' } }],
    ['a link that is none', { items: [], links: { next: '' } }],
    ['nothing', undefined],
  ])('is a failure when it is %s', async (_, json) => {
    await expect(reader(ok(json)).page()).rejects.toMatchObject({ kind: 'failed' });
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
    ['fewer than none left', { 'RateLimit-Remaining': '-14', 'RateLimit-User-Remaining': '7' }, 0],
  ])('is the calls left: %s', async (_, headers, remaining) => {
    const limits = await reader(ok(running, headers as Record<string, string>)).limits();
    expect(limits).toEqual({ remaining, nonsense: [] });
  });

  it.each([
    [{ 'RateLimit-Remaining': 'many', 'RateLimit-User-Remaining': '7' }, 7, ['RateLimit-Remaining']],
    [
      { 'RateLimit-User-Remaining': '1.5', 'RateLimit-Reset': '-90' },
      undefined,
      ['RateLimit-User-Remaining', 'RateLimit-Reset'],
    ],
    [
      { 'RateLimit-Remaining': '0x10', 'RateLimit-User-Reset': 'soon' },
      undefined,
      ['RateLimit-Remaining', 'RateLimit-User-Reset'],
    ],
  ])('is named where it makes no sense: %j', async (headers, remaining, nonsense) => {
    const limits = await reader(ok(running, headers as unknown as Record<string, string>)).limits();
    expect(limits).toEqual({ remaining, nonsense });
  });

  it.each([
    ['a minute when it does not say', {}, {}, 60],
    ['as long as the organization must', { 'RateLimit-Reset': '3' }, {}, 3],
    ['as long as the user must', { 'RateLimit-Reset': '90', 'RateLimit-User-Reset': '120' }, {}, 120],
    ['as long as the response says', { 'RateLimit-Reset': '90', 'Retry-After': '200' }, { reset: 5 }, 200],
    ['a second at least', { 'Retry-After': '0' }, {}, 1],
    ['five minutes at most', { 'Retry-After': '86400' }, {}, 300],
    ['until a date', { 'Retry-After': 'Tue, 24 Nov 2026 10:01:30 GMT' }, {}, 90],
    ['a second when the date is past', { 'Retry-After': 'Tue, 24 Nov 2026 09:00:00 GMT' }, {}, 1],
    ['a minute when it is given another date', { 'Retry-After': '2026-11-24T10:01:30Z' }, {}, 60],
    ['a minute when it is given nonsense', { 'RateLimit-Reset': '-90' }, {}, 60],
    ['as long as the body says when no header does', { 'RateLimit-Reset': 'soon' }, { reset: 200 }, 200],
    ['a minute when the body is nonsense', {}, { reset: '200' }, 60],
    ['a minute when the body is negative', {}, { reset: -5 }, 60],
  ])('is the time until the next request after too many requests: %s', async (_, headers, json, retryAfter) => {
    const response = { ...status(429, headers as Record<string, string>), json };
    await expect(reader(response).read()).rejects.toMatchObject({
      name: 'DependencyError',
      kind: 'limited',
      retryAfter,
    });
  });
});
