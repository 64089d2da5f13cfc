// A fake Buildkite: an OIDC issuer with its keys, job tokens with the claims of real ones, the agent API's request for them,
// signed webhooks, and the REST requests about the state of jobs. It listens on loopback only and refuses everything else.

import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import { type Clock, systemClock } from '../../../shared/runtime/clock.ts';
import { jsonServer, type LocalReply, type LocalRequest, type LocalServer } from '../../local-server.ts';
import { describeAccessToken } from './access-token.ts';
import {
  DEFAULT_LIFETIME,
  isForAgents,
  mustBeRequested,
  REQUESTABLE_CLAIMS,
  type RequestedToken,
  respondToAgent,
} from './agent-api.ts';
import { createBuilds, type FakeBuilds } from './builds.ts';
import { eventBody } from './event.ts';
import { type ListedJob, listJobs } from './jobs-of-build.ts';
import { type FakePipeline, listPipelines, showOrganization } from './organization.ts';
import { createServices, type FakeServices, SERVICE_SCOPES } from './services.ts';
import { createTeams, type FakeTeams, TEAM_SCOPES } from './teams.ts';

export interface Job {
  readonly id: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** The token with which its agent, and no other, may request its job tokens while it runs. */
  readonly agentToken: string;
  state: 'running' | 'passed' | 'failed' | 'canceled';
  /** Whether Buildkite has received nothing from its agent for minutes. */
  agentLost: boolean;
  /** Milliseconds; undefined for the time of each request. */
  finishedAt?: number;
}

interface Organization {
  readonly slug: string;
  readonly id: string;
}

const ACME: Organization = { slug: 'acme-inc', id: 'f892efa9-103e-4d28-97a1-3b8616a0994d' };
const PIPELINE_ID = '0184990a-4782-42b5-afc1-16715b10b1f0';
const NOT_FOUND: LocalReply = { status: 404, json: { message: 'Not Found' } };
const FORBIDDEN: LocalReply = { status: 403, json: { message: 'Forbidden' } };

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

export interface FakeBuildkite {
  readonly url: string;
  /** The claims every job starts from. */
  readonly organization: Organization;
  startJob(claims?: Readonly<Record<string, unknown>>): Job;
  /** The claims of the job's tokens, with those that must be requested. */
  claimsOf(job: Job): Readonly<Record<string, unknown>>;
  /** The URL for agents, as BUILDKITE_AGENT_ENDPOINT. */
  readonly agentEndpoint: string;
  /** A job token with every claim that can be requested. `overrides` replace claims; undefined removes one. */
  jobToken(job: Job, options?: JobTokenOptions): Promise<string>;
  /** The body of `job.finished`, or of another event about the job. */
  event(job: Job, event?: string): string;
  /** The header that signs `body`. `timestamp` is in seconds since the epoch. */
  signature(body: string, timestamp?: number): string;
  /** Publishes a new signing key next to the old ones, or in place of them, and signs with it from then on. */
  rotateKey(options?: { readonly keepOld: boolean }): Promise<void>;
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
  /** Its builds that were started on their own, with their block steps. */
  readonly builds: FakeBuilds;
  /** Its notification services, which send nothing by themselves. */
  readonly services: FakeServices;
  /** Its teams and people. */
  readonly teams: FakeTeams;
  /** Runs before the response with the key set; a response that it returns is sent instead. */
  beforeKeys: (() => LocalReply | undefined) | undefined;
  /** How often the keys were requested. */
  readonly keyRequests: () => number;
  close(): Promise<void>;
}

interface JobTokenOptions {
  readonly audience?: unknown;
  /** Seconds. */
  readonly lifetime?: number;
  /** Seconds since the epoch. */
  readonly issuedAt?: number;
  readonly overrides?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: object;
}

/** Starts it on a free port of loopback, or on `port`. */
export async function startFakeBuildkite(options: {
  /** Whose jobs these are. Default: `acme-inc`. */
  readonly organization?: { readonly slug: string; readonly id?: string | undefined };
  readonly audience: string;
  readonly webhookToken: string;
  /** In the order in which the list has them. Default: `app`. */
  readonly pipelines?: readonly FakePipeline[];
  readonly port?: number;
  readonly clock?: Clock;
}): Promise<FakeBuildkite> {
  const { now } = options.clock ?? systemClock;
  const { slug, id = ACME.id } = options.organization ?? ACME;
  const organization: Organization = { slug, id };
  const organizationPath = `/v2/organizations/${encodeURIComponent(slug)}/`;
  const { pipelines = [{ slug: 'app', id: PIPELINE_ID }] } = options;
  const jobs = new Map<string, Job>();
  firstKey ??= newKey();
  let keys = [await firstKey];
  let keyRequests = 0;
  const jobRequests: number[] = [];
  const tokenRequests: number[] = [];

  const services = createServices({ url: () => `${server.url}${organizationPath}services`, organization, now });

  const teams = createTeams(() => `${server.url}/v2/organizations/${encodeURIComponent(slug)}`);

  const builds = createBuilds({
    names: () => ({ url: server.url, organization: slug }),
    pipeline: pipelines[0] ?? { slug: 'app', id: PIPELINE_ID },
    ...{ people: teams.people, jobsOf: (pipeline, number) => jobsOf({ pipeline, number }).map(toListed), now },
  });

  const handleApi = (request: LocalRequest): LocalReply => {
    const { method, path, query, headers } = request;
    const user = builds.ownerOf(request);
    const apiToken = user ? '' : TOKENS.find((token) => headers.authorization === `Bearer ${token}`);
    if (apiToken === undefined)
      return { status: 401, json: { message: 'Authentication required. Please supply a valid API Access Token' } };
    const recent = [...jobRequests, ...tokenRequests].filter((at) => at > now() - 60_000).length;
    const limits = {
      'ratelimit-scope': 'rest',
      'ratelimit-limit': '200',
      'ratelimit-remaining': '150',
      'ratelimit-reset': '30',
      'ratelimit-user-limit': '50',
      'ratelimit-user-remaining': String(Math.max(0, 50 - recent - 1)),
      'ratelimit-user-reset': '30',
    };
    const isOfToken = path === '/v2/access-token';
    // Buildkite counts the calls of each user. Those of people are few.
    if (!user) (isOfToken ? tokenRequests : jobRequests).push(now());
    if (recent >= 50)
      return { status: 429, headers: limits, json: { message: 'You have exceeded your API rate limit', reset: 30 } };
    const within = `${path}/`.startsWith(organizationPath) ? path.slice(organizationPath.length) : undefined;
    if (within?.startsWith('services')) return services.handle(request, within, SERVICE_SCOPES[apiToken] ?? []);
    const scopes = user ? ['read_builds', 'write_builds'] : (SCOPES[apiToken] ?? []);
    const ofBuild = within === undefined ? undefined : builds.handle(request, within, { scopes, user });
    if (ofBuild !== undefined) return typeof ofBuild === 'object' ? { headers: limits, ...ofBuild } : ofBuild;
    if (user) return FORBIDDEN;
    const readsPipelines = SCOPES[apiToken]?.includes('read_pipelines');
    const handle = apiToken === API_TOKEN ? handleJobs : readsPipelines ? handlePipelines : () => FORBIDDEN;
    const describe = () => describeAccessToken({ scopes: SCOPES[apiToken] ?? [], expires_at }, query);
    const { apiTokenExpiresAt: expires_at, beforeToken } = buildkite;
    const isKnown = within !== undefined && method === 'GET';
    const ofTeams = () => teams.handle(request, within ?? '', SCOPES[apiToken] ?? []);
    const ofPath = () => ofTeams() ?? (isKnown ? handle(within, query) : NOT_FOUND);
    const reply = isOfToken ? (beforeToken?.() ?? describe()) : ofPath();
    if (typeof reply !== 'object') return reply;
    // A test that says limits says all of them.
    const isPage = reply.headers && 'link' in reply.headers;
    return { headers: limits, ...reply, ...(isPage ? { headers: { ...limits, ...reply.headers } } : {}) };
  };

  const handleJobs = (path: string, query: URLSearchParams): LocalReply =>
    isOfPipelines(path) ? FORBIDDEN : (handleJob(path) ?? handleBuild(path, query) ?? NOT_FOUND);

  /** `GET /v2/organizations/{org}` and `GET /v2/organizations/{org}/pipelines` */
  const handlePipelines = (path: string, query: URLSearchParams): LocalReply => {
    if (!isOfPipelines(path)) return FORBIDDEN;
    const instead = buildkite.beforePipelines?.();
    if (instead) return instead;
    if (path === '') return showOrganization(server.url, organization);
    return listPipelines(pipelines, { url: `${server.url}${organizationPath}${path}`, query });
  };

  /** `GET /v2/organizations/{org}/jobs/{id}` */
  const handleJob = (path: string): LocalReply | undefined => {
    const id = /^jobs\/([0-9a-f-]{36})$/.exec(path)?.[1];
    if (id === undefined) return undefined;
    const job = jobs.get(id);
    const instead = job && buildkite.beforeJob?.(job.id);
    if (instead) return instead;
    return job ? { status: 200, json: toListed(job) } : { status: 404, json: { message: 'No job found' } };
  };

  /** `GET /v2/organizations/{org}/pipelines/{slug}/builds/{number}/jobs` */
  const handleBuild = (path: string, query: URLSearchParams): LocalReply | undefined => {
    const [, pipeline, number] = /^pipelines\/([^/]+)\/builds\/([1-9][0-9]*)\/jobs$/.exec(path) ?? [];
    if (pipeline === undefined) return undefined;
    const build = { pipeline: decodeURIComponent(pipeline), number: Number(number) };
    const ofBuild = jobsOf(build);
    if (ofBuild.length === 0) return { status: 404, json: { message: 'No build found' } };
    return (
      buildkite.beforeBuild?.(build) ??
      listJobs(ofBuild.map(toListed), { url: `${server.url}${organizationPath}${path}`, query })
    );
  };

  const jobsOf = (build: { readonly pipeline: string; readonly number: number }) =>
    [...jobs.values()].filter((job) => {
      const { pipeline_slug, build_number } = claimsOf(job) as Record<string, unknown>;
      return pipeline_slug === build.pipeline && build_number === build.number;
    });

  const toListed = (job: Job): ListedJob => ({
    id: job.id,
    type: 'script',
    state: job.state,
    finished_at: job.state === 'running' ? null : new Date(job.finishedAt ?? now()).toISOString(),
    agent: { connection_state: job.agentLost ? 'lost' : 'connected' },
  });

  const server: LocalServer = await jsonServer(
    'fake Buildkite',
    (request) => {
      const { method, path } = request;
      if (method === 'GET' && path === '/.well-known/openid-configuration')
        return {
          status: 200,
          json: {
            issuer: server.url,
            jwks_uri: `${server.url}/.well-known/jwks`,
            id_token_signing_alg_values_supported: ['RS256'],
          },
        };
      if (method === 'GET' && path === '/.well-known/jwks') {
        keyRequests += 1;
        return buildkite.beforeKeys?.() ?? { status: 200, json: { keys: keys.map(({ jwk }) => jwk) } };
      }
      if (path.startsWith('/v2/')) return handleApi(request);
      if (isForAgents(request)) return respondToAgent(request, jobs, signRequested);
      return { status: 404, json: { message: 'No job found' } };
    },
    options.port,
  );

  const claimsOf = (job: Job) => ({
    organization_slug: organization.slug,
    organization_id: organization.id,
    pipeline_slug: 'app',
    pipeline_id: PIPELINE_ID,
    build_number: 42,
    build_branch: 'main',
    build_tag: null,
    build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
    step_key: 'deploy',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
    build_source: 'webhook',
    runner_environment: 'self-hosted',
    ...job.claims,
    job_id: job.id,
  });

  const sign = async (
    job: Job,
    payload: Readonly<Record<string, unknown>>,
    { iat, lifetime }: { readonly iat: number; readonly lifetime: number },
    header: Readonly<Record<string, unknown>> = {},
  ): Promise<string> => {
    const claims = claimsOf(job);
    const whole = {
      iss: server.url,
      sub: `organization:${claims.organization_slug}:pipeline:${claims.pipeline_slug}:ref:refs/heads/${claims.build_branch}:commit:${claims.build_commit}:step:${claims.step_key}`,
      iat,
      nbf: iat,
      exp: iat + lifetime,
      jti: randomUUID(),
      ...payload,
    };
    const key = keys[0] as SigningKey;
    return new SignJWT(JSON.parse(JSON.stringify(whole)))
      .setProtectedHeader({ kid: key.kid, alg: 'RS256', ...header })
      .sign(key.privateKey);
  };

  const signRequested = (job: Job, requested: RequestedToken): Promise<string> => {
    const all = { ...REQUESTABLE_CLAIMS, ...claimsOf(job) };
    const held = Object.entries(all).filter(([claim]) => !mustBeRequested(claim) || requested.claims.includes(claim));
    const { audience = `https://buildkite.com/${organization.slug}`, lifetime } = requested;
    return sign(job, { aud: audience, ...Object.fromEntries(held) }, { iat: Math.floor(now() / 1000), lifetime });
  };

  const buildkite: FakeBuildkite = {
    url: server.url,
    agentEndpoint: `${server.url}/v3`,
    organization,
    builds,
    services,
    teams,
    jobRequests,
    tokenRequests,
    apiTokenExpiresAt: null,
    beforeToken: undefined,
    beforeJob: undefined,
    beforeBuild: undefined,
    beforePipelines: undefined,
    beforeKeys: undefined,
    startJob: (claims = {}) => {
      const agentToken = `bkaj_${randomBytes(24).toString('base64url')}`;
      const job: Job = { id: randomUUID(), claims, agentToken, state: 'running', agentLost: false };
      jobs.set(job.id, job);
      return job;
    },
    claimsOf: (job) => ({ ...REQUESTABLE_CLAIMS, ...claimsOf(job) }),
    jobToken: async (
      job,
      { audience = options.audience, lifetime = DEFAULT_LIFETIME, issuedAt, overrides = {}, header = {} } = {},
    ) => {
      const payload = { aud: audience, ...claimsOf(job), ...overrides };
      return sign(job, payload, { iat: issuedAt ?? Math.floor(now() / 1000), lifetime }, header);
    },
    event: (job, event = 'job.finished') => {
      if (event === 'job.finished') job.state = 'passed';
      return JSON.stringify(
        eventBody(server.url, event, job, { claims: claimsOf(job), finishedAt: job.finishedAt ?? now() }),
      );
    },
    signature: (body, timestamp = Math.floor(now() / 1000)) => {
      const hex = createHmac('sha256', options.webhookToken).update(`${timestamp}.${body}`).digest('hex');
      return `timestamp=${timestamp},signature=${hex}`;
    },
    rotateKey: async ({ keepOld } = { keepOld: true }) => {
      keys = [await newKey(), ...(keepOld ? keys : [])];
    },
    keyRequests: () => keyRequests,
    close: server.close,
  };
  return buildkite;
}

/** The organization itself, or the list of its pipelines. */
function isOfPipelines(path: string): boolean {
  return path === '' || path === 'pipelines';
}

/** Of every Buildkite of this process, because making one takes a while. */
let firstKey: Promise<SigningKey> | undefined;

async function newKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = randomBytes(32).toString('hex');
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
}
