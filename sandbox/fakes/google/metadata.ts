// The metadata server that gives a function its own identity, once per identity: all a function has of it is an
// address. Knows whose token a token is; refuses to know what an identity may do.

import { randomBytes } from 'node:crypto';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';

/** Who calls Google: one of the functions, or `anyone` for tests that run them all in one process. */
export type Identity = 'anyone' | 'token' | 'webhook' | 'sweep' | 'reader' | 'admin';

const FLAVOR = { 'metadata-flavor': 'Google' };

export class Metadata {
  // Never forgotten: the library that caches these goes by the real clock, whatever the clock of the fake Google says.
  readonly #owners = new Map<string, Identity>();

  identityOf(accessToken: string): Identity | undefined {
    return this.#owners.get(accessToken);
  }

  respond(identity: Identity, { method, path, headers }: LocalRequest): LocalResponse {
    if (method !== 'GET' || headers['metadata-flavor'] !== 'Google') return { status: 403, headers: FLAVOR };
    if (path.endsWith('/service-accounts/default/token')) {
      const accessToken = `ya29.keydesk-service.${randomBytes(16).toString('hex')}`;
      this.#owners.set(accessToken, identity);
      return {
        status: 200,
        headers: FLAVOR,
        json: { access_token: accessToken, expires_in: 3599, token_type: 'Bearer' },
      };
    }
    if (/\/computeMetadata\/v1\/instance\/?$/.test(path)) return { status: 200, headers: FLAVOR, text: 'hostname\n' };
    if (path.endsWith('/universe/universe-domain')) return { status: 200, headers: FLAVOR, text: 'googleapis.com' };
    if (path.endsWith('/project/project-id')) return { status: 200, headers: FLAVOR, text: 'keydesk-sandbox' };
    return { status: 404, headers: FLAVOR };
  }
}
