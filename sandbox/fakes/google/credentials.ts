// IAM Credentials: issues access tokens and signs for service accounts that exist and are enabled. Does not know the
// caller, or what happens to a token.
// Source: docs.cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import * as z from 'zod';
import { parseJson } from '../../../shared/core/json.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalResponse } from '../../local-server.ts';
import type { Accounts } from './accounts.ts';
import { generateAccessTokenBody, type IamCall, PERMISSIONS, signJwtBody } from './call.ts';
import { googleError, permissionDenied } from './error.ts';
import type { IssuedToken, Tokens } from './tokens.ts';

/** One for the process, because making one takes a while. */
const KEYS = generateKeyPairSync('rsa', { modulusLength: 2048 });
const MAX_LIFETIME = 3600;
const MAX_JWT_AHEAD = 12 * 3600;

export class Credentials {
  /** Every access token issued, oldest first. */
  readonly minted: IssuedToken[] = [];
  /** The key of every service account, and its public half. */
  readonly privateKey: KeyObject = KEYS.privateKey;
  readonly publicKey: KeyObject = KEYS.publicKey;
  readonly #accounts: Accounts;
  readonly #tokens: Tokens;
  readonly #clock: Clock;

  constructor(accounts: Accounts, tokens: Tokens, clock: Clock) {
    this.#accounts = accounts;
    this.#tokens = tokens;
    this.#clock = clock;
  }

  generateAccessToken(call: IamCall): LocalResponse {
    const refusal = this.#refusal(call);
    if (refusal) return refusal;
    const { scope, lifetime } = generateAccessTokenBody.parse(call.body);
    const seconds = Number(lifetime.slice(0, -1));
    if (seconds > MAX_LIFETIME) return googleError(400, 'INVALID_ARGUMENT', 'lifetime must be at most 3600s');
    const at = this.#clock.now();
    const expiresAt = Math.floor(at / 1000) * 1000 + seconds * 1000;
    this.minted.push({ account: call.account, expiresAt, at });
    const accessToken = this.#tokens.issue('ya29.c.', { account: call.account, expiresAt, at, scope });
    return { status: 200, json: { accessToken, expireTime: new Date(expiresAt).toISOString().replace('.000Z', 'Z') } };
  }

  async signJwt(call: IamCall): Promise<LocalResponse> {
    const refusal = this.#refusal(call);
    if (refusal) return refusal;
    const claims = z.record(z.string(), z.unknown()).safeParse(parseJson(signJwtBody.parse(call.body).payload));
    const now = Math.floor(this.#clock.now() / 1000);
    const exp = claims.success ? Number(claims.data.exp ?? now) : Number.NaN;
    if (!claims.success || !Number.isInteger(exp) || exp < now || exp > now + MAX_JWT_AHEAD)
      return googleError(400, 'INVALID_ARGUMENT', 'payload must be a JSON object; exp at most 12 hours ahead');
    const signedJwt = await new SignJWT(claims.data)
      .setProtectedHeader({ alg: 'RS256', kid: 'local', typ: 'JWT' })
      .sign(this.privateKey);
    return { status: 200, json: { keyId: 'local', signedJwt } };
  }

  #refusal({ account, method }: IamCall): LocalResponse | undefined {
    const state = this.#accounts.states.get(account);
    if (!state) return permissionDenied(PERMISSIONS[method]);
    // It is documented that new tokens are refused; the response is not. Nothing may depend on it.
    if (state.disabled) return googleError(400, 'FAILED_PRECONDITION', `Service account ${account} is disabled.`);
    return undefined;
  }
}
