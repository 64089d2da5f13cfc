// People with a Google account: their ID tokens, and the keys that sign them. Anybody may have the token of anybody here; the real
// Google asks for a password.

import { generateKeyPairSync } from 'node:crypto';
import { type CryptoKey, exportJWK, SignJWT } from 'jose';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';

/** Of `gcloud auth print-identity-token`, for a person's account. */
export const GCLOUD_CLIENT_ID = '32555940559.apps.googleusercontent.com';

const KEY_ID = 'fake-google-1';
const LIFETIME = 3600;

export interface IdTokenOptions {
  readonly audience?: string;
  /** Claims in place of the usual ones; undefined leaves a claim out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

/** Of every Google of this process, made at its first use: making one takes a while. */
let keys: ReturnType<typeof makeKeys> | undefined;

function makeKeys() {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function theKeys() {
  keys ??= makeKeys();
  return keys;
}

export class People {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A token as gcloud prints it for a person. */
  idToken(
    email: string,
    { audience = GCLOUD_CLIENT_ID, claims = {}, header = {} }: IdTokenOptions = {},
  ): Promise<string> {
    const iat = Math.floor(this.#clock.now() / 1000);
    const payload = {
      iss: 'https://accounts.google.com',
      azp: audience,
      aud: audience,
      sub: '117000000000000000001',
      hd: email.split('@')[1],
      email,
      email_verified: true,
      iat,
      exp: iat + LIFETIME,
      ...claims,
    };
    const present = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
    const key = theKeys().privateKey as unknown as CryptoKey;
    return new SignJWT(present).setProtectedHeader({ alg: 'RS256', kid: KEY_ID, typ: 'JWT', ...header }).sign(key);
  }

  /** `GET /oauth2/v3/certs`, and `GET /people/EMAIL/id-token`, which stands for a login. Undefined for another path. */
  async respond({ method, path }: LocalRequest): Promise<LocalResponse | undefined> {
    const [, email] = /^\/people\/([^/]+)\/id-token$/.exec(path) ?? [];
    if (method !== 'GET' || (email === undefined && path !== '/oauth2/v3/certs')) return undefined;
    if (email !== undefined) return { status: 200, text: await this.idToken(decodeURIComponent(email)) };
    const key = await exportJWK(theKeys().publicKey);
    return { status: 200, json: { keys: [{ ...key, kid: KEY_ID, alg: 'RS256', use: 'sig' }] } };
  }
}
