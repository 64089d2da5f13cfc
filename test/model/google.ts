// A Google and a Buildkite for histories: the few calls Keydesk makes, on accounts and jobs of which this holds the truth.
// A call takes effect when it is sent, its answer comes when the scheduler says so; faults change either. What is asked
// in another form than the real APIs take, or of something that does not exist, fails the history.

import { createHash } from 'node:crypto';
import type { Ask, Outgoing, OutgoingAnswer } from '../../shared/outgoing.ts';
import { Unavailable } from '../../shared/unavailable.ts';
import type { World } from './world.ts';

export const URLS = {
  iamCredentials: 'https://iamcredentials.model',
  iam: 'https://iam.model',
  sts: 'https://sts.model',
  identityToolkit: 'https://identitytoolkit.model',
  buildkite: 'https://buildkite.model',
};
const DEADLINE_MS = 5_000;
/** What is late by no more than this may also happen before the clock moves at all. */
const SOON_MS = 10_000;
/** Seconds a Firebase ID token lives, whatever is asked for. */
const ID_TOKEN_LIFETIME = 3_600;

export const CALLS = ['mint', 'narrow', 'signJwt', 'signIn', 'readAccount', 'disable', 'enable', 'readJob'] as const;
export type Call = (typeof CALLS)[number];

/**
 * How a call goes wrong. `late`: milliseconds after which it takes effect, though it was answered before. `done`: answered
 * as what it is not yet, of an account that is changed.
 */
export interface Fault {
  readonly answer: 'done' | '500' | '429' | '403' | 'garbage' | 'network';
  readonly effect: 'none' | 'now' | { readonly late: number };
}

export interface TrueToken {
  readonly accessToken: string;
  readonly sha256: string;
  readonly kind: 'access' | 'narrowed' | 'id';
  /** Of whom it is a token; a pooled account, the shared one, or a grant's Firebase user. */
  readonly subject: string;
  /** For whom it was minted: a job, or of an ID token the grant. */
  readonly for: string;
  readonly expires_at: number;
}

export interface TrueAccount {
  enabled: boolean;
  /** Who changed it last. */
  changedBy: 'keydesk' | 'operator';
}

/** Who watches what really happens. */
export interface Witness {
  mintSent(email: string, job_id: string): void;
  enabled(email: string): void;
  disabled(email: string): void;
  happened(what: string): void;
}

interface Route {
  readonly call: Call;
  /** Of a request that carries the service's own identity. */
  readonly asService: boolean;
  readonly effect: () => OutgoingAnswer;
}

export class Google {
  readonly accounts: Map<string, TrueAccount>;
  readonly finishedJobs = new Set<string>();
  readonly tokens: TrueToken[] = [];
  readonly faults = new Map<Call, { fault: Fault; left: number }>();
  witness: Witness = { mintSent: () => {}, enabled: () => {}, disabled: () => {}, happened: () => {} };
  readonly #world: World;
  readonly #signed = new Map<string, string>();
  #serial = 0;

  constructor(world: World, accounts: readonly string[]) {
    this.#world = world;
    this.accounts = new Map(accounts.map((email) => [email, { enabled: true, changedBy: 'operator' }]));
  }

  readonly ask: Ask = async (request) => {
    const route = this.#route(request);
    const asService = request.headers?.authorization === 'Bearer service';
    if (asService !== route.asService) this.#malformed(request, 'carries the wrong identity');
    const fault = this.#takeFault(route.call);
    const answer = this.#send(request, route, fault);
    await this.#answered(request.what, route.call);
    if (answer instanceof Error) throw answer;
    return answer;
  };

  /** The same with the service's own identity. */
  readonly askAsService: Ask = (request) =>
    this.ask({ ...request, headers: { ...request.headers, authorization: 'Bearer service' } });

  #send({ what }: Outgoing, { call, effect }: Route, fault: Fault | undefined): OutgoingAnswer | Error {
    if (!fault) return this.#perform(call, effect);
    this.#world.tell(`${call} goes wrong: ${JSON.stringify(fault)}`);
    const mayHappen = fault.answer !== '403' && fault.answer !== '429';
    if (mayHappen && fault.effect === 'now') this.#perform(call, effect);
    if (mayHappen && typeof fault.effect === 'object') {
      let done = false;
      const once = () => {
        if (done) return;
        done = true;
        this.#world.count(`late: ${call}`);
        this.#perform(`late ${call}`, effect);
      };
      this.#world.after(fault.effect.late, once);
      if (fault.effect.late <= SOON_MS) void this.#world.turn(`late ${call}`).then(once);
    }
    if (fault.answer === 'network') return new Unavailable(what, 'could not be reached');
    if (fault.answer === 'done') return toAnswer(200, {});
    if (fault.answer === 'garbage') return toAnswer(200, 'An error page.');
    return toAnswer(Number(fault.answer), { error: { status: 'INJECTED', message: 'a fault of this history' } });
  }

  #perform(call: string, effect: () => OutgoingAnswer): OutgoingAnswer {
    const answer = effect();
    this.#world.tell(`${call} -> ${answer.status} ${call.endsWith('readAccount') ? JSON.stringify(answer.json) : ''}`);
    this.witness.happened(call);
    return answer;
  }

  /** An answer has five seconds of this world's time to come. */
  async #answered(what: string, call: Call): Promise<void> {
    let deadline: object = {};
    const late = new Promise<never>((_, reject) => {
      deadline = this.#world.after(DEADLINE_MS, () => reject(new Unavailable(what, 'no answer within 5000 ms')));
    });
    await Promise.race([this.#world.turn(`answer to ${call}`), late]).finally(() => this.#world.cancel(deadline));
  }

  #takeFault(call: Call): Fault | undefined {
    const found = this.faults.get(call);
    if (!found) return undefined;
    found.left -= 1;
    if (found.left <= 0) this.faults.delete(call);
    this.#world.count(`fault: ${call}`);
    return found.fault;
  }

  #route(request: Outgoing): Route {
    const { url, method = 'GET', json, headers = {} } = request;
    const minting = match(
      url,
      `${URLS.iamCredentials}/v1/projects/-/serviceAccounts/`,
      /^([^/:]+):generateAccessToken$/,
    );
    if (minting && method === 'POST')
      return { call: 'mint', asService: true, effect: this.#mint(request, minting, json, headers) };
    if (url === `${URLS.sts}/v1/token` && method === 'POST')
      return { call: 'narrow', asService: false, effect: this.#narrow(request) };
    const signing = match(url, `${URLS.iamCredentials}/v1/projects/-/serviceAccounts/`, /^([^/:]+):signJwt$/);
    if (signing && method === 'POST')
      return { call: 'signJwt', asService: true, effect: this.#sign(request, signing, json) };
    if (url === `${URLS.identityToolkit}/v1/accounts:signInWithCustomToken?key=web-key` && method === 'POST')
      return { call: 'signIn', asService: false, effect: this.#signIn(request, json) };
    const account = match(
      url,
      `${URLS.iam}/v1/projects/acme-model/serviceAccounts/`,
      /^([^/:]+?)(?::(?:dis|en)able)?$/,
    );
    if (account && method === 'GET')
      return { call: 'readAccount', asService: true, effect: this.#readAccount(request, account) };
    if (account && method === 'POST' && url.endsWith(':disable'))
      return { call: 'disable', asService: true, effect: this.#change(request, account, false) };
    if (account && method === 'POST' && url.endsWith(':enable'))
      return { call: 'enable', asService: true, effect: this.#change(request, account, true) };
    const job_id = match(url, `${URLS.buildkite}/v2/organizations/acme-inc/jobs/`, /^([0-9a-f-]{36})$/);
    if (job_id && method === 'GET' && headers.authorization === 'Bearer api-token')
      return { call: 'readJob', asService: false, effect: () => this.#readJob(job_id) };
    return this.#malformed(request, 'is no call that the real ones know');
  }

  #mint(
    request: Outgoing,
    email: string,
    json: unknown,
    headers: Readonly<Record<string, string>>,
  ): () => OutgoingAnswer {
    const account = this.accounts.get(email);
    const { scope, lifetime } = json as { scope?: unknown; lifetime?: unknown };
    const seconds = Number(/^([0-9]+)s$/.exec(String(lifetime))?.[1]);
    const [, job_id] = /^buildkite-job\/(.+)$/.exec(headers['x-goog-request-reason'] ?? '') ?? [];
    if (!account || !Array.isArray(scope) || scope.length === 0 || !(seconds >= 60 && seconds <= 3_600) || !job_id)
      return this.#malformed(request, `asks for ${JSON.stringify(json)}`);
    this.witness.mintSent(email, job_id);
    return () => {
      if (!account.enabled) return toAnswer(403, { error: { status: 'PERMISSION_DENIED', message: 'it is disabled' } });
      const expires_at = this.#world.now() + seconds * 1000;
      const accessToken = this.#issue({ kind: 'access', subject: email, for: job_id, expires_at }, 'ya29.model-');
      return toAnswer(200, { accessToken, expireTime: new Date(expires_at).toISOString() });
    };
  }

  #narrow(request: Outgoing): () => OutgoingAnswer {
    const parent = this.tokens.find(({ accessToken }) => accessToken === request.form?.subject_token);
    if (parent?.kind !== 'access' || !request.form?.options?.includes('acme-cache'))
      return this.#malformed(request, `sends ${JSON.stringify(request.form)}`);
    return () => {
      const { subject, expires_at } = parent;
      if (!this.accounts.get(subject)?.enabled || expires_at <= this.#world.now())
        return toAnswer(400, { error: 'invalid_grant' });
      const access_token = this.#issue({ kind: 'narrowed', subject, for: parent.for, expires_at }, 'ya29.dr.model-');
      const expires_in = Math.floor((expires_at - this.#world.now()) / 1000);
      return toAnswer(200, { access_token, token_type: 'Bearer', expires_in });
    };
  }

  #sign(request: Outgoing, signer: string, json: unknown): () => OutgoingAnswer {
    const { payload } = json as { payload?: unknown };
    const { uid, claims, iss, exp } = JSON.parse(String(payload)) as Record<string, unknown>;
    const grant_id = (claims as { keydesk_grant?: unknown } | undefined)?.keydesk_grant;
    if (signer !== iss || typeof uid !== 'string' || typeof grant_id !== 'string' || typeof exp !== 'number')
      return this.#malformed(request, `has the payload ${String(payload)}`);
    return () => {
      this.#serial += 1;
      const signedJwt = `eyJmodel-signed-${this.#serial}`;
      this.#signed.set(signedJwt, grant_id);
      return toAnswer(200, { keyId: 'key', signedJwt });
    };
  }

  #signIn(request: Outgoing, json: unknown): () => OutgoingAnswer {
    const { token, returnSecureToken } = json as { token?: unknown; returnSecureToken?: unknown };
    const grant_id = this.#signed.get(String(token));
    if (grant_id === undefined || returnSecureToken !== true) return this.#malformed(request, 'has no token of ours');
    return () => {
      const expires_at = this.#world.now() + ID_TOKEN_LIFETIME * 1000;
      const idToken = this.#issue({ kind: 'id', subject: grant_id, for: grant_id, expires_at }, 'eyJmodel-id-');
      return toAnswer(200, { idToken, refreshToken: 'unused', expiresIn: String(ID_TOKEN_LIFETIME), isNewUser: false });
    };
  }

  #issue(token: Omit<TrueToken, 'accessToken' | 'sha256'>, prefix: string): string {
    this.#serial += 1;
    const accessToken = `${prefix}${this.#serial}`;
    const sha256 = createHash('sha256').update(accessToken).digest('hex');
    this.tokens.push({ ...token, accessToken, sha256 });
    this.#world.tell(`${accessToken} minted from ${token.subject} for ${token.for}`);
    return accessToken;
  }

  #readAccount(request: Outgoing, email: string): () => OutgoingAnswer {
    const account = this.accounts.get(email);
    if (!account) return this.#malformed(request, 'names no account');
    return () => toAnswer(200, { email, ...(account.enabled ? {} : { disabled: true }) });
  }

  #change(request: Outgoing, email: string, enabled: boolean): () => OutgoingAnswer {
    const account = this.accounts.get(email);
    if (!account) return this.#malformed(request, 'names no account');
    return () => {
      const changed = account.enabled !== enabled;
      Object.assign(account, { enabled, changedBy: 'keydesk' });
      this.#world.tell(`${email} is ${enabled ? 'enabled' : 'disabled'}`);
      if (changed && enabled) this.witness.enabled(email);
      if (changed && !enabled) this.witness.disabled(email);
      return toAnswer(200, {});
    };
  }

  #readJob(id: string): OutgoingAnswer {
    const finished = this.finishedJobs.has(id);
    return toAnswer(200, {
      id,
      state: finished ? 'passed' : 'running',
      finished_at: finished ? 'then' : null,
      agent: null,
    });
  }

  #malformed({ method = 'GET', url }: Outgoing, why: string): never {
    this.#world.violate('harness', `${method} ${url} ${why}`);
    throw new Error(`${url} ${why}`);
  }
}

function match(url: string, prefix: string, rest: RegExp): string | undefined {
  const found = url.startsWith(prefix) ? rest.exec(url.slice(prefix.length))?.[1] : undefined;
  return found && decodeURIComponent(found);
}

function toAnswer(status: number, json: unknown): OutgoingAnswer {
  return { status, headers: new Headers(), json };
}
