// A fake Buildkite: an OIDC issuer with its keys, job tokens with the claims of real ones, the agent API's request for them,
// signed webhooks, and the REST API. It listens on loopback only and refuses everything else.

import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../../../shared/runtime/clock.ts';
import { jsonServer, type LocalReply, type LocalServer } from '../../local-server.ts';
import { isForAgents, REQUESTABLE_CLAIMS, respondToAgent } from './agent-api.ts';
import { createBuilds, type FakeBuilds } from './builds.ts';
import { eventBody } from './event.ts';
import { createIssuer, type IssuerControls } from './issuer.ts';
import { ACME, APP, claimsOfJob, type Job, type Organization } from './job.ts';
import type { FakePipeline } from './organization.ts';
import { createRestApi, type RestControls } from './rest-api.ts';
import { createServices, type FakeServices } from './services.ts';
import { createTeams, type FakeTeams } from './teams.ts';

export interface FakeBuildkite extends IssuerControls, RestControls {
  readonly url: string;
  /** The claims every job starts from. */
  readonly organization: Organization;
  startJob(claims?: Readonly<Record<string, unknown>>): Job;
  /** The claims of the job's tokens, with those that must be requested. */
  claimsOf(job: Job): Readonly<Record<string, unknown>>;
  /** The URL for agents, as BUILDKITE_AGENT_ENDPOINT. */
  readonly agentEndpoint: string;
  /** The body of `job.finished`, or of another event about the job. */
  event(job: Job, event?: string): string;
  /** The header that signs `body`. `timestamp` is in seconds since the epoch. */
  signature(body: string, timestamp?: number): string;
  /** Its builds that were started on their own, with their block steps. */
  readonly builds: FakeBuilds;
  /** Its notification services, which send nothing by themselves. */
  readonly services: FakeServices;
  /** Its teams and people. */
  readonly teams: FakeTeams;
  /** Runs before the response with the key set; a response that it returns is sent instead. */
  beforeKeys: (() => LocalReply | undefined) | undefined;
  close(): Promise<void>;
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
  const { audience, pipelines = [APP] } = options;
  const jobs = new Map<string, Job>();
  const url = () => server.url;
  const organizationUrl = () => `${server.url}/v2/organizations/${encodeURIComponent(slug)}`;

  const issuer = await createIssuer({ url, organization, audience, now });
  const services = createServices({ url: () => `${organizationUrl()}/services`, organization, now });
  const teams = createTeams(organizationUrl);
  const restApi = createRestApi({
    ...{ url, organization, pipelines, jobs, now },
    parts: () => ({ builds, services, teams }),
  });
  const builds = createBuilds({
    names: () => ({ url: server.url, organization: slug }),
    pipeline: pipelines[0] ?? APP,
    ...{ people: teams.people, jobsOf: restApi.jobsOf, now },
  });

  const server: LocalServer = await jsonServer(
    'fake Buildkite',
    (request) => {
      const ofIssuer = issuer.handle(request, buildkite.beforeKeys);
      if (ofIssuer) return ofIssuer;
      if (request.path.startsWith('/v2/')) return restApi.handle(request, buildkite);
      if (isForAgents(request)) return respondToAgent(request, jobs, issuer.signRequested);
      return { status: 404, json: { message: 'No job found' } };
    },
    options.port,
  );

  const buildkite: FakeBuildkite = {
    url: server.url,
    agentEndpoint: `${server.url}/v3`,
    organization,
    builds,
    services,
    teams,
    jobRequests: restApi.jobRequests,
    tokenRequests: restApi.tokenRequests,
    apiTokenExpiresAt: null,
    beforeToken: undefined,
    beforeJob: undefined,
    beforeBuild: undefined,
    beforePipelines: undefined,
    beforeKeys: undefined,
    jobToken: issuer.jobToken,
    rotateKey: issuer.rotateKey,
    keyRequests: issuer.keyRequests,
    startJob: (claims = {}) => {
      const agentToken = `bkaj_${randomBytes(24).toString('base64url')}`;
      const job: Job = { id: randomUUID(), claims, agentToken, state: 'running', agentLost: false };
      jobs.set(job.id, job);
      return job;
    },
    claimsOf: (job) => ({ ...REQUESTABLE_CLAIMS, ...claimsOfJob(organization, job) }),
    event: (job, event = 'job.finished') => {
      if (event === 'job.finished') job.state = 'passed';
      const finishedAt = job.finishedAt ?? now();
      return JSON.stringify(eventBody(server.url, event, job, { claims: claimsOfJob(organization, job), finishedAt }));
    },
    signature: (body, timestamp = Math.floor(now() / 1000)) => {
      const hex = createHmac('sha256', options.webhookToken).update(`${timestamp}.${body}`).digest('hex');
      return `timestamp=${timestamp},signature=${hex}`;
    },
    close: server.close,
  };
  return buildkite;
}
