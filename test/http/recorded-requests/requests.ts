// What the recorded requests are made of: the requests of a job, and what may have happened before them.

import * as z from 'zod';
import type { Job } from '../../../sandbox/fakes/buildkite/job.ts';
import type { Call } from '../../../sandbox/fakes/google/call.ts';
import type { LocalResponse } from '../../../sandbox/local-server.ts';
import type { Unblock } from '../../../shared/core/conditions/build-record.ts';
import type { Conditions } from '../../../shared/core/policy/conditions.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';
import { createBuildLedger, createTeamLedger } from '../../../shared/ledger/conditions.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { type Called, databaseOf, type InProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import type { RawRequest } from '../../fixtures/raw-request.ts';
import { FORM, newJobToken, tokenForm } from '../token-request.ts';
import { sign } from '../valid-webhook.ts';

export const MINUTE = 60_000;

export async function byPath(
  keydesk: InProcessKeydesk,
  credential = 'staging-config',
  jobToken?: string,
  headers: RawRequest['headers'] = {},
): Promise<RawRequest> {
  const authorization = `Bearer ${jobToken ?? (await newJobToken(keydesk))}`;
  return { path: `/token/${credential}`, headers: { authorization, ...headers } };
}

/** The valid form with some parameters replaced; undefined leaves one out. */
export async function byForm(
  keydesk: InProcessKeydesk,
  changes: Readonly<Record<string, string | undefined>> = {},
  jobToken?: string,
): Promise<RawRequest> {
  const form = tokenForm(jobToken ?? (await newJobToken(keydesk)));
  for (const [name, value] of Object.entries(changes))
    if (value === undefined) form.delete(name);
    else form.set(name, value);
  return aFormTo('/token', String(form));
}

export function aFormTo(path: string, body: string): RawRequest {
  return { path, headers: { 'content-type': FORM }, body };
}

export function about(path: '/revoke' | '/introspect', accessToken: string): RawRequest {
  return aFormTo(path, String(new URLSearchParams({ token: accessToken })));
}

export function notifying(keydesk: InProcessKeydesk, body: string, headers: RawRequest['headers'] = {}): RawRequest {
  const signature = sign(Math.floor(keydesk.clock.now() / 1000), body);
  return { headers: { 'content-type': 'application/json', 'x-buildkite-signature': signature, ...headers }, body };
}

/** A running job with a grant of each credential named, and what was answered about them. */
export async function aHolder(keydesk: InProcessKeydesk, ...credentials: readonly string[]) {
  const job = keydesk.buildkite.startJob();
  return { job, held: await issue(keydesk, job, ...credentials) };
}

export async function issue(keydesk: InProcessKeydesk, job: Job, ...credentials: readonly string[]): Promise<Called[]> {
  const held: Called[] = [];
  for (const credential of credentials) {
    const called = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), credential);
    if (called.status !== 200) throw new Error(`not issued: ${JSON.stringify(called.audit)}`);
    held.push(called);
  }
  return held;
}

/**
 * A running job whose grant has expired by every clock. Buildkite was asked about the job just before: otherwise the next
 * sweep asks about it while it records that the time is up, and either may come first.
 */
export async function anExpired(keydesk: InProcessKeydesk, credential: string) {
  const holder = await aHolder(keydesk, credential);
  keydesk.clock.advance(holder.held[0]?.json.expires_in * 1000 - 2.5 * MINUTE);
  await keydesk.sweep();
  keydesk.clock.advance(4.5 * MINUTE - 1);
  return holder;
}

/** An access token of a new job. */
export async function anAccessToken(keydesk: InProcessKeydesk, credential: string): Promise<string> {
  const { held } = await aHolder(keydesk, credential);
  return held[0]?.json.access_token;
}

export function changePolicy(keydesk: InProcessKeydesk, change: (policy: Policy) => Partial<Policy>): void {
  const { policy, sha256 } = keydesk.tokenDeps.policy;
  keydesk.tokenDeps.policy = { policy: { ...policy, ...change(policy) }, sha256: [...sha256].reverse().join('') };
}

export const TEAM = '0184990a-4782-42b5-afc1-16715b10d000';
const CREATOR = '0184990a-477b-4fa8-9968-496074483ca1';
export const APPROVER = '0184990a-477b-4fa8-9968-496074483cb2';
export const APPROVAL = { step: 'approve', by: 'platform', within: 3600 };

/** Every rule demands this from now on. */
export function demand(keydesk: InProcessKeydesk, conditions: Conditions): void {
  changePolicy(keydesk, ({ rules }) => ({
    rules: rules.map((rule) => ({ ...rule, conditions })),
    teams: { platform: TEAM },
  }));
}

/** Buildkite reported that the step of {@link APPROVAL} was unblocked in the build of the job, by one of the team or by the person given. */
export async function unblock(
  keydesk: InProcessKeydesk,
  job: Job,
  { unblocked_by = APPROVER, reason }: Partial<Pick<Unblock, 'unblocked_by'>> & { readonly reason?: string } = {},
): Promise<void> {
  const { pipeline_id, build_number } = z
    .object({ pipeline_id: z.string(), build_number: z.number() })
    .parse(keydesk.buildkite.claimsOf(job));
  const step = { job_id: '0184990a-477b-4fa8-9968-496074483c00', step_key: 'approve', step_id: null };
  await createBuildLedger(ledgerOf(keydesk), keydesk.clock).addNews({
    ...{ pipeline_id, build_number, creator: CREATOR, ...(reason === undefined ? {} : { reason }) },
    unblocks: [{ ...step, unblocked_by, unblocked_at: keydesk.clock.now() }],
  });
}

/** The sweep read the team. */
export async function readTeam(keydesk: InProcessKeydesk): Promise<void> {
  const read_at = keydesk.clock.now();
  await createTeamLedger(ledgerOf(keydesk), keydesk.clock).record(TEAM, {
    ...{ members: [APPROVER], pipelines: {}, read_at, read_again: false, failure: null, failed_at: null },
    delete_at: read_at + 40 * 86_400_000,
  });
}

/** Google answers so to these calls. */
export function answering(
  keydesk: InProcessKeydesk,
  methods: readonly Call['method'][],
  response: LocalResponse,
): void {
  keydesk.google.before = ({ method }) => (methods.includes(method) ? response : undefined);
}

export const DENIED: LocalResponse = {
  status: 403,
  json: { error: { code: 403, status: 'PERMISSION_DENIED', message: 'Permission denied on resource.' } },
};

export const broken = () =>
  Promise.reject(new DependencyError('the test', 'call_failed', 'broke it', { retryAfter: 7 }));

export const ledgerOf = ({ project }: InProcessKeydesk) => databaseOf(project, 'ledger');

/** Lets the body's time pass once somebody waits for the body. */
export function letBodyBeLate({ clock }: InProcessKeydesk): void {
  const look = () => {
    if (clock.deadlines > 0) clock.advance(10_000);
    else setImmediate(look);
  };
  look();
}
