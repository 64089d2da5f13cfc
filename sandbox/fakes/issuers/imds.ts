// The metadata service of an EC2 instance, in the version that wants a session token with each request. An instance on which version 1
// is disabled has no other.
// Source: docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';
import type { RoleCredentials } from './aws-signature.ts';

const MAX_SESSION_SECONDS = 21_600;
/** Of the credentials of a role. */
const CREDENTIALS_MS = 6 * 3_600_000;
const PLAIN = { 'content-type': 'text/plain' };

export class InstanceMetadata {
  readonly credentials: RoleCredentials;
  readonly #role: string;
  readonly #region: string;
  readonly #clock: Clock;
  /** Until when each is valid. */
  readonly #sessions = new Map<string, number>();

  constructor({ role, region, clock }: { readonly role: string; readonly region: string; readonly clock: Clock }) {
    this.#role = role;
    this.#region = region;
    this.#clock = clock;
    this.credentials = {
      accessKeyId: 'ASIAQ3EGEXAMPLE00001',
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(300).toString('base64'),
      expiration: clock.now() + CREDENTIALS_MS,
    };
  }

  respond({ method, path, headers }: LocalRequest, hasRole: boolean): LocalResponse {
    if (path === '/latest/api/token') return this.#session(method, headers);
    const session = String(headers['x-aws-ec2-metadata-token'] ?? '');
    if ((this.#sessions.get(session) ?? 0) <= this.#clock.now()) return { status: 401, headers: PLAIN, text: '' };
    if (method !== 'GET') return { status: 405, headers: PLAIN, text: '' };
    const credentials = '/latest/meta-data/iam/security-credentials/';
    if (path === '/latest/meta-data/placement/region') return { status: 200, headers: PLAIN, text: this.#region };
    if (hasRole && path === credentials) return { status: 200, headers: PLAIN, text: this.#role };
    if (hasRole && path === `${credentials}${this.#role}`)
      return { status: 200, headers: PLAIN, text: this.#document() };
    return { status: 404, headers: PLAIN, text: '' };
  }

  #session(method: string, headers: LocalRequest['headers']): LocalResponse {
    const seconds = String(headers['x-aws-ec2-metadata-token-ttl-seconds'] ?? '');
    if (method !== 'PUT') return { status: 405, headers: PLAIN, text: '' };
    // From a proxy.
    if (headers['x-forwarded-for'] !== undefined) return { status: 403, headers: PLAIN, text: '' };
    if (!/^[1-9]\d{0,4}$/.test(seconds) || Number(seconds) > MAX_SESSION_SECONDS)
      return { status: 400, headers: PLAIN, text: '' };
    const session = randomBytes(42).toString('base64url');
    this.#sessions.set(session, this.#clock.now() + Number(seconds) * 1000);
    return { status: 200, headers: PLAIN, text: session };
  }

  /** Over several lines, as the service writes it. */
  #document(): string {
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = this.credentials;
    const document = {
      ...{ Code: 'Success', LastUpdated: toText(this.#clock.now()), Type: 'AWS-HMAC', AccessKeyId: accessKeyId },
      ...{ SecretAccessKey: secretAccessKey, Token: sessionToken, Expiration: toText(expiration) },
    };
    return JSON.stringify(document, null, 2);
  }
}

function toText(time: number): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
