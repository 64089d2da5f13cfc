// The issuer's public keys, cached. No token is judged by keys older than ten minutes while the issuer can be reached.
// Keys in hand keep working while it cannot. Requests that wait for keys share one fetch, and no fetch exceeds its deadline.
// Source: RFC 7517. Knows nothing about tokens.

import { createPublicKey, type KeyObject } from 'node:crypto';
import * as z from 'zod';
import type { FailureCode } from '../core/failure-code.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient } from '../runtime/http-client.ts';
import type { Algorithm, SigningKey } from './signed-token.ts';

const DEADLINE_MS = 3_000;
/** From this age on a request waits for newer keys. It is judged by the held ones only if the issuer cannot be reached. */
const FRESH_MS = 10 * 60_000;
/**
 * Keys older than this are not trusted, even when the issuer cannot be reached. Neither are keys with a time in the future,
 * after the clock was set back: their age is not known.
 */
const USABLE_MS = 24 * 3_600_000;
/** Between two fetches for a key id that is not known. */
const UNKNOWN_KEY_PAUSE_MS = 30_000;
/** Between two tries after a fetch failed. */
const FAILURE_PAUSE_MS = 2_000;
/** While keys are held, the pause is at least this multiple of the failed request's duration. So requests rarely wait for a slow issuer. */
const PAUSE_PER_TRY = 5;
/** Between two reports of a key set that cannot be used. */
const REPORT_PAUSE_MS = 60_000;
/** Keys taken from one set, and keys of one id among them. Buildkite publishes a handful. */
const MAX_KEYS = 100;
const MAX_KEYS_PER_ID = 4;
/** Bits. RFC 7518 section 3.3. */
const MIN_MODULUS = 2048;

const DEPENDENCY = 'issuer keys';

const keySet = z.object({ keys: z.array(z.unknown()) });
/** What keys for signatures have in common. RFC 7517 section 5: members of a set that are not understood are ignored. */
const forSignatures = {
  kid: z.string().min(1),
  use: z.literal('sig').nullish(),
  key_ops: z
    .array(z.unknown())
    .refine((operations) => operations.includes('verify'))
    .nullish(),
};
/** Keys that could have signed a token, each by one algorithm alone. */
const signingKey = z.union([
  z.object({
    ...forSignatures,
    kty: z.literal('RSA'),
    n: z.string(),
    e: z.string(),
    alg: z.literal('RS256').nullish(),
  }),
  ellipticKey('P-256', 'ES256'),
  ellipticKey('P-384', 'ES384'),
]);

function ellipticKey<C extends string, A extends Algorithm>(curve: C, algorithm: A) {
  const numbers = { kty: z.literal('EC'), crv: z.literal(curve), x: z.string(), y: z.string() };
  return z.object({ ...forSignatures, ...numbers, alg: z.literal(algorithm).nullish() });
}

type KeysById = ReadonlyMap<string, readonly SigningKey[]>;

/**
 * `found`: the keys that the id names; more than one only where the issuer gave several keys one id (RFC 7517 section 4.5).
 * `unknown`: the issuer has no such key; its keys were requested after this request arrived.
 * `asked_recently`: not known yet. The issuer's keys can be requested again in `retryAfter` seconds.
 */
export type KeysFound =
  | { readonly outcome: 'found'; readonly keys: readonly SigningKey[] }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'asked_recently'; readonly retryAfter: number };

/** Finds the keys of a key id. Throws DependencyError when the issuer cannot be reached and no usable keys are held. */
export type GetKeys = (kid: string) => Promise<KeysFound>;

/** What is wrong with a key set. */
export interface KeySetProblem {
  /** The keys, as errors call them. */
  readonly dependency: string;
  readonly code: FailureCode;
  readonly detail: string;
}

/** Holds the keys of one issuer. One per instance. */
export class JwksCache {
  readonly #url: string;
  readonly #algorithms: readonly Algorithm[];
  readonly #dependency: string;
  readonly #sendRequest: HttpClient;
  readonly #clock: Clock;
  readonly #onUnusable: (problem: KeySetProblem) => void;
  #keys: KeysById | undefined;
  /** When the fetch began that brought the held keys, and its number. */
  #keysSince = Number.NEGATIVE_INFINITY;
  #keysFetch = 0;
  /** When the latest fetch began, and its number. */
  #requestedAt = Number.NEGATIVE_INFINITY;
  #fetches = 0;
  #failure: { readonly error: DependencyError; readonly at: number; readonly pause: number } | undefined;
  #fetching: Promise<void> | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;

  /** @param deps.onUnusable is given what is wrong with a set without a usable key, at most once a minute */
  constructor(deps: {
    /** Of the issuer's key set. */
    readonly url: string;
    /** Keys for others are not used. */
    readonly algorithms: readonly Algorithm[];
    /** What errors call the issuer's keys. */
    readonly dependency?: string;
    readonly sendRequest: HttpClient;
    readonly clock: Clock;
    readonly onUnusable: (problem: KeySetProblem) => void;
  }) {
    this.#url = deps.url;
    this.#algorithms = deps.algorithms;
    this.#dependency = deps.dependency ?? DEPENDENCY;
    this.#sendRequest = deps.sendRequest;
    this.#clock = deps.clock;
    this.#onUnusable = deps.onUnusable;
  }

  readonly getKeys: GetKeys = async (kid) => {
    const fetches = this.#fetches;
    const lookUp = async (): Promise<KeysFound | undefined> => {
      const keys = (await this.#fresh()).get(kid);
      if (keys) return { outcome: 'found', keys };
      return this.#keysFetch > fetches ? { outcome: 'unknown' } : undefined;
    };
    const found = await lookUp();
    if (found) return found;
    if (!this.#fetching && this.#isWithin(UNKNOWN_KEY_PAUSE_MS, this.#requestedAt)) {
      if (this.#failure) throw this.#failure.error;
      return this.#requestedRecently();
    }
    await this.#fetch();
    return (await lookUp()) ?? this.#requestedRecently();
  };

  /** Fetches the keys before a request needs them, if none are held. Never fails. */
  async warmUp(): Promise<void> {
    if (!this.#keys) await this.#fetch().catch(() => {});
  }

  /** The same for every token of an unknown key id, so that the response says nothing about any of them. */
  #requestedRecently(): KeysFound {
    const wait = this.#requestedAt + UNKNOWN_KEY_PAUSE_MS - this.#clock.now();
    return { outcome: 'asked_recently', retryAfter: Math.max(1, Math.ceil(wait / 1000)) };
  }

  async #fresh(): Promise<KeysById> {
    if (!this.#isWithin(USABLE_MS, this.#keysSince)) await this.#fetch();
    else if (!this.#isWithin(FRESH_MS, this.#keysSince)) await this.#fetch().catch(() => {});
    if (!this.#keys) throw new DependencyError(this.#dependency, 'no_usable_keys', 'none are held');
    return this.#keys;
  }

  async #fetch(): Promise<void> {
    if (this.#fetching) return this.#fetching;
    const startedAt = this.#clock.now();
    if (this.#failure && this.#isWithin(this.#failure.pause, this.#failure.at)) throw this.#failure.error;
    this.#requestedAt = startedAt;
    this.#fetches += 1;
    this.#fetching = this.#load(startedAt, this.#fetches)
      .then(() => {
        this.#failure = undefined;
      })
      .catch((failure: unknown) => {
        const error = DependencyError.is(failure)
          ? failure
          : new DependencyError(this.#dependency, 'call_failed', 'failed', { cause: failure });
        const at = this.#clock.now();
        const pause = this.#keys ? Math.max(FAILURE_PAUSE_MS, PAUSE_PER_TRY * (at - startedAt)) : FAILURE_PAUSE_MS;
        this.#failure = { error, at, pause };
        throw error;
      })
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  async #load(startedAt: number, fetch: number): Promise<void> {
    const { status, json } = await this.#sendRequest({
      dependency: this.#dependency,
      url: this.#url,
      deadlineMs: DEADLINE_MS,
    });
    if (status !== 200) throw new DependencyError(this.#dependency, 'error_response', `returned ${status}`);
    const parsed = keySet.safeParse(json);
    if (!parsed.success) throw this.#unusable('invalid_response', 'returned something that is no key set');
    const { keys } = parsed.data;
    const usable = usableKeys(keys, this.#algorithms);
    if (usable.size === 0) throw this.#unusable('no_usable_keys', `returned ${keys.length} keys, none of them usable`);
    this.#keys = usable;
    this.#keysSince = startedAt;
    this.#keysFetch = fetch;
  }

  #unusable(code: FailureCode, detail: string): DependencyError {
    if (!this.#isWithin(REPORT_PAUSE_MS, this.#reportedAt)) {
      this.#reportedAt = this.#clock.now();
      this.#onUnusable({ dependency: this.#dependency, code, detail });
    }
    return new DependencyError(this.#dependency, code, detail);
  }

  /** False if `at` is in the future: the clock was set back. */
  #isWithin(milliseconds: number, at: number): boolean {
    const elapsed = this.#clock.now() - at;
    return elapsed >= 0 && elapsed < milliseconds;
  }
}

/** The usable keys among a set's members, by key id; a key that is listed twice counts once. */
function usableKeys(members: readonly unknown[], algorithms: readonly Algorithm[]): KeysById {
  const byId = new Map<string, Map<string, SigningKey>>();
  let count = 0;
  for (const member of members) {
    if (count === MAX_KEYS) break;
    const { data } = signingKey.safeParse(member);
    if (!data) continue;
    const known = byId.get(data.kid) ?? new Map<string, SigningKey>();
    const jwk = toShortest(data);
    const content = JSON.stringify(jwk);
    if (known.size === MAX_KEYS_PER_ID || known.has(content)) continue;
    const signing = toSigningKey(jwk);
    if (!signing || !algorithms.includes(signing.algorithm)) continue;
    byId.set(data.kid, known.set(content, signing));
    count += 1;
  }
  return new Map([...byId].map(([kid, keys]) => [kid, [...keys.values()]]));
}

type PublicJwk =
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | { readonly kty: 'EC'; readonly crv: 'P-256' | 'P-384'; readonly x: string; readonly y: string };

/** What makes the key, in one form: two members that differ elsewhere are the same key. */
function toShortest(member: z.output<typeof signingKey>): PublicJwk {
  if (member.kty === 'RSA') return { kty: 'RSA', n: withoutLeadingZeros(member.n), e: withoutLeadingZeros(member.e) };
  const { crv, x, y } = member;
  return { kty: 'EC', crv, x, y };
}

/** Undefined for a key that no signature should be trusted of. RFC 8017 section 3.1: both numbers are odd, e is 3 or more. */
function toSigningKey(jwk: PublicJwk): SigningKey | undefined {
  if (jwk.kty === 'RSA' && (!isOdd(jwk.n) || !isOdd(jwk.e) || jwk.e === 'AQ')) return undefined;
  const key = importKey(jwk);
  if (!key) return undefined;
  if (jwk.kty === 'EC') return { algorithm: jwk.crv === 'P-256' ? 'ES256' : 'ES384', key };
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  return modulusLength >= MIN_MODULUS ? { algorithm: 'RS256', key } : undefined;
}

/** Undefined for what is no key, and for a point that is not on the curve. */
function importKey(jwk: PublicJwk): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** A Base64urlUInt (RFC 7518 section 2) in its shortest form. Some issuers send a leading zero or padding. */
function withoutLeadingZeros(base64url: string): string {
  const bytes = Buffer.from(base64url, 'base64url');
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? '' : bytes.subarray(first).toString('base64url');
}

function isOdd(base64url: string): boolean {
  return ((Buffer.from(base64url, 'base64url').at(-1) ?? 0) & 1) === 1;
}
