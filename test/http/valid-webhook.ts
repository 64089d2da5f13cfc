// The one valid webhook that the tests of webhooks change one thing in: a signed job.finished of a job that holds a grant.

import { createHmac } from 'node:crypto';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import { databaseOf, firestoreAs, type InProcessKeydesk, WEBHOOK_TOKENS } from '../fixtures/in-process-keydesk.ts';

export const KEY = WEBHOOK_TOKENS[0] as string;

/** Lower-case hex, as Buildkite signs; every part can be made to differ. */
export function hmac(message: string | Buffer, { key = KEY, algorithm = 'sha256' } = {}): string {
  return createHmac(algorithm, key).update(message).digest('hex');
}

/** A header whose signature is right for `timestamp`, whatever that is. */
export function sign(timestamp: number | string, body: string | Buffer, key = KEY): string {
  const message = Buffer.concat([Buffer.from(`${timestamp}.`), Buffer.from(body)]);
  return `timestamp=${timestamp},signature=${hmac(message, { key })}`;
}

export interface ValidWebhook {
  readonly job: Job;
  /** A `job.finished` of the job. */
  readonly body: string;
  /** Seconds since the epoch: now. */
  readonly timestamp: number;
  readonly signature: string;
  readonly accessToken: string;
}

/** A running job that holds a Firestore token, and the webhook that would end it. The clock stands at a whole second. */
export async function validWebhook(
  keydesk: InProcessKeydesk,
  claims: Record<string, unknown> = {},
): Promise<ValidWebhook> {
  keydesk.clock.set(Math.floor(keydesk.clock.now() / 1000) * 1000);
  const job = keydesk.buildkite.startJob(claims);
  const issued = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job));
  if (issued.status !== 200) throw new Error(`no baseline: ${JSON.stringify(issued.audit)}`);
  const body = keydesk.buildkite.event(job);
  const timestamp = keydesk.clock.now() / 1000;
  const signature = hmac(`${timestamp}.${body}`);
  return { job, body, timestamp, signature, accessToken: issued.json.access_token };
}

/** What there is to see of a job from outside: its tombstone, the state of its grant and what its token still opens. */
export async function readRecords(
  keydesk: InProcessKeydesk,
  { job, accessToken }: Pick<ValidWebhook, 'job' | 'accessToken'>,
) {
  const ledger = databaseOf(keydesk.project, 'ledger');
  const [tombstone, grants, firestore] = await Promise.all([
    ledger.collection('jobs').doc(job.id).get(),
    ledger.collection('grants').where('subject.id', '==', job.id).get(),
    firestoreAs(keydesk, accessToken, 'config/web', { method: 'PATCH' }),
  ]);
  return {
    tombstone: (tombstone.get('ended_at') ?? null) !== null,
    states: grants.docs.map((grant) => grant.get('state')),
    firestore,
  };
}

export const UNTOUCHED = { tombstone: false, states: ['active'], firestore: 200 };
export const ENDED = { tombstone: true, states: ['revoked'], firestore: 403 };
