// What the recorded requests are made of: the requests of a job, and what may have happened before them.

import type { Job } from '../../../sandbox/fakes/buildkite/buildkite.ts';
import type { Call } from '../../../sandbox/fakes/google/call.ts';
import type { LocalResponse } from '../../../sandbox/local-server.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';
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
