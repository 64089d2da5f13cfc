// The one call of Buildkite's agent API that Keydesk needs: a running job requests its own OIDC token. It is as strict as the
// documentation says, and refuses what it does not know. Signs nothing itself.
// Source: buildkite/agent, api/oidc.go and clicommand/oidc_request_token.go.

import * as z from 'zod';
import { parseJson } from '../../../shared/core/json.ts';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';
import type { Job } from './job.ts';

/** Seconds. */
export const DEFAULT_LIFETIME = 300;
const MAX_LIFETIME = 7200;

/** Claims that a token has only when its job requests them, with their default values. */
export const REQUESTABLE_CLAIMS = {
  organization_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
  build_id: '0184990a-4782-42b5-afc1-16715b10b2f0',
  cluster_id: '0184990a-4782-42b5-afc1-16715b10b3f0',
  cluster_name: 'Deployments',
  queue_id: '0184990a-4782-42b5-afc1-16715b10b4f0',
  queue_key: 'default',
  'agent_tag:queue': 'default',
};

/** What a job requests, with Buildkite's defaults. */
export interface RequestedToken {
  /** Undefined means Buildkite's default: the organization's page. */
  readonly audience: string | undefined;
  /** Seconds. */
  readonly lifetime: number;
  readonly claims: readonly string[];
}

/** Whether a token lacks the claim unless its job requests it. */
export function mustBeRequested(claim: string): boolean {
  return Object.hasOwn(REQUESTABLE_CLAIMS, claim) || /^agent_tag:./.test(claim);
}

const tokenRequest = z.strictObject({
  audience: z.string().optional(),
  lifetime: z.int().optional(),
  claims: z.array(z.string()).optional(),
});

const PATH = /^\/v3\/jobs\/([^/]+)\/oidc\/tokens$/;

/** Whether a request is for the agent API at all. */
export function isForAgents({ path }: LocalRequest): boolean {
  return path.startsWith('/v3/');
}

/** Responds to `POST /v3/jobs/{job_id}/oidc/tokens`. `sign` makes the token of a job that may have it. */
export async function respondToAgent(
  request: LocalRequest,
  jobs: ReadonlyMap<string, Job>,
  sign: (job: Job, requested: RequestedToken) => Promise<string>,
): Promise<LocalResponse> {
  const job = jobs.get(PATH.exec(request.path)?.[1] ?? '');
  if (request.method !== 'POST' || !PATH.test(request.path)) return refuse(404, 'Not Found');
  // The agent's token is good from when the job is accepted until it finishes, and for this job only.
  if (job?.state !== 'running' || request.headers.authorization !== `Token ${job.agentToken}`)
    return refuse(401, 'Invalid access token');
  if (!String(request.headers['content-type']).startsWith('application/json'))
    return refuse(415, 'Unsupported Media Type');
  const requested = parseRequest(request.body);
  if ('wrong' in requested) return refuse(422, requested.wrong);
  return { status: 200, json: { token: await sign(job, requested) } };
}

function parseRequest(body: string): RequestedToken | { readonly wrong: string } {
  const parsed = tokenRequest.safeParse(parseJson(body));
  if (!parsed.success) return { wrong: `Invalid request: ${z.prettifyError(parsed.error)}` };
  const { audience, lifetime = 0, claims = [] } = parsed.data;
  if (lifetime < 0) return { wrong: `Requested lifetime must not be negative (requested: ${lifetime})` };
  if (lifetime > MAX_LIFETIME)
    return { wrong: `Requested lifetime too high (requested: ${lifetime} max: ${MAX_LIFETIME})` };
  const unknown = claims.filter((claim) => !mustBeRequested(claim));
  if (unknown.length > 0) return { wrong: `Unknown claims: ${unknown.join(', ')}` };
  return { audience: audience || undefined, lifetime: lifetime || DEFAULT_LIFETIME, claims };
}

function refuse(status: number, message: string): LocalResponse {
  return { status, json: { message } };
}
