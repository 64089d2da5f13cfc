// The fake Buildkite limits requests as the documentation says: 50 a minute for each user, 200 for the organization, counted together.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../../../../sandbox/fakes/buildkite/buildkite.ts';
import { RateLimits } from '../../../../../sandbox/fakes/buildkite/rate-limits.ts';
import { API_TOKEN } from '../../../../../sandbox/fakes/buildkite/rest-api.ts';
import { TEAMS_API_TOKEN } from '../../../../../sandbox/fakes/buildkite/teams.ts';
import { TestClock } from '../../../../fixtures/test-clock.ts';

const clock = new TestClock(Date.UTC(2026, 10, 24, 10));
beforeEach(() => clock.reset());

const repeat = <T>(count: number, work: (nth: number) => T) => Array.from({ length: count }, (_, nth) => work(nth));

describe('the limits', () => {
  let limits: RateLimits;
  beforeEach(() => {
    limits = new RateLimits(clock.now);
  });

  it('are of two kinds, with what is left of each', () => {
    limits.count('a');
    clock.advance(18_000);
    expect(limits.count('b')).toEqual({
      headers: {
        ...{ 'ratelimit-user-scope': 'rest_user', 'ratelimit-user-limit': '50' },
        ...{ 'ratelimit-user-remaining': '49', 'ratelimit-user-reset': '60' },
        ...{ 'ratelimit-scope': 'rest', 'ratelimit-limit': '200' },
        ...{ 'ratelimit-remaining': '198', 'ratelimit-reset': '42' },
      },
      refusal: undefined,
    });
  });

  it('refuse the 51st request of a user, who is warned with the 50th, and no other user', () => {
    repeat(49, () => limits.count('a'));
    clock.advance(18_000);
    const last = limits.count('a');
    expect(last.refusal).toBeUndefined();
    expect(last.headers).toMatchObject({
      'ratelimit-user-remaining': '0',
      'ratelimit-user-warning': 'You have exceeded your API rate limit.',
    });
    expect(last.headers).not.toHaveProperty('ratelimit-warning');
    expect(limits.count('a').refusal).toMatchObject({
      status: 429,
      json: {
        message: 'You have exceeded your API rate limit. Please wait 42 seconds before making more requests.',
        ...{ scope: 'rest_user', limit: 50, current: 51, reset: 42 },
      },
    });
    expect(limits.count('b').refusal).toBeUndefined();
  });

  it('count requests that are refused', () => {
    repeat(55, () => limits.count('a'));
    clock.advance(59_999);
    expect(limits.count('a').refusal).toMatchObject({ json: { current: 56 } });
    clock.advance(1);
    expect(limits.count('a').refusal).toBeUndefined();
  });

  it('refuse the 201st request of the organization, by whatever user', () => {
    repeat(200, (nth) => limits.count(`user ${nth % 4}`));
    expect(limits.count('another').refusal).toMatchObject({
      headers: { 'ratelimit-warning': expect.any(String) },
      json: { scope: 'rest', limit: 200, current: 201, reset: 60 },
    });
  });
});

describe('the API', () => {
  let buildkite: FakeBuildkite;
  beforeEach(async () => {
    buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: 'x', clock });
  });
  afterEach(() => buildkite.close());

  const get = (path: string, token: string, method = 'GET') =>
    fetch(`${buildkite.url}/v2/${path}`, { method, headers: { authorization: `Bearer ${token}` } });

  it('counts both API tokens of the machine user together, for each path, and people apart', async () => {
    const paths = [
      ['organizations/acme-inc/teams', TEAMS_API_TOKEN, 200],
      ['organizations/acme-inc/teams', API_TOKEN, 403],
      ['access-token', API_TOKEN, 200],
      ['organizations/acme-inc/jobs/0184990a-477b-4fa8-9968-496074483ca1', API_TOKEN, 404],
      ['organizations/other/teams', TEAMS_API_TOKEN, 404],
    ] as const;
    for (let round = 0; round < 10; round += 1)
      for (const [path, token, status] of paths) expect((await get(path, token)).status).toBe(status);
    const refused = await get('access-token', TEAMS_API_TOKEN);
    expect([refused.status, refused.headers.get('ratelimit-user-reset')]).toEqual([429, '60']);
    const person = buildkite.builds.apiTokenOf({ id: '0184990a-477b-4fa8-9968-496074483ca2', name: 'Anne' });
    expect((await get('access-token', person)).status).toBe(200);
    clock.advance(60_000);
    expect((await get('access-token', TEAMS_API_TOKEN)).status).toBe(200);
  });

  it('describes the API token of a person, and revokes none', async () => {
    const person = buildkite.builds.apiTokenOf({ id: '0184990a-477b-4fa8-9968-496074483ca2', name: 'Anne' });
    expect(await (await get('access-token', person)).json()).toMatchObject({ scopes: ['read_builds', 'write_builds'] });
    expect((await get('access-token', person, 'DELETE')).status).toBe(405);
    expect((await get('access-token?fields=scopes', person)).status).toBe(400);
  });
});
