// A page of a team's members or pipelines, in the form of Buildkite's documentation, and what is none.

import { describe, expect, it } from 'vitest';
import { createRestApi } from '../../../shared/buildkite/rest-api.ts';
import { createBuildkiteTeams } from '../../../shared/buildkite/teams.ts';
import type { OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const TEAM = { organization_slug: 'acme inc', team_id: 'c5e09619-8648-4896-a936-9d0b8b7b3fe9' };
const USER = '018C6030-B459-45B2-A844-951F0FC8A4E7';
/** As in buildkite.com/docs/apis/rest-api/teams/members and /pipelines. */
const MEMBER = { role: 'maintainer', created_at: '2023-03-14T00:49:55.534Z', user_id: USER, user_name: 'Ann' };
const PIPELINE = {
  access_level: 'manage_build_and_read' as string,
  created_at: '2023-12-12T21:57:40.306Z',
  pipeline_id: '018c5ad7-28f1-45d4-867e-b59fa04511b2',
  pipeline_url: 'http://api.buildkite.com/v2/organizations/acme-inc/pipelines/test-pipeline',
};

function open(json: unknown, { status = 200, link }: { status?: number; link?: string } = {}) {
  const requested: OutgoingRequest[] = [];
  const restApi = createRestApi({
    sendRequest: async (request) => {
      requested.push(request);
      return { status, json, headers: new Headers({ 'ratelimit-remaining': '7', ...(link ? { link } : {}) }) };
    },
    apiUrl: 'https://api.buildkite.com/',
    apiToken: 'teams-token',
    clock: new TestClock(Date.UTC(2026, 10, 24)),
    dependency: 'buildkite teams',
  });
  return { teams: createBuildkiteTeams(restApi), requested };
}
const next = (query: string) =>
  `<https://api.buildkite.com/v2/members?${query}>; rel="next", <https://x?page=9>; rel="last"`;

describe('a page of a team', () => {
  it('has the UUIDs of members, and no name', async () => {
    const { teams, requested } = open([MEMBER]);
    expect(await teams.members(TEAM, 1)).toEqual({
      value: { entries: [[USER.toLowerCase(), null]], more: false },
      ...{ remaining: 7, malformed: [] },
    });
    expect(requested).toMatchObject([
      {
        url: `https://api.buildkite.com/v2/organizations/acme%20inc/teams/${TEAM.team_id}/members?page=1&per_page=100`,
        headers: { authorization: 'Bearer teams-token' },
        dependency: 'buildkite teams',
        noResend: true,
      },
    ]);
  });

  it('has the UUIDs of pipelines, each with the access of the team', async () => {
    const { teams, requested } = open([PIPELINE], { link: next('per_page=100&page=4') });
    const { value } = await teams.pipelines(TEAM, 3);
    expect(value).toEqual({ entries: [[PIPELINE.pipeline_id, 'manage_build_and_read']], more: true });
    expect(requested[0]?.url).toMatch(/\/pipelines\?page=3&per_page=100$/);
  });

  it('may be empty', async () => {
    expect((await open([]).teams.members(TEAM, 1)).value).toEqual({ entries: [], more: false });
  });

  it('is undefined for a team that Buildkite does not show', async () => {
    const { teams } = open({ message: 'No team found' }, { status: 404 });
    expect([(await teams.members(TEAM, 1)).value, (await teams.pipelines(TEAM, 1)).value]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it.each<[string, unknown, Parameters<typeof open>[1], string]>([
    ['no list', { members: [] }, {}, 'invalid_response'],
    ['a member without a UUID', [{ ...MEMBER, user_id: 'ann' }], {}, 'invalid_response'],
    ['a link without a page', [MEMBER], { link: next('after=x') }, 'invalid_response'],
    ['a link to the same page', [MEMBER], { link: next('page=1') }, 'invalid_response'],
    ['a link to a later page', [MEMBER], { link: next('page=3') }, 'invalid_response'],
    ['a link that is no URL', [MEMBER], { link: '<next>; rel="next"' }, 'invalid_response'],
    ['401', {}, { status: 401 }, 'refused'],
    ['403', {}, { status: 403 }, 'refused'],
    ['429', {}, { status: 429 }, 'rate_limited'],
    ['500', {}, { status: 500 }, 'error_response'],
    ['400, as for a page that is very deep', {}, { status: 400 }, 'error_response'],
  ])('with %s is a failure of the dependency for teams', async (_, json, options, code) => {
    await expect(open(json, options).teams.members(TEAM, 1)).rejects.toMatchObject({
      dependency: 'buildkite teams',
      code,
    });
  });

  it.each(['admin', 'read', ''])('with an access level that is not known fails: %j', async (access_level) => {
    const { teams } = open([{ ...PIPELINE, access_level }]);
    await expect(teams.pipelines(TEAM, 1)).rejects.toMatchObject({ code: 'invalid_response' });
  });
});
