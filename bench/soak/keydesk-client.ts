// Requests to the functions as jobs and Buildkite send them, each with a line in the observations when it is over.

import type { FakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type Outcome, post } from './client.ts';
import type { Instance, Instances } from './instances.ts';
import type { ClientKind, FunctionName, Operation, RequestObservation } from './observation.ts';
import type { Recorder } from './recorder.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
/** How long Buildkite waits for the response to a webhook. */
const WEBHOOK_TIMEOUT_MS = 5_000;
/** How long jobs wait. */
const JOB_TIMEOUT_MS = 30_000;
const SWEEP_TIMEOUT_MS = 120_000;

export interface Issued {
  readonly accessToken: string;
  readonly token: string;
  readonly grant: string;
  readonly job: string;
  readonly revocation: string;
}

interface Responded {
  readonly status?: number;
  readonly failure?: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** When the response had arrived. */
  readonly ended: number;
}

export interface Caller {
  readonly random: SeededRandom;
  /** The one that is preferred. Default: any that has a place. */
  readonly instance?: Instance | undefined;
  readonly client?: ClientKind;
}

export class KeydeskClient {
  readonly #instances: Instances;
  readonly #recorder: Recorder;
  readonly #buildkite: FakeBuildkite;

  constructor(options: {
    readonly instances: Instances;
    readonly recorder: Recorder;
    readonly buildkite: FakeBuildkite;
  }) {
    this.#instances = options.instances;
    this.#recorder = options.recorder;
    this.#buildkite = options.buildkite;
  }

  /** Requests a token by the form or, where a plain client draws that, by the short URL. */
  async issue(
    { job, jobToken, credential }: { readonly job: string; readonly jobToken: string; readonly credential: string },
    caller: Caller,
    operation: Operation = 'issue',
  ): Promise<Responded & { readonly issued?: Issued }> {
    const { client = 'plain', random } = caller;
    const short = client === 'plain' && random.chance(0.5);
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: jobToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: credential,
    });
    const request = short
      ? { path: `/token/${credential}`, headers: { authorization: `Bearer ${jobToken}` }, body: '' }
      : { path: '/token', headers: FORM, body: form.toString() };
    const facts = { operation, job, credential };
    const responded = await this.#send('token', { ...request, facts, timeoutMs: JOB_TIMEOUT_MS }, caller, (body, at) =>
      this.#issuedFacts(body, at),
    );
    const { body, status } = responded;
    if (status !== 200 || typeof body.access_token !== 'string') return responded;
    const token = this.#recorder.secret('access_token', body.access_token);
    const { grant_id, revocation } = body;
    const issued = {
      accessToken: body.access_token,
      token,
      grant: String(grant_id),
      job,
      revocation: String(revocation),
    };
    return { ...responded, issued };
  }

  async holderRequest(path: 'revoke' | 'introspect', held: Issued, caller: Caller): Promise<Responded> {
    const body = new URLSearchParams({ token: held.accessToken }).toString();
    const facts = {
      operation: path === 'revoke' ? ('release' as const) : ('introspect' as const),
      job: held.job,
      token: held.token,
      grant: held.grant,
    };
    return this.#send(
      'token',
      { path: `/${path}`, headers: FORM, body, facts, timeoutMs: JOB_TIMEOUT_MS },
      caller,
      (response) => ({ ...(typeof response.active === 'boolean' ? { active: response.active } : {}) }),
    );
  }

  /** Sends a webhook with a signature of this moment; `forged` changes the body after it was signed. */
  async webhook(
    { body, job, operation }: { readonly body: string; readonly job: string; readonly operation: Operation },
    caller: Caller,
  ): Promise<Responded> {
    const signature = this.#buildkite.signature(body);
    this.#recorder.secret('webhook_signature', /signature=(\w+)/.exec(signature)?.[1] ?? '');
    const headers = { 'content-type': 'application/json', 'x-buildkite-signature': signature };
    const sent = operation === 'forged_webhook' ? body.replace('job', 'Job') : body;
    const request = { path: '/', headers, body: sent, facts: { operation, job }, timeoutMs: WEBHOOK_TIMEOUT_MS };
    return this.#send('webhook', request, caller, (response) => ({
      ...(typeof response.pending === 'number' ? { pending: response.pending } : {}),
    }));
  }

  async sweep(caller: Caller, operation: 'sweep' | 'settling_sweep' = 'sweep'): Promise<Responded> {
    const request = { path: '/', headers: {}, body: '', facts: { operation }, timeoutMs: SWEEP_TIMEOUT_MS };
    return this.#send('sweep', request, caller, () => ({}));
  }

  #issuedFacts(body: Responded['body'], received: number): Partial<RequestObservation> {
    const { access_token, grant_id, expires_in, revocation } = body;
    if (typeof access_token !== 'string') return {};
    return {
      token: this.#recorder.secret('access_token', access_token),
      grant: String(grant_id),
      expires_at: received + Number(expires_in) * 1000,
      revocation: String(revocation),
    };
  }

  async #send(
    target: FunctionName,
    request: {
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
      readonly facts: Partial<RequestObservation> & { readonly operation: Operation };
      readonly timeoutMs: number;
    },
    { random, instance, client = 'plain' }: Caller,
    factsOf: (body: Responded['body'], received: number) => Partial<RequestObservation>,
  ): Promise<Responded> {
    const to = await this.#instances.enter(target, random, instance);
    const { path, headers, body, facts, timeoutMs } = request;
    const outcome = await post({ url: `${to.url}${path}`, headers, body, client, timeoutMs, random });
    this.#instances.leave(to);
    const { sent, ended, status, failure } = outcome;
    const parsed = parseBody(outcome);
    this.#recorder.write({
      type: 'request',
      instance: to.name,
      client,
      sent,
      ended,
      ...(status === undefined ? {} : { status }),
      ...(failure === undefined ? {} : { failure }),
      ...(typeof parsed.error === 'string' ? { error: parsed.error } : {}),
      ...facts,
      ...(status === 200 ? factsOf(parsed, ended) : {}),
    });
    return {
      ...(status === undefined ? {} : { status }),
      ...(failure === undefined ? {} : { failure }),
      body: parsed,
      ended: systemClock.now(),
    };
  }
}

function parseBody({ text }: Outcome): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text ?? '') as Record<string, unknown>;
  } catch {
    return {};
  }
}
