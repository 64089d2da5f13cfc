// Identity Toolkit, as far as Keydesk and a thief of its tokens use it: the sign-in with a custom token, judged as Firebase
// documents it, and what the holder of an ID token may do with its user. Other tests use the Auth emulator.
// Sources: firebase.google.com/docs/auth/admin/create-custom-tokens (claims, reserved names);
// docs.cloud.google.com/identity-platform/docs/reference/rest/v1/accounts (signInWithCustomToken, update, delete, signInWithPassword).

import { randomBytes } from 'node:crypto';
import { type JWTPayload, jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';
import { parseJson } from '../../../shared/core/json.ts';
import { projectOfAccount } from '../../../shared/core/policy/account-email.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';
import type { Credentials } from './credentials.ts';

const AUDIENCE = 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit';
const MAX_CUSTOM_TOKEN_LIFETIME = 3_600;
const ID_TOKEN_LIFETIME = 3_600;
const MAX_CLAIMS_BYTES = 1_000;
const RESERVED = new Set(
  'acr amr at_hash aud auth_time azp cnf c_hash exp iat iss jti nbf nonce sub firebase user_id'.split(' '),
);

const BODIES = {
  signInWithCustomToken: z.strictObject({
    token: z.string(),
    returnSecureToken: z.literal(true),
    tenantId: z.string().optional(),
  }),
  update: z.strictObject({
    idToken: z.string(),
    email: z.email().optional(),
    password: z.string().min(6).optional(),
    displayName: z.string().optional(),
    returnSecureToken: z.literal(true),
  }),
  delete: z.strictObject({ idToken: z.string() }),
  signInWithPassword: z.strictObject({
    email: z.email(),
    password: z.string(),
    returnSecureToken: z.literal(true),
    tenantId: z.string().optional(),
  }),
};
type Method = keyof typeof BODIES;
const customToken = z.looseObject({
  iss: z.string(),
  sub: z.string(),
  iat: z.int(),
  exp: z.int(),
  uid: z.string().min(1).max(128),
  tenant_id: z.string().optional(),
  claims: z.record(z.string(), z.unknown()).default({}),
});
const idTokenClaims = z.object({ sub: z.string(), firebase: z.object({ tenant: z.string().optional() }) });

export interface FirebaseAccount {
  readonly project: string;
  readonly tenant: string | undefined;
  readonly uid: string;
  email?: string | undefined;
  password?: string | undefined;
  displayName?: string | undefined;
  /** An administrator's to set: no ID token can. */
  disabled?: boolean;
}

const PATH = /^\/v1\/accounts:([A-Za-z]+)$/;

/** The method that a path names; undefined when it is none of Identity Toolkit's. */
export function toolkitMethodOf(path: string): string | undefined {
  return PATH.exec(path)?.[1];
}

export class IdentityToolkit {
  /** Every user that there is. */
  readonly users: FirebaseAccount[] = [];
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #unexpected: string[];

  /** @param unexpected takes the requests that the real one would refuse */
  constructor(credentials: Credentials, clock: Clock, unexpected: string[]) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#unexpected = unexpected;
  }

  async respond(name: string, { method, query, headers, body }: LocalRequest): Promise<LocalResponse> {
    if (!Object.hasOwn(BODIES, name)) return this.#refuse(name, 404, 'Not here.');
    if (!query.get('key')) return this.#refuse(name, 403, 'The request is missing a valid API key.');
    const parsed = BODIES[name as Method].safeParse(parseJson(body));
    if (method !== 'POST' || headers['content-type'] !== 'application/json' || !parsed.success)
      return this.#refuse(name, 400, 'INVALID_ARGUMENT');
    switch (name as Method) {
      case 'signInWithCustomToken':
        return this.#signInWithCustomToken(parsed.data as z.output<typeof BODIES.signInWithCustomToken>);
      case 'update':
        return this.#update(parsed.data as z.output<typeof BODIES.update>);
      case 'delete':
        return this.#delete(parsed.data as z.output<typeof BODIES.delete>);
      case 'signInWithPassword':
        return this.#signInWithPassword(parsed.data as z.output<typeof BODIES.signInWithPassword>);
    }
  }

  async #signInWithCustomToken({ token, tenantId }: z.output<typeof BODIES.signInWithCustomToken>) {
    const name = 'signInWithCustomToken';
    const verified = await this.#verify(token);
    if ('wrong' in verified) return this.#refuse(name, 400, `INVALID_CUSTOM_TOKEN : ${verified.wrong}`);
    const { uid, claims, project, tenant } = verified;
    if (tenant !== tenantId) return this.#refuse(name, 400, 'TENANT_ID_MISMATCH');
    const known = this.users.find((user) => user.project === project && user.tenant === tenant && user.uid === uid);
    if (known?.disabled) return toRefusal(400, 'USER_DISABLED');
    const user = known ?? { project, tenant, uid };
    if (!known) this.users.push(user);
    return this.#signedIn(user, 'custom', claims, {
      kind: 'identitytoolkit#VerifyCustomTokenResponse',
      isNewUser: !known,
    });
  }

  async #update({ idToken, returnSecureToken: _, ...changes }: z.output<typeof BODIES.update>) {
    const user = await this.#userOf(idToken);
    if (!user) return toRefusal(400, 'USER_NOT_FOUND');
    Object.assign(user, changes);
    // The claims of a custom token are gone from then on; with a password set, that is how the user signed in.
    return this.#signedIn(user, user.password === undefined ? 'custom' : 'password', {}, { localId: user.uid });
  }

  async #delete({ idToken }: z.output<typeof BODIES.delete>): Promise<LocalResponse> {
    const user = await this.#userOf(idToken);
    if (!user) return toRefusal(400, 'USER_NOT_FOUND');
    this.users.splice(this.users.indexOf(user), 1);
    return { status: 200, json: { kind: 'identitytoolkit#DeleteAccountResponse' } };
  }

  async #signInWithPassword({ email, password, tenantId }: z.output<typeof BODIES.signInWithPassword>) {
    const user = this.users.find(
      (each) => each.tenant === tenantId && each.email === email && each.password === password,
    );
    if (!user) return toRefusal(400, 'INVALID_LOGIN_CREDENTIALS');
    return this.#signedIn(user, 'password', {}, { registered: true });
  }

  async #userOf(idToken: string): Promise<FirebaseAccount | undefined> {
    const options = { currentDate: new Date(this.#clock.now()) };
    const { payload } = await jwtVerify(idToken, this.#credentials.publicKey, options);
    const { sub, firebase } = idTokenClaims.parse(payload);
    return this.users.find(
      ({ uid, project, tenant }) => uid === sub && project === payload.aud && tenant === firebase.tenant,
    );
  }

  async #signedIn(
    user: FirebaseAccount,
    sign_in_provider: 'custom' | 'password',
    claims: Record<string, unknown>,
    more: object,
  ): Promise<LocalResponse> {
    const { project, tenant, uid, email, displayName } = user;
    const now = Math.floor(this.#clock.now() / 1000);
    const idToken = await this.#sign({
      ...(displayName === undefined ? {} : { name: displayName }),
      ...claims,
      ...(email === undefined ? {} : { email, email_verified: false }),
      iss: `https://securetoken.google.com/${project}`,
      aud: project,
      auth_time: now,
      user_id: uid,
      sub: uid,
      iat: now,
      exp: now + ID_TOKEN_LIFETIME,
      firebase: {
        identities: email === undefined ? {} : { email: [email] },
        sign_in_provider,
        ...(tenant === undefined ? {} : { tenant }),
      },
    });
    const refreshToken = randomBytes(48).toString('base64url');
    return { status: 200, json: { idToken, refreshToken, expiresIn: String(ID_TOKEN_LIFETIME), ...more } };
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
    const { iss, sub, iat, exp, uid, tenant_id: tenant, claims } = parsed.data;
    const project = projectOfAccount(iss);
    if (iss !== sub || project === undefined) return { wrong: 'the issuer is not the service account that signed' };
    if (exp - iat > MAX_CUSTOM_TOKEN_LIFETIME) return { wrong: 'it lives longer than an hour' };
    const reserved = Object.keys(claims).find((name) => RESERVED.has(name));
    if (reserved !== undefined) return { wrong: `the claim ${reserved} is reserved` };
    if (JSON.stringify(claims).length > MAX_CLAIMS_BYTES) return { wrong: 'the claims are longer than 1000 bytes' };
    return { uid, claims, project, tenant };
  }

  #sign(payload: JWTPayload): Promise<string> {
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'RS256', kid: 'local', typ: 'JWT' })
      .sign(this.#credentials.privateKey);
  }

  /** Of what Keydesk must not send. */
  #refuse(name: string, code: number, message: string): LocalResponse {
    this.#unexpected.push(`${name}: ${message}`);
    return toRefusal(code, message);
  }
}

function toRefusal(code: number, message: string): LocalResponse {
  const errors = [{ message, domain: 'global', reason: 'invalid' }];
  return { status: code, json: { error: { code, message, errors } } };
}
