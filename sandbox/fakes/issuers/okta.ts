// A fake custom authorization server of Okta, with one service app. Listens on loopback only.
// Source: developer.okta.com/docs/guides/implement-grant-type/clientcreds/main; developer.okta.com/docs/api/openapi/okta-oauth/guides/overview.

import type { Clock } from '../../../shared/runtime/clock.ts';
import { jsonServer, type LocalRequest, type LocalResponse } from '../../local-server.ts';
import { Signer } from './signer.ts';

const SERVER = '/oauth2/aus1example';
export const OKTA_CLIENT = { id: '0oa1exampleAGENTS5d7', secret: 'client-secret-of-the-fake-okta-0123456789' };
const SCOPES = ['keydesk'];
/** An ID token, a refresh token and claims of a person belong to these, and no person is here. */
const RESERVED_SCOPES = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access', 'groups'];
/** Seconds, of an access policy's rule. */
const MIN_LIFETIME = 300;
const MAX_LIFETIME = 24 * 3600;

export interface FakeOkta {
  readonly issuer: string;
  readonly keysUrl: string;
  readonly tokenUrl: string;
  readonly signer: Signer;
  /** @param lifetime seconds @throws RangeError for one that no rule can have */
  token(lifetime?: number): string;
  close(): Promise<void>;
}

/** @param options.audience the only one of the server: no request chooses it */
export async function startFakeOkta(options: { readonly clock: Clock; readonly audience: string }): Promise<FakeOkta> {
  const { clock, audience } = options;
  const signer = new Signer('RS256', 'ZkvelLN_seik7w4pc_prCcfUf-h2hFfiwkDeCrs0iUc');
  const server = await jsonServer('fake Okta', (request) => {
    if (request.method === 'GET' && request.path === `${SERVER}/v1/keys`)
      return { status: 200, json: { keys: [signer.jwk] } };
    return request.path === `${SERVER}/v1/token` ? issue(request) : { status: 404, json: { errorCode: 'E0000022' } };
  });
  const issuer = `${server.url}${SERVER}`;

  function issue({ method, headers, body }: LocalRequest): LocalResponse {
    const { id, secret } = OKTA_CLIENT;
    const form = new URLSearchParams(body);
    const scopes = (form.get('scope') ?? '').split(' ').filter(Boolean);
    if (method !== 'POST') return { status: 405, json: { errorCode: 'E0000022' } };
    if (headers.authorization !== `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`)
      return failure(401, 'invalid_client', 'The client secret supplied for a confidential client is invalid.');
    if (form.get('grant_type') !== 'client_credentials') return failure(400, 'unsupported_grant_type', 'It is not.');
    if (scopes.some((scope) => RESERVED_SCOPES.includes(scope)) || !scopes.every((scope) => SCOPES.includes(scope)))
      return failure(400, 'invalid_scope', 'One or more scopes are not configured for the authorization server.');
    if (scopes.length === 0) return failure(400, 'invalid_scope', 'The authorization server has no default scope.');
    const lifetime = 3600;
    return {
      status: 200,
      json: { token_type: 'Bearer', expires_in: lifetime, access_token: okta.token(lifetime), scope: scopes.join(' ') },
    };
  }

  const okta: FakeOkta = {
    issuer,
    keysUrl: `${issuer}/v1/keys`,
    tokenUrl: `${issuer}/v1/token`,
    signer,
    token: (lifetime = 3600) => {
      if (lifetime < MIN_LIFETIME || lifetime > MAX_LIFETIME) throw new RangeError('from 5 minutes to 24 hours');
      const iat = Math.floor(clock.now() / 1000);
      const { id } = OKTA_CLIENT;
      return signer.sign({
        ...{ ver: 1, jti: 'AT.EmHCGDFHE18hC5j3stjbarVonh46twW7tWutB9v8hsw', iss: issuer, aud: audience, iat },
        ...{ exp: iat + lifetime, cid: id, scp: SCOPES, sub: id },
      });
    },
    close: server.close,
  };
  return okta;
}

function failure(status: number, error: string, error_description: string): LocalResponse {
  return { status, json: { error, error_description } };
}
