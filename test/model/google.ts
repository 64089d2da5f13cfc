// A Google and a Buildkite in process: the few calls that Keydesk makes, with the true state of accounts and jobs.
// A call takes effect when it is sent, its answer comes when the scheduler says so; faults change either. What is asked
// in another form than the real APIs take, by an identity that may not, or of something that does not exist, fails the run.

import { createHash } from 'node:crypto';
import * as z from 'zod';
import { DependencyError, withTimeout } from '../../shared/runtime/errors.ts';
import type { HttpClient, JsonResponse, OutgoingRequest } from '../../shared/runtime/http-client.ts';
import { PeopleAtBuildkite } from './people/buildkite.ts';
import { keySetAt } from './people/machines.ts';
import { claimsOf } from './setting.ts';
import type { World } from './world.ts';

export const URLS = {
  iamCredentials: 'https://iamcredentials.model',
  iam: 'https://iam.model',
  sts: 'https://sts.model',
  identityToolkit: 'https://identitytoolkit.model',
  buildkite: 'https://buildkite.model',
};
export const API_TOKEN = 'api-token';
/** Of the database that the setting's policy opens. */
const PROJECT = 'acme-model';
const DEADLINE_MS = 5_000;
/** What is late by no more than this may also happen before the clock moves at all. */
const SOON_MS = 10_000;
/** Seconds a Firebase ID token lives, whatever is asked for. */
const ID_TOKEN_LIFETIME = 3_600;

export const CALLS = ['mint', 'narrow', 'signJwt', 'signIn', 'readAccount', 'disable', 'enable', 'readJob'] as const;
export type Call = (typeof CALLS)[number] | 'readBuild' | 'readTeam' | 'readKeys';

/** Whose identity a call carries: a function's, or an operator's who activates the kill switch. */
export type Identity = 'token' | 'webhook' | 'sweep' | 'operator';

/** What each may do with service accounts (I8). */
const MAY: Readonly<Record<Identity, readonly Call[]>> = {
  token: ['mint', 'signJwt', 'readAccount', 'disable'],
  webhook: ['readAccount', 'disable'],
  sweep: ['readAccount', 'disable', 'enable'],
  operator: ['readAccount', 'disable'],
};

const nothing = z.strictObject({});
const mintBody = z.strictObject({
  scope: z.array(z.string().regex(/^https:\/\/www\.googleapis\.com\/auth\/[a-z._-]+$/)).min(1),
  lifetime: z
    .string()
    .regex(/^[1-9][0-9]*s$/)
    .transform((text) => Number(text.slice(0, -1)))
    .pipe(z.int().max(3_600)),
});
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';
const narrowForm = z.strictObject({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
  requested_token_type: z.literal(ACCESS_TOKEN_TYPE),
  subject_token_type: z.literal(ACCESS_TOKEN_TYPE),
  subject_token: z.string().min(1),
  options: z.string().includes('//storage.googleapis.com/projects/_/buckets/acme-cache'),
});
const customToken = z.strictObject({
  iss: z.string(),
  sub: z.string(),
  aud: z.literal('https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit'),
  iat: z.int(),
  exp: z.int(),
  uid: z.string().min(1).max(128),
  claims: z.strictObject({ keydesk_grant: z.string().min(1) }),
});
const signIn = z.strictObject({ token: z.string(), returnSecureToken: z.literal(true) });

/**
 * How a call goes wrong. `late`: milliseconds after which it takes effect, though it was answered before. `done`: answered
 * as what it is not yet, of an account that is changed.
 */
export interface Fault {
  readonly response: 'done' | '500' | '429' | '403' | 'garbage' | 'network';
  readonly effect: 'none' | 'now' | { readonly late: number };
}

export interface TrueToken {
  readonly accessToken: string;
  readonly sha256: string;
  readonly kind: 'access' | 'narrowed' | 'id';
  /** The token's identity: a pooled account, the shared one, or a grant's Firebase user. */
  readonly subject: string;
  /** For whom it was minted: a job, or of an ID token the grant. */
  readonly for: string;
  /** Milliseconds since the epoch, as all times here. */
  readonly minted_at: number;
  readonly expires_at: number;
}

/** A change of an account that took effect. */
interface Change {
  readonly email: string;
  readonly enabled: boolean;
  readonly at: number;
}

export interface TrueAccount {
  enabled: boolean;
  /** Who changed it last. */
  changedBy: 'keydesk' | 'operator';
}

/** Who watches what really happens. */
export interface Witness {
  /** A token of the account, or of no account but a Firebase user, is asked for. */
  mintSent(email: string | undefined, job_id: string): void;
  enabled(email: string): void;
  disabled(email: string): void;
  happened(what: string): void;
}

interface Route {
  readonly call: Call;
  readonly effect: () => JsonResponse;
  /** Called when the response is the true one. */
  readonly shown?: () => void;
}

export class Google {
  readonly accounts: Map<string, TrueAccount>;
  /** Jobs that Buildkite has, and those of them that have finished. */
  readonly jobs = new Set<string>();
  readonly finishedJobs = new Set<string>();
  /** Jobs about which Buildkite fails, alone and in the list of their build. */
  readonly failingJobs = new Set<string>();
  readonly tokens: TrueToken[] = [];
  /** Oldest first. */
  readonly changes: Change[] = [];
  /** How often each call was made. */
  readonly calls = new Map<Call, number>();
  readonly faults = new Map<Call, { fault: Fault; left: number }>();
  /** How a call goes wrong when {@link faults} says nothing about it. */
  faultOf: (call: Call) => Fault | undefined = () => undefined;
  /** What happens at the very moment at which a call is sent. */
  before: (call: Call, email: string) => void = () => {};
  witness: Witness = { mintSent: () => {}, enabled: () => {}, disabled: () => {}, happened: () => {} };
  readonly people: PeopleAtBuildkite;
  readonly #world: World;
  readonly #signed = new Map<string, { readonly uid: string; readonly grant_id: string }>();
  readonly #byText = new Map<string, TrueToken>();
  readonly #bySha256 = new Map<string, TrueToken>();
  #serial = 0;

  constructor(world: World, accounts: readonly string[]) {
    this.#world = world;
    this.people = new PeopleAtBuildkite(world);
    this.accounts = new Map(accounts.map((email) => [email, { enabled: true, changedBy: 'operator' }]));
  }

  /** The token whose text, or the SHA-256 of whose text, this is. */
  token(text: string): TrueToken | undefined {
    return this.#byText.get(text) ?? this.#bySha256.get(text);
  }

  readonly sendRequest: HttpClient = async (request) => {
    const { dependency, until = Number.POSITIVE_INFINITY } = request;
    if (this.#world.nowOf('sweep') >= until)
      throw new DependencyError(dependency, 'not_attempted', 'not requested: its time was up');
    const route = this.#route(request);
    this.calls.set(route.call, (this.calls.get(route.call) ?? 0) + 1);
    const fault = this.#takeFault(route.call) ?? this.#faultNow(route.call);
    const response = this.#send(request, route, fault);
    await this.#respond(request.dependency, route.call);
    if (response instanceof Error) throw response;
    return response;
  };

  /** By how much Google's clock is fast. Tokens are kept with the times of the right one. */
  get #skew(): number {
    return this.#world.nowOf('google') - this.#world.now();
  }

  /** The same with an identity of its own. */
  sendAs(identity: Identity): HttpClient {
    return (request) =>
      this.sendRequest({ ...request, headers: { ...request.headers, authorization: `Bearer ${identity}` } });
  }

  /** An operator disables an account by hand. */
  disableByHand(email: string): void {
    const account = this.accounts.get(email);
    if (account?.enabled) this.changes.push({ email, enabled: false, at: this.#world.now() });
    Object.assign(account ?? {}, { enabled: false, changedBy: 'operator' });
    this.#world.tell(`an operator disables ${email}`);
    this.witness.happened('disabled by hand');
  }

  #send(
    { dependency }: OutgoingRequest,
    { call, effect, shown }: Route,
    fault: Fault | undefined,
  ): JsonResponse | Error {
    if (!fault) {
      shown?.();
      return this.#perform(call, effect);
    }
    this.#world.tell(`${call} goes wrong: ${JSON.stringify(fault)}`);
    const mayHappen = fault.response !== '403' && fault.response !== '429';
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
    if (fault.response === 'network') return new DependencyError(dependency, 'unreachable', 'could not be reached');
    if (fault.response === 'done') return toResponse(200, {});
    if (fault.response === 'garbage') return toResponse(200, 'An error page.');
    return toResponse(Number(fault.response), { error: { status: 'INJECTED', message: 'a fault of this history' } });
  }

  #perform(call: string, effect: () => JsonResponse): JsonResponse {
    const response = effect();
    this.#world.tell(
      `${call} -> ${response.status} ${call.endsWith('readAccount') ? JSON.stringify(response.json) : ''}`,
    );
    this.witness.happened(call);
    return response;
  }

  /** An answer has five seconds of this world's time to come. */
  #respond(dependency: string, call: Call): Promise<void> {
    return withTimeout(
      { clock: this.#world, milliseconds: DEADLINE_MS, dependency },
      this.#world.turn(`answer to ${call}`),
    );
  }

  #takeFault(call: Call): Fault | undefined {
    const found = this.faults.get(call);
    if (!found) return undefined;
    found.left -= 1;
    if (found.left <= 0) this.faults.delete(call);
    this.#world.count(`fault: ${call}`);
    return found.fault;
  }

  #faultNow(call: Call): Fault | undefined {
    const fault = this.faultOf(call);
    if (fault) this.#world.count(`fault: ${call}`);
    return fault;
  }

  #route(request: OutgoingRequest): Route {
    const { url, method = 'GET', headers = {} } = request;
    const account = match(url, `${URLS.iamCredentials}/v1/projects/-/serviceAccounts/`, /^([^/:]+):[A-Za-z]+$/);
    if (account && method === 'POST' && url.endsWith(':generateAccessToken'))
      return this.#asFunction(request, 'mint', account, () => this.#mint(request, account));
    if (account && method === 'POST' && url.endsWith(':signJwt'))
      return this.#asFunction(request, 'signJwt', account, () => this.#sign(request, account));
    const known = match(url, `${URLS.iam}/v1/projects/acme-model/serviceAccounts/`, /^([^/:]+?)(?::(?:dis|en)able)?$/);
    if (known && method === 'GET' && !url.endsWith('able'))
      return this.#asFunction(request, 'readAccount', known, () => this.#readAccount(request, known));
    if (known && method === 'POST' && url.endsWith(':disable'))
      return this.#asFunction(request, 'disable', known, () => this.#change(request, known, false));
    if (known && method === 'POST' && url.endsWith(':enable'))
      return this.#asFunction(request, 'enable', known, () => this.#change(request, known, true));

    const job_id = match(url, `${URLS.buildkite}/v2/organizations/acme-inc/jobs/`, /^([0-9a-f-]{36})$/);
    if (job_id && method === 'GET' && headers.authorization === `Bearer ${API_TOKEN}`)
      return { call: 'readJob', effect: () => this.#readJob(job_id) };
    const build = new RegExp(
      `^${URLS.buildkite}/v2/organizations/acme-inc/pipelines/(deploy|release)/builds/([0-9]+)/jobs[?]per_page=100$`,
    ).exec(url);
    if (build && method === 'GET' && headers.authorization === `Bearer ${API_TOKEN}`)
      return { call: 'readJob', effect: () => this.#readBuild(String(build[1]), Number(build[2])) };
    const ofPeople = match(url, URLS.buildkite, /^(.*)$/) ?? '';
    const shown = method === 'GET' && this.people.route(ofPeople, headers.authorization, API_TOKEN);
    if (shown) return shown;
    if (headers.authorization !== undefined) return this.#malformed(request, 'carries an identity that it needs not');
    if (url === `${URLS.sts}/v1/token` && method === 'POST') return { call: 'narrow', effect: this.#narrow(request) };
    if (url === `${URLS.identityToolkit}/v1/accounts:signInWithCustomToken?key=web-key` && method === 'POST')
      return { call: 'signIn', effect: this.#signIn(request) };
    const keySet = method === 'GET' ? keySetAt(url) : undefined;
    if (keySet) return { call: 'readKeys', effect: () => keySet };
    return this.#malformed(request, 'is no call that the real ones know');
  }

  #asFunction(request: OutgoingRequest, call: Call, email: string, toEffect: () => () => JsonResponse): Route {
    const [, identity] = /^Bearer (token|webhook|sweep|operator)$/.exec(request.headers?.authorization ?? '') ?? [];
    if (!identity || !MAY[identity as Identity].includes(call))
      return this.#malformed(request, `is not what the identity ${identity} may do (I8)`);
    this.before(call, email);
    return { call, effect: toEffect() };
  }

  #mint(request: OutgoingRequest, email: string): () => JsonResponse {
    const account = this.accounts.get(email);
    const body = mintBody.safeParse(request.json);
    const job_id = jobOf(request);
    if (!account || !body.success || !job_id)
      return this.#malformed(request, `asks for ${JSON.stringify(request.json)}`);
    this.witness.mintSent(email, job_id);
    return () => {
      if (!account.enabled)
        return toResponse(403, { error: { status: 'PERMISSION_DENIED', message: 'it is disabled' } });
      const expires_at = this.#world.now() + body.data.lifetime * 1000;
      const accessToken = this.#issue(
        { kind: 'access', subject: email, for: job_id, expires_at },
        'ya29.c.of-the-model-',
      );
      return toResponse(200, { accessToken, expireTime: new Date(expires_at + this.#skew).toISOString() });
    };
  }

  #narrow(request: OutgoingRequest): () => JsonResponse {
    const form = narrowForm.safeParse(request.form);
    const parent = form.success ? this.token(form.data.subject_token) : undefined;
    if (parent?.kind !== 'access') return this.#malformed(request, `sends ${JSON.stringify(request.form)}`);
    return () => {
      const { subject, expires_at } = parent;
      if (!this.accounts.get(subject)?.enabled || expires_at <= this.#world.now())
        return toResponse(400, { error: 'invalid_grant' });
      const access_token = this.#issue(
        { kind: 'narrowed', subject, for: parent.for, expires_at },
        'ya29.dr.of-the-model-',
      );
      const expires_in = Math.floor((expires_at - this.#world.now()) / 1000);
      return toResponse(200, { access_token, token_type: 'Bearer', expires_in });
    };
  }

  #sign(request: OutgoingRequest, signer: string): () => JsonResponse {
    const { payload } = (request.json ?? {}) as { payload?: unknown };
    const token = customToken.safeParse(JSON.parse(String(payload)));
    const job_id = jobOf(request);
    if (!token.success || !job_id || token.data.iss !== signer || token.data.sub !== signer)
      return this.#malformed(request, `has the payload ${String(payload)}`);
    const { iat, exp, uid, claims } = token.data;
    if (exp <= iat || exp > iat + ID_TOKEN_LIFETIME || iat * 1000 > this.#world.nowOf('google'))
      return this.#malformed(request, `lives from ${iat} to ${exp}`);
    this.witness.mintSent(undefined, job_id);
    return () => {
      this.#serial += 1;
      const signedJwt = `eyJmodel-signed-${this.#serial}`;
      this.#signed.set(signedJwt, { uid, grant_id: claims.keydesk_grant });
      return toResponse(200, { keyId: 'key', signedJwt });
    };
  }

  #signIn(request: OutgoingRequest): () => JsonResponse {
    const body = signIn.safeParse(request.json);
    const signed = body.success ? this.#signed.get(body.data.token) : undefined;
    if (signed === undefined) return this.#malformed(request, 'has no token of ours');
    return () => {
      const { uid, grant_id } = signed;
      const now = this.#world.now();
      const iat = Math.floor(now / 1000);
      const payload = {
        ...{ iss: `https://securetoken.google.com/${PROJECT}`, aud: PROJECT, sub: uid, user_id: uid },
        ...{ iat, exp: iat + ID_TOKEN_LIFETIME, keydesk_grant: grant_id },
        firebase: { identities: {}, sign_in_provider: 'custom' },
      };
      const expires_at = now + ID_TOKEN_LIFETIME * 1000;
      const start = `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.model-id-`;
      const idToken = this.#issue({ kind: 'id', subject: grant_id, for: grant_id, expires_at }, start);
      return toResponse(200, {
        idToken,
        refreshToken: 'unused',
        expiresIn: String(ID_TOKEN_LIFETIME),
        isNewUser: false,
      });
    };
  }

  #issue(token: Pick<TrueToken, 'kind' | 'subject' | 'for' | 'expires_at'>, prefix: string): string {
    this.#serial += 1;
    const accessToken = `${prefix}${this.#serial}`;
    const sha256 = createHash('sha256').update(accessToken).digest('hex');
    const issued = { ...token, accessToken, sha256, minted_at: this.#world.now() };
    this.tokens.push(issued);
    this.#byText.set(accessToken, issued);
    this.#bySha256.set(sha256, issued);
    this.#world.tell(`${accessToken} minted from ${token.subject} for ${token.for}`);
    return accessToken;
  }

  #readAccount(request: OutgoingRequest, email: string): () => JsonResponse {
    const account = this.accounts.get(email);
    if (!account) return this.#malformed(request, 'names no account');
    return () => toResponse(200, { email, ...(account.enabled ? {} : { disabled: true }) });
  }

  #change(request: OutgoingRequest, email: string, enabled: boolean): () => JsonResponse {
    const account = this.accounts.get(email);
    if (!account || !nothing.safeParse(request.json).success) return this.#malformed(request, 'names no account');
    return () => {
      const changed = account.enabled !== enabled;
      Object.assign(account, { enabled, changedBy: 'keydesk' });
      if (changed) this.changes.push({ email, enabled, at: this.#world.now() });
      this.#world.tell(`${email} is ${enabled ? 'enabled' : 'disabled'}`);
      if (changed && enabled) this.witness.enabled(email);
      if (changed && !enabled) this.witness.disabled(email);
      return toResponse(200, {});
    };
  }

  #readJob(id: string): JsonResponse {
    if (this.failingJobs.has(id)) return toResponse(500, {});
    return toResponse(200, this.#toJob(id));
  }

  /** Builds of the model fit into one page. */
  #readBuild(pipeline_slug: string, build_number: number): JsonResponse {
    const ids = [...this.jobs].filter((id) => {
      const claims = claimsOf(id);
      return claims.pipeline_slug === pipeline_slug && claims.build_number === build_number;
    });
    if (ids.some((id) => this.failingJobs.has(id))) return toResponse(500, {});
    return toResponse(200, { items: ids.map((id) => this.#toJob(id)), links: { self: 'here', next: null } });
  }

  #toJob(id: string) {
    const finished = this.finishedJobs.has(id);
    return {
      id,
      state: finished ? 'passed' : 'running',
      finished_at: finished ? new Date(this.#world.nowOf('buildkite')).toISOString() : null,
      agent: null,
    };
  }

  #malformed({ method = 'GET', url }: OutgoingRequest, why: string): never {
    this.#world.violate('harness', `${method} ${url} ${why}`);
    throw new Error(`${url} ${why}`);
  }
}

/** The job that Google's own audit log will name. */
function jobOf({ headers }: OutgoingRequest): string | undefined {
  return /^buildkite-job\/(.+)$/.exec(headers?.['x-goog-request-reason'] ?? '')?.[1];
}

function match(url: string, prefix: string, rest: RegExp): string | undefined {
  const found = url.startsWith(prefix) ? rest.exec(url.slice(prefix.length))?.[1] : undefined;
  return found && decodeURIComponent(found);
}

function toResponse(status: number, json: unknown): JsonResponse {
  return { status, headers: new Headers(), json };
}
