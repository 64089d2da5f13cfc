// What the recorded requests are made of: the requests of a job, and what may have happened before them.

import type { Job } from '../../../sandbox/fakes/buildkite/buildkite.ts';
import type { Call } from '../../../sandbox/fakes/google/call.ts';
import type { LocalAnswer } from '../../../sandbox/local-server.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';
import { Unavailable } from '../../../shared/runtime/errors.ts';
import { type Called, databaseOf, type InProcessDesk } from '../../fixtures/in-process-keydesk.ts';
import type { RawRequest } from '../../fixtures/raw-request.ts';
import { aForm, aJobToken, FORM } from '../token-request.ts';
import { sign } from '../valid-webhook.ts';

export const MINUTE = 60_000;

export async function byPath(
  desk: InProcessDesk,
  credential = 'staging-config',
  jobToken?: string,
  headers: RawRequest['headers'] = {},
): Promise<RawRequest> {
  const authorization = `Bearer ${jobToken ?? (await aJobToken(desk))}`;
  return { path: `/token/${credential}`, headers: { authorization, ...headers } };
}

/** The valid form with some parameters replaced; undefined leaves one out. */
export async function byForm(
  desk: InProcessDesk,
  changes: Readonly<Record<string, string | undefined>> = {},
  jobToken?: string,
): Promise<RawRequest> {
  const form = aForm(jobToken ?? (await aJobToken(desk)));
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

export function notifying(desk: InProcessDesk, body: string, headers: RawRequest['headers'] = {}): RawRequest {
  const signature = sign(Math.floor(desk.clock.now() / 1000), body);
  return { headers: { 'content-type': 'application/json', 'x-buildkite-signature': signature, ...headers }, body };
}

/** A running job with a grant of each credential named, and what was answered about them. */
export async function aHolder(desk: InProcessDesk, ...credentials: readonly string[]) {
  const job = desk.buildkite.startJob();
  return { job, held: await issue(desk, job, ...credentials) };
}

export async function issue(desk: InProcessDesk, job: Job, ...credentials: readonly string[]): Promise<Called[]> {
  const held: Called[] = [];
  for (const credential of credentials) {
    const called = await desk.askByPath(await desk.buildkite.jobToken(job), credential);
    if (called.status !== 200) throw new Error(`not issued: ${JSON.stringify(called.audit)}`);
    held.push(called);
  }
  return held;
}

/**
 * A running job whose grant has expired by every clock. Buildkite was asked about the job just before: otherwise the next
 * sweep asks about it while it records that the time is up, and either may come first.
 */
export async function anExpired(desk: InProcessDesk, credential: string) {
  const holder = await aHolder(desk, credential);
  desk.clock.advance(holder.held[0]?.json.expires_in * 1000 - 2.5 * MINUTE);
  await desk.sweep();
  desk.clock.advance(4.5 * MINUTE - 1);
  return holder;
}

/** An access token of a new job. */
export async function anAccessToken(desk: InProcessDesk, credential: string): Promise<string> {
  const { held } = await aHolder(desk, credential);
  return held[0]?.json.access_token;
}

export function changePolicy(desk: InProcessDesk, change: (policy: Policy) => Partial<Policy>): void {
  const { policy, sha256 } = desk.issuing.policy;
  desk.issuing.policy = { policy: { ...policy, ...change(policy) }, sha256: [...sha256].reverse().join('') };
}

/** Google answers so to these calls. */
export function answering(desk: InProcessDesk, methods: readonly Call['method'][], answer: LocalAnswer): void {
  desk.google.before = ({ method }) => (methods.includes(method) ? answer : undefined);
}

export const DENIED: LocalAnswer = {
  status: 403,
  json: { error: { code: 403, status: 'PERMISSION_DENIED', message: 'Permission denied on resource.' } },
};

export const broken = () => Promise.reject(new Unavailable('the test', 'broke it', 7));

export const ledgerOf = ({ project }: InProcessDesk) => databaseOf(project, 'ledger');

/** Lets the body's time pass once somebody waits for the body. */
export function letBodyBeLate({ clock }: InProcessDesk): void {
  const look = () => {
    if (clock.deadlines > 0) clock.advance(10_000);
    else setImmediate(look);
  };
  look();
}
