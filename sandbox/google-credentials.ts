// IAM Credentials, and a gate that judges the access tokens it issued as Google's APIs do: by their end and by the state
// of their account. Refuses to know who asks.
// Source: docs.cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts

import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import * as z from 'zod';
import type { Accounts } from './google-accounts.ts';
import { type Call, generateAccessTokenBody, PERMISSIONS, parseJson, signJwtBody } from './google-call.ts';
import { googleError, permissionDenied, unauthenticated } from './google-error.ts';
import type { LocalAnswer } from './local-server.ts';

const MAX_LIFETIME = 3600;
const MAX_JWT_AHEAD = 12 * 3600;

export interface IssuedToken {
  readonly account: string;
  /** Milliseconds since the epoch, as `at`. */
  readonly expiresAt: number;
  readonly at: number;
}

export class Credentials {
  /** Every access token issued, oldest first. */
  readonly minted: IssuedToken[] = [];
  readonly #issued = new Map<string, IssuedToken & { readonly scope: readonly string[] }>();
  readonly #privateKey: KeyObject = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  readonly #accounts: Accounts;
  readonly #now: () => number;

  constructor(accounts: Accounts, now: () => number) {
    this.#accounts = accounts;
    this.#now = now;
  }

  generateAccessToken(call: Call): LocalAnswer {
    const refusal = this.#refusal(call);
    if (refusal) return refusal;
    const { scope, lifetime } = generateAccessTokenBody.parse(call.body);
    const seconds = Number(lifetime.slice(0, -1));
    if (seconds > MAX_LIFETIME) return googleError(400, 'INVALID_ARGUMENT', 'lifetime must be at most 3600s');
    const accessToken = `ya29.c.${randomBytes(32).toString('base64url')}`;
    const at = this.#now();
    const expiresAt = Math.floor(at / 1000) * 1000 + seconds * 1000;
    this.minted.push({ account: call.account, expiresAt, at });
    this.#issued.set(accessToken, { account: call.account, expiresAt, at, scope });
    return { status: 200, json: { accessToken, expireTime: new Date(expiresAt).toISOString().replace('.000Z', 'Z') } };
  }

  async signJwt(call: Call): Promise<LocalAnswer> {
    const refusal = this.#refusal(call);
    if (refusal) return refusal;
    const claims = z.record(z.string(), z.unknown()).safeParse(parseJson(signJwtBody.parse(call.body).payload));
    const now = Math.floor(this.#now() / 1000);
    const exp = claims.success ? Number(claims.data.exp ?? now) : Number.NaN;
    if (!claims.success || !Number.isInteger(exp) || exp < now || exp > now + MAX_JWT_AHEAD)
      return googleError(400, 'INVALID_ARGUMENT', 'payload must be a JSON object; exp at most 12 hours ahead');
    const signedJwt = await new SignJWT(claims.data)
      .setProtectedHeader({ alg: 'RS256', kid: 'local', typ: 'JWT' })
      .sign(this.#privateKey);
    return { status: 200, json: { keyId: 'local', signedJwt } };
  }

  gate(accessToken: string): LocalAnswer {
    const token = this.#issued.get(accessToken);
    if (!token) return unauthenticated();
    const domain = 'googleapis.com';
    if (token.expiresAt <= this.#now())
      return unauthenticated({ reason: 'ACCESS_TOKEN_EXPIRED', domain, metadata: {} });
    if (this.#accounts.states.get(token.account)?.disabled)
      return unauthenticated({ reason: 'ACCOUNT_STATE_INVALID', domain, metadata: { email: token.account } });
    return { status: 200, json: { account: token.account, scope: token.scope.join(' ') } };
  }

  #refusal({ account, method }: Call): LocalAnswer | undefined {
    const state = this.#accounts.states.get(account);
    if (!state) return permissionDenied(PERMISSIONS[method]);
    // That new tokens are refused is documented; what Google really answers is not established. Nothing may hang on it.
    if (state.disabled) return googleError(400, 'FAILED_PRECONDITION', `Service account ${account} is disabled.`);
    return undefined;
  }
}
