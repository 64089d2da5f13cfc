// What the command reads of an organization at Buildkite, and what it makes of responses that are none.

import { describe, expect, it } from 'vitest';
import { readBuildkiteOrganization } from '../../../cli/buildkite-organization.ts';
import type { JsonResponse, OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const ID = 'F892EFA9-103E-4D28-97A1-3B8616A0994D';
const ORGANIZATION = { id: ID, slug: 'acme-inc', name: 'Acme' };
const pipeline = (slug: string, nth: number, archived_at: string | null = null) => ({
  id: `0184990a-4782-42b5-afc1-00000000000${nth}`,
  slug,
  archived_at,
});
const response = (json: unknown, headers: Record<string, string> = {}, status = 200): JsonResponse => ({
  status,
  json,
  headers: new Headers(headers),
});
const NEXT = 'https://api.buildkite.com/v2/organizations/acme-inc/pipelines?page=2&per_page=100';
const LAST = '<https://api.buildkite.com/first?page=1>; rel="first", <https://api.buildkite.com/p?page=1>; rel="prev"';

function read(responses: readonly JsonResponse[]) {
  const left = [...responses];
  const requests: OutgoingRequest[] = [];
  const notes: string[] = [];
  const clock = new TestClock(0);
  const result = readBuildkiteOrganization(
    {
      sendRequest: async (request) => {
        requests.push(request);
        return left.shift() ?? response({}, {}, 500);
      },
      clock,
      apiUrl: 'https://api.buildkite.com/',
      apiToken: 'secret',
      note: (line) => notes.push(line),
    },
    'acme-inc',
  );
  return { result, requests, notes, clock };
}

describe('an organization at Buildkite', () => {
  it('is read with all pages of its pipelines, each pipeline once and sorted', async () => {
    const { result, requests } = read([
      response(ORGANIZATION),
      response([pipeline('web', 1), pipeline('old', 2, '2026-02-01 08:00:00 UTC')], { link: `<${NEXT}>; rel="next"` }),
      response([pipeline('web', 1), pipeline('app', 3)], { link: LAST }),
    ]);
    expect(await result).toEqual({
      organization: { id: ID.toLowerCase(), slug: 'acme-inc' },
      pipelines: [
        { slug: 'app', id: pipeline('', 3).id, archived: false },
        { slug: 'old', id: pipeline('', 2).id, archived: true },
        { slug: 'web', id: pipeline('', 1).id, archived: false },
      ],
    });
    const base = 'https://api.buildkite.com/v2/organizations/acme-inc';
    expect(requests.map(({ url }) => url)).toEqual([
      base,
      `${base}/pipelines?page=1&per_page=100`,
      `${base}/pipelines?page=2&per_page=100`,
    ]);
  });

  it('sends the token to no address that a response names', async () => {
    const { result, requests } = read([
      response(ORGANIZATION),
      response([], { link: '<https://evil.example/?page=2>; rel="next"' }),
      response([]),
    ]);
    await result;
    expect(requests.every(({ url }) => url.startsWith('https://api.buildkite.com/v2/'))).toBe(true);
  });

  it('fails on a next page that is not the next one', async () => {
    const { result } = read([
      response(ORGANIZATION),
      response([], { link: `<${NEXT}&page=1>; rel="next"`.replace('page=2&', '') }),
    ]);
    await expect(result).rejects.toThrow(/link/);
  });

  it('waits as long as Buildkite says when it limits requests', async () => {
    const { result, clock } = read([
      response({}, { 'retry-after': '7' }, 429),
      response(ORGANIZATION),
      response({ reset: 3 }, {}, 429),
      response([]),
    ]);
    expect((await result).pipelines).toEqual([]);
    expect(clock.now()).toBe(10_000);
  });

  it('fails when Buildkite limits requests for the fourth time, and says for how long', async () => {
    const { result } = read(Array.from({ length: 4 }, () => response({}, { 'retry-after': '9' }, 429)));
    await expect(result).rejects.toThrow(/429.* 9 seconds/);
  });

  it.each([
    ['no organization', [response({ slug: 'acme-inc' })]],
    ['an organization without a UUID', [response({ slug: 'acme-inc', id: 'T3JnYW5p' })]],
    ['no list', [response(ORGANIZATION), response({ message: 'hello' })]],
    ['no JSON', [response(undefined)]],
  ])('fails on %s', async (_, responses) => {
    await expect(read(responses).result).rejects.toThrow(/not understood/);
  });

  it.each([401, 403, 404, 422, 500])('fails on %i with a message that has no token', async (status) => {
    const { result } = read([response({ message: 'secret' }, {}, status)]);
    await expect(result).rejects.toThrow(String(status));
    await expect(result).rejects.not.toThrow('secret');
  });
});
