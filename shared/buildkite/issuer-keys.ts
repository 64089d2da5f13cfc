// The issuer's public keys, cached. Keys in hand keep working while the key endpoint is down; a key id never seen
// before asks again, at a bounded rate; one slow endpoint never holds up more than its deadline.
// Source: RFC 7517; Buildkite publishes its keys at /.well-known/jwks. Knows nothing about tokens.

import { type CryptoKey, createLocalJWKSet, errors, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose';
import * as z from 'zod';
import type { Ask } from '../outgoing.ts';
import type { Clock } from '../runtime/clock.ts';
import { Unavailable } from '../unavailable.ts';

const DEADLINE_MS = 3_000;
/** After this age keys are asked for again, beside the request that notices. */
const FRESH_MS = 10 * 60_000;
/** After this age a request waits for newer keys, and makes do with the old ones only if there are none to be had. */
const STALE_MS = 3_600_000;
/** After this age keys are not trusted any more, down endpoint or not. */
const USABLE_MS = 24 * 3_600_000;
/** Between two looks for a key id that is not known. */
const UNKNOWN_KEY_PAUSE_MS = 30_000;
/** Between two tries after the endpoint failed. */
const FAILURE_PAUSE_MS = 2_000;

const keySet = z.object({ keys: z.array(z.unknown()).max(100) });
/** A key that could have signed a job token; other kinds stand beside it and are passed over (RFC 7517 section 5). */
const signingKey = z.looseObject({ kty: z.literal('RSA'), kid: z.string().min(1), n: z.string(), e: z.string() });

export type KeyOf = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

/** Holds the keys of one issuer. One per instance. */
export class IssuerKeys {
  readonly #url: string;
  readonly #ask: Ask;
  readonly #clock: Clock;
  #keyOf: KeyOf | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #failure: Unavailable | undefined;
  #fetching: Promise<void> | undefined;

  constructor(parts: { readonly issuer: string; readonly ask: Ask; readonly clock: Clock }) {
    this.#url = `${parts.issuer.replace(/\/$/, '')}/.well-known/jwks`;
    this.#ask = parts.ask;
    this.#clock = parts.clock;
  }

  /**
   * The key a token names.
   * @throws errors.JWKSNoMatchingKey when the issuer has no such key
   * @throws Unavailable when that could not be found out
   */
  readonly keyOf: KeyOf = async (header, token) => {
    const age = this.#clock.now() - this.#fetchedAt;
    if (age > USABLE_MS) await this.#fetch();
    else if (age > STALE_MS) await this.#fetch().catch(() => {});
    else if (age > FRESH_MS) this.#fetch().catch(() => {});
    if (!this.#keyOf) throw new Unavailable('issuer keys', 'none in hand');
    try {
      return await this.#keyOf(header, token);
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw unusable(error);
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (this.#failure === undefined && this.#clock.now() - this.#fetchedAt < UNKNOWN_KEY_PAUSE_MS) throw error;
      await this.#fetch();
      return this.#keyOf(header, token);
    }
  };

  /** Fetches the keys before anybody needs them, if there are none in hand. Never fails. */
  async warm(): Promise<void> {
    if (!this.#keyOf) await this.#fetch().catch(() => {});
  }

  async #fetch(): Promise<void> {
    if (this.#fetching) return this.#fetching;
    if (this.#failure && this.#clock.now() - this.#triedAt < FAILURE_PAUSE_MS) throw this.#failure;
    this.#fetching = this.#load()
      .then(() => {
        this.#failure = undefined;
      })
      .catch((error: unknown) => {
        this.#failure = Unavailable.is(error)
          ? error
          : new Unavailable('issuer keys', 'answered something that is no key set');
        this.#triedAt = this.#clock.now();
        throw this.#failure;
      })
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  async #load(): Promise<void> {
    const { status, json } = await this.#ask({ what: 'issuer keys', url: this.#url, deadlineMs: DEADLINE_MS });
    if (status !== 200) throw new Unavailable('issuer keys', `answered ${status}`);
    const { keys } = keySet.parse(json);
    const usable = keys.flatMap((key) => signingKey.safeParse(key).data ?? []);
    this.#keyOf = createLocalJWKSet({ keys: usable }) as KeyOf;
    this.#fetchedAt = this.#clock.now();
  }
}

function unusable(cause: unknown): Unavailable {
  return new Unavailable('issuer keys', 'the key the token names cannot be used', 2, { cause });
}
