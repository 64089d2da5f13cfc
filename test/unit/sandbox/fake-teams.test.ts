// The fake's teams are as strict as Buildkite's documentation: scopes, pages, secret teams, unknown parameters, and how many there may be.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../../sandbox/fakes/buildkite/buildkite.ts';
import { API_TOKEN } from '../../../sandbox/fakes/buildkite/rest-api.ts';
import { type FakeTeam, PEOPLE_API_TOKEN, TEAMS_API_TOKEN } from '../../../sandbox/fakes/buildkite/teams.ts';

let buildkite: FakeBuildkite;
let team: FakeTeam;
let secret: FakeTeam;
beforeEach(async () => {
  buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: 'token' });
  const { teams } = buildkite;
  [team, secret] = [teams.createTeam('platform'), teams.createTeam('release', { privacy: 'secret' })];
  for (let nth = 0; nth < 130; nth += 1) teams.join(team, teams.createPerson(`Person ${nth}`));
  team.pipelines.set('0184990a-4782-42b5-afc1-16715b10b1f0', 'read_only');
});
afterEach(() => buildkite.close());

async function get(path: string, token = TEAMS_API_TOKEN, method = 'GET') {
  const response = await fetch(`${buildkite.url}/v2/organizations/acme-inc/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
  });
  const json = (await response.json()) as { [name: string]: unknown }[] & { [name: string]: unknown };
  return { status: response.status, headers: response.headers, json };
}

it('lists members by page, and names the next one with the limits of requests', async () => {
  const first = await get(`teams/${team.id}/members?per_page=100`);
  expect([first.status, first.json.length]).toEqual([200, 100]);
  expect(Object.keys(first.json[0] ?? {}).sort()).toEqual(['created_at', 'role', 'user_id', 'user_name']);
  expect(first.headers.get('link')).toContain(`/teams/${team.id}/members?page=2&per_page=100>; rel="next"`);
  expect(first.headers.get('ratelimit-user-remaining')).toBe('49');
  const second = await get(`teams/${team.id}/members?per_page=100&page=2`);
  expect([second.json.length, second.headers.get('link')?.includes('rel="next"')]).toEqual([30, false]);
  expect((await get(`teams/${team.id}/members`)).json).toHaveLength(30);
});

it('shows a team, its pipelines, one of its members and one of its pipelines', async () => {
  const [pipeline] = (await get(`teams/${team.id}/pipelines`)).json;
  expect(pipeline).toMatchObject({ access_level: 'read_only', pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0' });
  expect((await get(`teams/${team.id}`)).json).toMatchObject({ id: team.id, slug: 'platform', privacy: 'visible' });
  const { user } = team.members[0] as FakeTeam['members'][number];
  expect((await get(`teams/${team.id}/members/${user.id}`)).json).toMatchObject({ user_name: user.name });
  expect((await get(`teams/${team.id}/pipelines/${pipeline?.pipeline_id}`)).status).toBe(200);
  buildkite.teams.leave(team, user);
  expect((await get(`teams/${team.id}/members/${user.id}`)).status).toBe(404);
});

it('lists teams, also those of a user', async () => {
  expect((await get('teams')).json.map(({ slug }) => slug)).toEqual(['platform', 'release']);
  expect((await get(`teams?user_id=${team.members[0]?.user.id}`)).json).toHaveLength(1);
  const [{ user } = { user: undefined }] = team.members;
  if (user) buildkite.teams.join(secret, user);
  const paged = await get(`teams?user_id=${user?.id}&per_page=1`);
  expect(paged.headers.get('link')).toContain(`?page=2&per_page=1&user_id=${user?.id}>; rel="next"`);
  expect((await get('members?per_page=100', PEOPLE_API_TOKEN)).json).toHaveLength(100);
});

it('hides secret teams from those who may not see them', async () => {
  buildkite.teams.ownerIsAdministrator = false;
  expect((await get('teams')).json.map(({ slug }) => slug)).toEqual(['platform']);
  expect((await get(`teams/${secret.id}/members`)).status).toBe(404);
});

it.each<[string, () => Promise<{ readonly status: number }>, number]>([
  ['another scope', () => get(`teams/${team.id}/members`, API_TOKEN), 403],
  ['people by the token for teams', () => get('members'), 403],
  ['pipelines by the token for teams', () => get('pipelines'), 403],
  ['the organization by the token for teams', () => get(''), 403],
  ['an unknown token', () => get('teams', 'nobody'), 401],
  ['an unknown team', () => get('teams/0184990a-4782-42b5-afc1-000000000000/members'), 404],
  ['a team by its slug', () => get('teams/platform/members'), 404],
  [
    'a team by its GraphQL ID',
    async () => get(`teams/${(await get(`teams/${team.id}`)).json.graphql_id}/members`),
    404,
  ],
  ['a team of another organization', () => get(`../other/teams/${team.id}/members`), 404],
  ['another list', () => get(`teams/${team.id}/suites`), 404],
  ['page 0', () => get(`teams/${team.id}/members?page=0`), 422],
  ['no entry a page', () => get(`teams/${team.id}/members?per_page=0`), 422],
  ['the team of a user by another parameter', () => get(`teams?user=${team.members[0]?.user.id}`), 422],
  ['an unknown parameter', () => get(`teams/${team.id}/members?limit=5`), 422],
  ['more than 100 entries', () => get(`teams/${team.id}/members?per_page=101`), 422],
  ...['DELETE', 'PATCH', 'POST', 'PUT'].map((method): [string, () => ReturnType<typeof get>, number] => [
    method,
    () => get(`teams/${team.id}/members`, TEAMS_API_TOKEN, method),
    405,
  ]),
])('refuses %s', async (_, request, status) => {
  expect((await request()).status).toBe(status);
});

it('has nothing on a page after the last, and no link to another', async () => {
  const beyond = await get(`teams/${team.id}/members?per_page=100&page=3`);
  expect([beyond.status, beyond.json]).toEqual([200, []]);
  expect(beyond.headers.get('link')).not.toContain('rel="next"');
});

it('has 250 teams at most', () => {
  for (let nth = 2; nth < 250; nth += 1) buildkite.teams.createTeam(`team-${nth}`);
  expect(() => buildkite.teams.createTeam('one-more')).toThrow('250');
});
