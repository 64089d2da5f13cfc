// Names of Buildkite users, as a command shows them: with the API token of the person who runs it, and without.

import { describe, expect, it } from 'vitest';
import { readPeople } from '../../../cli/buildkite-people.ts';
import type { JsonResponse, OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const [ANN, BOB] = ['0185c636-fcbf-4a6c-b49d-c4048e7b8aea', '0185dbbf-8447-4f72-ac7e-4ea3c2ec8381'];
const member = (id: string, name: string) => ({
  id: id.toUpperCase(),
  name,
  email: 'ann@acme.example',
  role: 'member',
});
const response = (json: unknown, headers: Record<string, string> = {}, status = 200): JsonResponse => ({
  status,
  json,
  headers: new Headers(headers),
});

let organizations = 0;
/** An organization that no other test has read. */
function open(responses: readonly JsonResponse[], apiToken: string | undefined = 'personal-token') {
  const left = [...responses];
  const requests: OutgoingRequest[] = [];
  organizations += 1;
  const organization = `acme-${organizations}`;
  const reader = {
    sendRequest: async (request: OutgoingRequest) => {
      requests.push(request);
      return left.shift() ?? response({}, {}, 500);
    },
    clock: new TestClock(0),
    apiUrl: 'https://api.buildkite.com',
    apiToken,
    note: () => {},
  };
  return { requests, people: (ids: readonly string[]) => readPeople(organization, ids, reader), organization };
}

describe('people at Buildkite', () => {
  it('are shown with their names, which are read once for one run', async () => {
    const next = '<https://api.buildkite.com/v2/members?page=2&per_page=100>; rel="next"';
    const { requests, people, organization } = open([
      response([member(ANN, 'Ann')], { link: next }),
      response([member(BOB, 'Bob')]),
    ]);
    const { show, hint } = await people([ANN, BOB]);
    expect([show(ANN), show(BOB), hint]).toEqual([`Ann (${ANN})`, `Bob (${BOB})`, undefined]);
    expect((await people([BOB])).show(BOB)).toBe(`Bob (${BOB})`);
    expect(requests.map(({ url }) => url)).toEqual(
      [1, 2].map(
        (page) => `https://api.buildkite.com/v2/organizations/${organization}/members?page=${page}&per_page=100`,
      ),
    );
    expect(requests[0]?.headers).toEqual({ authorization: 'Bearer personal-token' });
  });

  it('are shown with what is invisible in the names that they chose', async () => {
    const { people } = open([response([member(ANN, 'Ann\u001b[1A\u001b[2K\u202e')])]);
    expect((await people([ANN])).show(ANN)).toBe(`Ann<U+001B>[1A<U+001B>[2K<U+202E> (${ANN})`);
  });

  it('are not read where nobody is shown', async () => {
    const { requests, people } = open([]);
    expect((await people([])).hint).toBeUndefined();
    expect(requests).toEqual([]);
  });

  it('who left the organization are shown by UUID', async () => {
    const { show, hint } = await open([response([member(ANN, 'Ann')])]).people([ANN, BOB]);
    expect([show(ANN), show(BOB)]).toEqual([`Ann (${ANN})`, BOB]);
    expect(hint).toMatch(/^1 of 2 people/);
  });

  it.each<[string, ReturnType<typeof open>, RegExp]>([
    ['an API token', open([], ''), /BUILDKITE_API_TOKEN.*read_organizations/],
    ['the scope', open([response({}, {}, 403)]), /could not be read.*403.*read_organizations/],
    ['a response that is understood', open([response({ members: [] })]), /could not be read/],
  ])('without %s are shown by UUID, and a line says why', async (_, { people }, line) => {
    const { show, hint } = await people([ANN]);
    expect([show(ANN), hint]).toEqual([ANN, expect.stringMatching(line)]);
    expect(hint).not.toContain('personal-token');
  });
});
