// Teams, their members and pipelines, and the members of the organization, as the REST API shows them: by page number, 30 entries, or up to
// 100 by request. Tests let people join and leave; the API's own changes are not here. Refuses parameters that the documentation does not
// know. Sources: buildkite.com/docs/apis/rest-api/teams, /teams/members, /teams/pipelines, /organizations/members, /docs/platform/limits.

import { randomUUID } from 'node:crypto';
import type { TeamAccess } from '../../../shared/core/policy/conditions.ts';
import type { LocalReply, LocalRequest, LocalResponse } from '../../local-server.ts';
import { listPage } from './organization.ts';

/** The API token that may read teams: its scope is read_teams. */
export const TEAMS_API_TOKEN = 'sandbox-teams-api-token';
/** The API token of a person who may see pipelines, people and teams. */
export const PEOPLE_API_TOKEN = 'sandbox-people-api-token';
export const TEAM_SCOPES: Readonly<Record<string, readonly string[]>> = {
  [TEAMS_API_TOKEN]: ['read_teams'],
  [PEOPLE_API_TOKEN]: ['read_organizations', 'read_pipelines', 'read_teams'],
};

/** Teams of an organization. */
const MOST_TEAMS = 250;

export interface FakePerson {
  readonly id: string;
  readonly name: string;
}

export interface FakeTeam {
  readonly id: string;
  readonly slug: string;
  /** A secret team is shown to administrators and to its members alone. */
  readonly privacy: 'visible' | 'secret';
  /** In the order in which the list has them. */
  readonly members: { readonly user: FakePerson; readonly role: 'member' | 'maintainer' }[];
  readonly pipelines: Map<string, TeamAccess>;
}

export interface FakeTeams {
  readonly all: FakeTeam[];
  /** Of the organization. */
  readonly people: FakePerson[];
  /** Whether the owner of the API tokens is an administrator. A member of the organization sees no secret team. */
  ownerIsAdministrator: boolean;
  /** Runs before a request is handled; what it returns is sent instead. */
  before: ((path: string, query: URLSearchParams) => LocalReply | undefined) | undefined;
  /** Paths below the organization that were requested, with their query. */
  readonly requests: string[];
  createPerson(name: string): FakePerson;
  /** @throws Error when the organization has as many teams as it may have */
  createTeam(slug: string, options?: { readonly id?: string; readonly privacy?: FakeTeam['privacy'] }): FakeTeam;
  join(team: FakeTeam, user: FakePerson): void;
  leave(team: FakeTeam, user: FakePerson): void;
  /** @param path below the organization @returns undefined for another path */
  handle(request: LocalRequest, path: string, scopes: readonly string[]): LocalReply | undefined;
}

/** @param organizationUrl of the organization in the API, without a slash at its end */
export function createTeams(organizationUrl: () => string): FakeTeams {
  const all: FakeTeam[] = [];
  const people: FakePerson[] = [];
  const requests: string[] = [];
  const teams: FakeTeams = {
    all,
    people,
    requests,
    ownerIsAdministrator: true,
    before: undefined,
    createPerson: (name) => {
      const person = { id: randomUUID(), name };
      people.push(person);
      return person;
    },
    createTeam: (slug, { id = randomUUID(), privacy = 'visible' } = {}) => {
      if (all.length >= MOST_TEAMS) throw new Error(`an organization has ${MOST_TEAMS} teams at most`);
      const team: FakeTeam = { id, slug, privacy, members: [], pipelines: new Map() };
      all.push(team);
      return team;
    },
    join: ({ members }, user) => {
      if (!members.some((member) => member.user.id === user.id)) members.push({ user, role: 'member' });
    },
    leave: ({ members }, user) => {
      const at = members.findIndex((member) => member.user.id === user.id);
      if (at >= 0) members.splice(at, 1);
    },
    handle: ({ method, query }, path, scopes) => {
      const [first, id, list, entry, ...more] = path.split('/');
      if ((first !== 'teams' && path !== 'members') || more.length > 0) return undefined;
      requests.push(query.size > 0 ? `${path}?${query}` : path);
      if (method !== 'GET') return { status: 405, json: { message: 'The sandbox only shows teams' } };
      // The documentation names one scope for teams and another for their lists; API tokens can only have the first.
      const needed = first === 'teams' ? ['read_teams', 'view_teams'] : ['read_organizations'];
      if (!needed.some((scope) => scopes.includes(scope))) return FORBIDDEN;
      const instead = teams.before?.(path, query);
      if (instead) return instead;
      const url = `${organizationUrl()}/${path}`;
      if (first === 'members') return paged(people, { url, query, show: toOrganizationMember });
      const shown = all.filter(({ privacy }) => privacy === 'visible' || teams.ownerIsAdministrator);
      if (id === undefined) return listTeams(shown, url, query);
      const team = shown.find((one) => one.id === id);
      return team ? showTeam(team, { list, entry, url, query, organizationUrl: organizationUrl() }) : NO_TEAM;
    },
  };
  return teams;
}

const FORBIDDEN: LocalResponse = {
  status: 403,
  json: { message: 'Your access token does not have the required scope' },
};
const NO_TEAM: LocalResponse = { status: 404, json: { message: 'No team found' } };

function listTeams(teams: readonly FakeTeam[], url: string, query: URLSearchParams): LocalResponse {
  const user = query.get('user_id');
  const found = user === null ? teams : teams.filter(({ members }) => members.some((one) => one.user.id === user));
  return paged(found, { url, query, show: toTeam, parameters: ['user_id'] });
}

function showTeam(
  team: FakeTeam,
  at: {
    readonly list: string | undefined;
    readonly entry: string | undefined;
    readonly url: string;
    readonly query: URLSearchParams;
    readonly organizationUrl: string;
  },
): LocalResponse {
  const { list, entry, url, query, organizationUrl } = at;
  if (list === undefined) return { status: 200, json: toTeam(team) };
  const pipelines = [...team.pipelines];
  const toPipeline = (one: (typeof pipelines)[number]) => toTeamPipeline(one, organizationUrl);
  if (list === 'members' && entry === undefined) return paged(team.members, { url, query, show: toMember });
  if (list === 'pipelines' && entry === undefined) return paged(pipelines, { url, query, show: toPipeline });
  const member = list === 'members' ? team.members.find(({ user }) => user.id === entry) : undefined;
  if (member) return { status: 200, json: toMember(member) };
  const pipeline = list === 'pipelines' ? pipelines.find(([id]) => id === entry) : undefined;
  return pipeline ? { status: 200, json: toPipeline(pipeline) } : { status: 404, json: { message: 'Not Found' } };
}

function paged<Entry>(
  entries: readonly Entry[],
  list: Parameters<typeof listPage<Entry>>[1] & { readonly parameters?: readonly string[] },
): LocalResponse {
  const known = ['page', 'per_page', ...(list.parameters ?? [])];
  const unknown = [...list.query.keys()].filter((name) => !known.includes(name));
  if (unknown.length > 0) return { status: 422, json: { message: `unknown parameter: ${unknown.join(', ')}` } };
  return listPage(entries, list);
}

const CREATED_AT = '2023-03-14T00:45:16.215Z';

const CREATED_BY = {
  id: '875ce846-f6c0-4360-8133-389b03c7c46a',
  graphql_id: 'VXNlci0tLTg3NWNlODQ2LWY2YzAtNDM2MC04MTMzLTM4OWIwM2M3YzQ2YQ==',
  name: 'Administrator',
  email: 'administrator@acme.example',
  avatar_url: 'https://www.gravatar.com/avatar/aa9e3513ea543edb9143cbcca425e56c',
  created_at: CREATED_AT,
};

function toTeam({ id, slug, privacy }: FakeTeam) {
  const graphql_id = Buffer.from(`Team---${id}`).toString('base64');
  const common = { id, graphql_id, name: slug, slug, description: '', created_at: CREATED_AT };
  return { ...common, privacy, default: false, created_by: CREATED_BY };
}

function toMember({ user, role }: FakeTeam['members'][number]) {
  return { role, created_at: CREATED_AT, user_id: user.id, user_name: user.name };
}

function toTeamPipeline([pipeline_id, access_level]: readonly [string, TeamAccess], organizationUrl: string) {
  return {
    access_level,
    created_at: CREATED_AT,
    pipeline_id,
    pipeline_url: `${organizationUrl}/pipelines/${pipeline_id}`,
  };
}

function toOrganizationMember({ id, name }: FakePerson) {
  return { id, name, email: `${name.toLowerCase().replaceAll(' ', '.')}@acme.example`, role: 'member' };
}
