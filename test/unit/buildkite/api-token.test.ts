// What Buildkite says of the API token: its scopes and its expiry alone, in the form of its documentation.

import { describe, expect, it } from 'vitest';
import { createApiTokenDescriber } from '../../../shared/buildkite/api-token.ts';
import { createRestApi } from '../../../shared/buildkite/rest-api.ts';
import type { OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

/** As in buildkite.com/docs/apis/rest-api/access-token. */
const DESCRIBED = {
  uuid: 'b63254c0-3271-4a98-8270-7cfbd6c2f14e',
  scopes: ['read_builds'],
  description: 'Keydesk',
  created_at: '2026-11-20 06:07:42 UTC',
  expires_at: '2026-11-27 06:07:42 UTC' as unknown,
  user: { email: 'machine@acme.example', name: 'Machine User' },
};

async function describeWith(json: unknown, status = 200) {
  const requested: OutgoingRequest[] = [];
  const restApi = createRestApi({
    sendRequest: async (request) => {
      requested.push(request);
      return { status, json, headers: new Headers({ 'ratelimit-remaining': '7' }) };
    },
    apiUrl: 'https://api.buildkite.com/',
    apiToken: 'api-token',
    clock: new TestClock(Date.UTC(2026, 10, 24)),
  });
  return { requested, response: createApiTokenDescriber(restApi)() };
}

describe('the API token', () => {
  it('is described by its scopes and its expiry, and not by its owner', async () => {
    const { requested, response } = await describeWith(DESCRIBED);
    expect(await response).toEqual({
      value: { scopes: ['read_builds'], expires_at: Date.UTC(2026, 10, 27, 6, 7, 42) },
      remaining: 7,
      malformed: [],
    });
    expect(requested).toMatchObject([
      { url: 'https://api.buildkite.com/v2/access-token', headers: { authorization: 'Bearer api-token' } },
    ]);
  });

  it.each([
    ['2026-11-27T06:07:42Z', Date.UTC(2026, 10, 27, 6, 7, 42)],
    ['2026-11-27T06:07:42.500Z', Date.UTC(2026, 10, 27, 6, 7, 42, 500)],
    [null, null],
    [undefined, null],
  ])('that expires at %s does so at %s', async (expires_at, expected) => {
    const { response } = await describeWith({ ...DESCRIBED, expires_at });
    expect((await response).value.expires_at).toBe(expected);
  });

  it.each([
    ['an expiry that is no time', { ...DESCRIBED, expires_at: 'in a week' }, 200, 'invalid_response'],
    ['no scopes', { ...DESCRIBED, scopes: undefined }, 200, 'invalid_response'],
    ['401', { message: 'no' }, 401, 'refused'],
    ['404', { message: 'no' }, 404, 'error_response'],
    ['429', { message: 'no' }, 429, 'rate_limited'],
    ['500', { message: 'no' }, 500, 'error_response'],
  ])('with %s is a failure', async (_, json, status, code) => {
    const { response } = await describeWith(json, status);
    await expect(response).rejects.toMatchObject({ dependency: 'buildkite jobs', code });
  });
});
