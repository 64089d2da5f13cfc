// Identity Toolkit's sign-in with a custom token: judges the token as Firebase documents it and answers an ID token for
// its user. Tests that need no more of Firebase Authentication use this; the others use the Auth emulator.
// Sources: firebase.google.com/docs/auth/admin/create-custom-tokens (claims, reserved names);
// docs.cloud.google.com/identity-platform/docs/reference/rest/v1/accounts/signInWithCustomToken.

import { randomBytes } from 'node:crypto';
import { type JWTPayload, jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';
import { projectOfAccount } from '../../shared/core/account-name.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { LocalAnswer, LocalRequest } from '../local-server.ts';
import { parseJson } from './call.ts';
import type { Credentials } from './credentials.ts';

export const SIGN_IN_PATH = '/v1/accounts:signInWithCustomToken';
const AUDIENCE = 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit';
const MAX_CUSTOM_TOKEN_LIFETIME = 3_600;
const ID_TOKEN_LIFETIME = 3_600;
const MAX_CLAIMS_BYTES = 1_000;
const RESERVED = new Set(
  'acr amr at_hash aud auth_time azp cnf c_hash exp iat iss jti nbf nonce sub firebase user_id'.split(' '),
);

const signIn = z.strictObject({ token: z.string(), returnSecureToken: z.literal(true) });
const customToken = z.looseObject({
  iss: z.string(),
  sub: z.string(),
  iat: z.int(),
  exp: z.int(),
  uid: z.string().min(1).max(128),
  claims: z.record(z.string(), z.unknown()).default({}),
});

export class IdentityToolkit {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #unexpected: string[];
  readonly #users = new Set<string>();

  /** @param unexpected where requests are told of that the real one would refuse */
  constructor(credentials: Credentials, clock: Clock, unexpected: string[]) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#unexpected = unexpected;
  }

  async signInWithCustomToken({ method, query, headers, body }: LocalRequest): Promise<LocalAnswer> {
    if (!query.get('key')) return this.#refuse(403, 'The request is missing a valid API key.');
    const parsed = signIn.safeParse(parseJson(body));
    if (method !== 'POST' || headers['content-type'] !== 'application/json' || !parsed.success)
      return this.#refuse(400, 'INVALID_ARGUMENT');
    const verified = await this.#verify(parsed.data.token);
    if ('wrong' in verified) return this.#refuse(400, `INVALID_CUSTOM_TOKEN : ${verified.wrong}`);
    const { uid, claims, project } = verified;
    const now = Math.floor(this.#clock.now() / 1000);
    const user = `${project}/${uid}`;
    const isNewUser = !this.#users.has(user);
    this.#users.add(user);
    const idToken = await this.#sign({
      ...claims,
      iss: `https://securetoken.google.com/${project}`,
      aud: project,
      auth_time: now,
      user_id: uid,
      sub: uid,
      iat: now,
      exp: now + ID_TOKEN_LIFETIME,
      firebase: { identities: {}, sign_in_provider: 'custom' },
    });
    return {
      status: 200,
      json: {
        kind: 'identitytoolkit#VerifyCustomTokenResponse',
        idToken,
        refreshToken: randomBytes(48).toString('base64url'),
        expiresIn: String(ID_TOKEN_LIFETIME),
        isNewUser,
      },
    };
  }

  async #verify(token: string) {
    let payload: JWTPayload;
    try {
      const options = { audience: AUDIENCE, algorithms: ['RS256'], currentDate: new Date(this.#clock.now()) };
      ({ payload } = await jwtVerify(token, this.#credentials.publicKey, options));
    } catch (error) {
      return { wrong: String(error) };
    }
    const parsed = customToken.safeParse(payload);
    if (!parsed.success) return { wrong: 'a claim is missing or of another type' };
    const { iss, sub, iat, exp, uid, claims } = parsed.data;
    const project = projectOfAccount(iss);
    if (iss !== sub || project === undefined) return { wrong: 'the issuer is not the service account that signed' };
    if (exp - iat > MAX_CUSTOM_TOKEN_LIFETIME) return { wrong: 'it lives longer than an hour' };
    const reserved = Object.keys(claims).find((name) => RESERVED.has(name));
    if (reserved !== undefined) return { wrong: `the claim ${reserved} is reserved` };
    if (JSON.stringify(claims).length > MAX_CLAIMS_BYTES) return { wrong: 'the claims are longer than 1000 bytes' };
    return { uid, claims, project };
  }

  #sign(payload: JWTPayload): Promise<string> {
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'RS256', kid: 'local', typ: 'JWT' })
      .sign(this.#credentials.privateKey);
  }

  #refuse(code: number, message: string): LocalAnswer {
    this.#unexpected.push(`signInWithCustomToken: ${message}`);
    const errors = [{ message, domain: 'global', reason: 'invalid' }];
    return { status: code, json: { error: { code, message, errors } } };
  }
}
