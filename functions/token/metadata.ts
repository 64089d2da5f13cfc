// What the token endpoint says of itself to clients that look it up: RFC 8414. Says nothing that it does not do.

import { TOKEN_EXCHANGE } from '../../shared/core/oauth/exchange-request.ts';
import type { HttpRequest, HttpResponse } from '../runtime/http-server.ts';
import { refusalResponse } from './error-response.ts';

export const METADATA_PATH = '/.well-known/oauth-authorization-server';
const HOST = /^(?<name>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?<port>:[0-9]{1,5})?$/;
const LOOPBACK = /^(localhost|127\.[0-9.]+|\[::1\])$/;

/** The metadata for the host that the request was sent to; a refusal where its header names none. */
export function metadata({ headers, request_id }: HttpRequest): HttpResponse {
  const issuer = issuerOf(headers.host ?? '');
  if (issuer === undefined) return refusalResponse(NO_HOST, { request_id, bearer: false });
  // Tokens are the proof: a job token of its job, an access token of its holder.
  const noAuthentication = ['none'];
  return {
    status: 200,
    body: {
      issuer,
      token_endpoint: `${issuer}/token`,
      token_endpoint_auth_methods_supported: noAuthentication,
      grant_types_supported: [TOKEN_EXCHANGE],
      // There is no authorization endpoint, so there is no response type.
      response_types_supported: [],
      revocation_endpoint: `${issuer}/revoke`,
      revocation_endpoint_auth_methods_supported: noAuthentication,
      introspection_endpoint: `${issuer}/introspect`,
      introspection_endpoint_auth_methods_supported: noAuthentication,
    },
  };
}

const NO_HOST = { reason: 'parameter_invalid', hint: 'The Host header must name the requested host.' } as const;

/** The platform serves https only, and on loopback nobody else listens. Undefined for a header that names no host. */
function issuerOf(host: string): string | undefined {
  const { name, port = '' } = HOST.exec(host.toLowerCase())?.groups ?? {};
  if (name === undefined) return undefined;
  return `${LOOPBACK.test(name) ? 'http' : 'https'}://${name}${port}`;
}
