// The fake Buildkite's REST API: who calls it, within which limits, and which of its parts responds. The state of jobs and the list of
// pipelines are here; builds, teams, notification services and API tokens have files of their own.
// Sources: buildkite.com/docs/apis/rest-api, /rest-api/jobs, /docs/apis/rest-api/rate-limits.

import type { LocalReply, LocalRequest } from '../../local-server.ts';
import { describeAccessToken } from './access-token.ts';
import type { FakeBuilds } from './builds.ts';
import { claimsOfJob, type Job, type Organization } from './job.ts';
import { type ListedJob, listJobs } from './jobs-of-build.ts';
import { type FakePipeline, listPipelines, showOrganization } from './organization.ts';
import { RateLimits } from './rate-limits.ts';
import { type FakeServices, SERVICE_SCOPES } from './services.ts';
import { type FakeTeams, TEAM_SCOPES, TEAMS_API_TOKEN } from './teams.ts';

const NOT_FOUND: LocalReply = { status: 404, json: { message: 'Not Found' } };
const FORBIDDEN: LocalReply = { status: 403, json: { message: 'Forbidden' } };
/** At Buildkite, DELETE revokes the token with which it is called. */
const NOT_REVOKED: LocalReply = { status: 405, json: { message: 'The sandbox does not revoke API tokens' } };

/** The API token that may read jobs: its scope is read_builds. */
export const API_TOKEN = 'sandbox-api-token';
/** The API token of a person: its scopes are read_organizations and read_pipelines. */
export const PERSONAL_API_TOKEN = 'sandbox-personal-api-token';
const SCOPES: Readonly<Record<string, readonly string[]>> = {
  [API_TOKEN]: ['read_builds'],
  [PERSONAL_API_TOKEN]: ['read_organizations', 'read_pipelines'],
  ...SERVICE_SCOPES,
  ...TEAM_SCOPES,
};
const TOKENS = Object.keys(SCOPES);
/** One user owns them: the limit of requests is of the user. */
const MACHINE_TOKENS = [API_TOKEN, TEAMS_API_TOKEN];

/** What tests see of the requests, and may respond in place of the fake. */
export interface RestControls {
  /** When the REST API was called, in milliseconds since the epoch, but for the description of a token. */
  readonly jobRequests: readonly number[];
  /** When an API token was to be described. */
  readonly tokenRequests: readonly number[];
  /** When API tokens expire: milliseconds since the epoch, or null. */
  apiTokenExpiresAt: number | null;
  /** Runs before the API describes a token; what it returns is sent instead. */
  beforeToken: (() => LocalReply | undefined) | undefined;
  /** Runs before the API responds about a job; what it returns is sent instead. */
  beforeJob: ((jobId: string) => LocalReply | undefined) | undefined;
  /** The same for the list of a build's jobs. */
  beforeBuild: ((build: { readonly pipeline: string; readonly number: number }) => LocalReply | undefined) | undefined;
  /** The same for the organization and the list of its pipelines. */
  beforePipelines: (() => LocalReply | undefined) | undefined;
}

type Responses = Pick<
  RestControls,
  'apiTokenExpiresAt' | 'beforeToken' | 'beforeJob' | 'beforeBuild' | 'beforePipelines'
>;

interface RestApi {
  readonly jobRequests: readonly number[];
  readonly tokenRequests: readonly number[];
  /** The jobs of a build, by the slug of its pipeline and its number. */
  jobsOf(pipeline: string, number: number): ListedJob[];
  handle(request: LocalRequest, responses: Responses): LocalReply;
}

export function createRestApi(options: {
  /** Of the fake, once it listens. */
  readonly url: () => string;
  readonly organization: Organization;
  readonly pipelines: readonly FakePipeline[];
  readonly jobs: ReadonlyMap<string, Job>;
  readonly parts: () => { readonly builds: FakeBuilds; readonly services: FakeServices; readonly teams: FakeTeams };
  readonly now: () => number;
}): RestApi {
  const { url, organization, pipelines, jobs, parts, now } = options;
  const organizationPath = `/v2/organizations/${encodeURIComponent(organization.slug)}/`;
  const jobRequests: number[] = [];
  const tokenRequests: number[] = [];
  const rateLimits = new RateLimits(now);

  const handle: RestApi['handle'] = (request, responses) => {
    const { builds, services } = parts();
    const { path, headers } = request;
    const user = builds.ownerOf(request);
    const apiToken = user ? '' : TOKENS.find((token) => headers.authorization === `Bearer ${token}`);
    if (apiToken === undefined)
      return { status: 401, json: { message: 'Authentication required. Please supply a valid API Access Token' } };
    if (!user) (isOfToken(path) ? tokenRequests : jobRequests).push(now());
    const owner = user?.id ?? (MACHINE_TOKENS.includes(apiToken) ? 'machine' : 'administrator');
    const { headers: limits, refusal } = rateLimits.count(owner);
    if (refusal) return refusal;
    const within = `${path}/`.startsWith(organizationPath) ? path.slice(organizationPath.length) : undefined;
    if (within?.startsWith('services')) return services.handle(request, within, SERVICE_SCOPES[apiToken] ?? []);
    const scopes = user ? ['read_builds', 'write_builds'] : (SCOPES[apiToken] ?? []);
    const ofBuild = within === undefined ? undefined : builds.handle(request, within, { scopes, user });
    if (ofBuild !== undefined) return typeof ofBuild === 'object' ? { headers: limits, ...ofBuild } : ofBuild;
    const reply = byScopes(request, within, { scopes, responses });
    if (typeof reply !== 'object') return reply;
    // A test that says limits says all of them.
    const isPage = reply.headers && 'link' in reply.headers;
    return { headers: limits, ...reply, ...(isPage ? { headers: { ...limits, ...reply.headers } } : {}) };
  };

  const byScopes = (
    request: LocalRequest,
    within: string | undefined,
    { scopes, responses }: { readonly scopes: readonly string[]; readonly responses: Responses },
  ): LocalReply => {
    const { method, path, query } = request;
    if (isOfToken(path)) {
      const { apiTokenExpiresAt: expires_at, beforeToken } = responses;
      if (method !== 'GET') return NOT_REVOKED;
      return beforeToken?.() ?? describeAccessToken({ scopes, expires_at }, query);
    }
    const ofTeams = parts().teams.handle(request, within ?? '', scopes);
    if (ofTeams) return ofTeams;
    if (within === undefined || method !== 'GET') return NOT_FOUND;
    if (scopes.includes('read_builds'))
      return isOfPipelines(within)
        ? FORBIDDEN
        : (showJob(within, responses) ?? jobsOfPath(within, query, responses) ?? NOT_FOUND);
    return scopes.includes('read_pipelines') && isOfPipelines(within)
      ? showPipelines(within, query, responses)
      : FORBIDDEN;
  };

  /** `GET /v2/organizations/{org}` and `GET /v2/organizations/{org}/pipelines` */
  const showPipelines = (path: string, query: URLSearchParams, { beforePipelines }: Responses): LocalReply => {
    const instead = beforePipelines?.();
    if (instead) return instead;
    if (path === '') return showOrganization(url(), organization);
    return listPipelines(pipelines, { url: `${url()}${organizationPath}${path}`, query });
  };

  /** `GET /v2/organizations/{org}/jobs/{id}` */
  const showJob = (path: string, { beforeJob }: Responses): LocalReply | undefined => {
    const id = /^jobs\/([0-9a-f-]{36})$/.exec(path)?.[1];
    if (id === undefined) return undefined;
    const job = jobs.get(id);
    const instead = job && beforeJob?.(job.id);
    if (instead) return instead;
    return job ? { status: 200, json: toListed(job) } : { status: 404, json: { message: 'No job found' } };
  };

  /** `GET /v2/organizations/{org}/pipelines/{slug}/builds/{number}/jobs` */
  const jobsOfPath = (path: string, query: URLSearchParams, { beforeBuild }: Responses): LocalReply | undefined => {
    const [, slug, number] = /^pipelines\/([^/]+)\/builds\/([1-9][0-9]*)\/jobs$/.exec(path) ?? [];
    if (slug === undefined) return undefined;
    const build = { pipeline: decodeURIComponent(slug), number: Number(number) };
    const ofBuild = jobsOf(build.pipeline, build.number);
    if (ofBuild.length === 0) return { status: 404, json: { message: 'No build found' } };
    return beforeBuild?.(build) ?? listJobs(ofBuild, { url: `${url()}${organizationPath}${path}`, query });
  };

  const jobsOf = (pipeline: string, number: number) =>
    [...jobs.values()]
      .filter((job) => {
        const { pipeline_slug, build_number } = claimsOfJob(organization, job);
        return pipeline_slug === pipeline && build_number === number;
      })
      .map(toListed);

  const toListed = (job: Job): ListedJob => ({
    id: job.id,
    type: 'script',
    state: job.state,
    finished_at: job.state === 'running' ? null : new Date(job.finishedAt ?? now()).toISOString(),
    agent: { connection_state: job.agentLost ? 'lost' : 'connected' },
  });

  return { jobRequests, tokenRequests, jobsOf, handle };
}

function isOfToken(path: string): boolean {
  return path === '/v2/access-token';
}

/** The organization itself, or the list of its pipelines. */
function isOfPipelines(path: string): boolean {
  return path === '' || path === 'pipelines';
}
