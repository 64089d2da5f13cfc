// The paths of the `token` function.

import { type AuditEvent, auditEvent } from '../../shared/audit/events.ts';
import type { KeySetProblem } from '../../shared/oidc/jwks-cache.ts';
import { VERSION } from '../../shared/version.ts';
import {
  type ErrorResponses,
  type Handler,
  type HttpRequest,
  type HttpResponse,
  REQUEST_TIMED_OUT,
} from '../runtime/http-server.ts';
import { refusalResponse } from './error-response.ts';
import { createExchangeHandlers, type ExchangeDeps } from './exchange.ts';
import { createIntrospectHandler } from './introspect.ts';
import { LANDING_PAGE } from './landing-page.ts';
import { METADATA_PATH, metadata } from './metadata.ts';
import { createRevokeHandler, type RevokeDeps } from './revoke.ts';

/** Bytes of a request's body. */
export const TOKEN_BODY_LIMIT = 16 * 1024;

export type TokenHandlerDeps = ExchangeDeps & RevokeDeps;

export function createTokenHandler(deps: TokenHandlerDeps): Handler {
  const { lookups, policySha256 } = deps;
  const healthy: HttpResponse = { status: 200, body: { status: 'ok', version: VERSION, policy_sha256: policySha256 } };
  const exchange = createExchangeHandlers(deps);
  const revoke = createRevokeHandler(deps);
  const introspect = createIntrospectHandler(deps);

  const route = async (request: HttpRequest): Promise<HttpResponse> => {
    const { method, path, request_id } = request;
    const methodNotAllowed = (allow: string) =>
      refusalResponse({ reason: 'method_not_allowed', allow }, { request_id, bearer: path.startsWith('/token/') });
    if (path === '/token') return method === 'POST' ? exchange.byForm(request) : methodNotAllowed('POST');
    if (path.startsWith('/token/'))
      return method === 'POST' ? exchange.byPath(request, path.slice(7)) : methodNotAllowed('POST');
    if (path === '/revoke') return method === 'POST' ? revoke(request) : methodNotAllowed('POST');
    if (path === '/introspect') return method === 'POST' ? introspect(request) : methodNotAllowed('POST');
    if (path === METADATA_PATH) return isGetOrHead(method) ? metadata(request) : methodNotAllowed('GET, HEAD');
    if (path === '/') return isGetOrHead(method) ? LANDING_PAGE : methodNotAllowed('GET, HEAD');
    if (path === '/health') return isGetOrHead(method) ? healthy : methodNotAllowed('GET, HEAD');
    return refusalResponse({ reason: 'not_found' }, { request_id, bearer: false });
  };

  return async (request) => {
    try {
      return await route(request);
    } finally {
      lookups.report();
    }
  };
}

/** A key set has no usable key. The keys in hand stay in use, for a day at most. */
export function keysUnusableEvent({ dependency, code, detail }: KeySetProblem): AuditEvent {
  return auditEvent('issuer_keys.unusable', { dependency, error: detail, code });
}

export const TOKEN_ERROR_RESPONSES: ErrorResponses = {
  tooLarge: (request_id) =>
    refusalResponse({ reason: 'request_too_large', limit: '16 KiB for a body' }, { request_id, bearer: false }),
  tooSlow: REQUEST_TIMED_OUT,
};

function isGetOrHead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}
