// The token endpoint: RFC 8693 by form, or a job token in the Authorization header and the credential in the path; and
// beside it what can be asked about a token. HTTP in, one call into shared/, HTTP out.

import { grantEntry, toGivenUp } from '../../shared/audit/grant-events.ts';
import type { AuditEntry } from '../../shared/audit/logger.ts';
import { hasFormOfIssuedToken } from '../../shared/core/oauth/access-token-form.ts';
import { ACCESS_TOKEN_TYPE, parseExchangeRequest } from '../../shared/core/oauth/exchange-request.ts';
import type { Refusal } from '../../shared/core/oauth/refusal.ts';
import { toTraceFacts } from '../../shared/core/policy/rule-trace.ts';
import type { Asked, HandOut } from '../../shared/operations/issue-token.ts';
import { type Answer, type Failures, type Handler, type Incoming, REQUEST_TIMED_OUT } from '../runtime/http-server.ts';
import { failed, refused } from './error-response.ts';
import { FORM, isForm } from './form.ts';
import { createIntrospectHandler, createRevokeHandler, type HeldTokenParts } from './held-token.ts';
import { METADATA_PATH, metadata } from './metadata.ts';

/** Bytes of a request's body. */
export const TOKEN_BODY_LIMIT = 16 * 1024;
const JOB_TOKEN_LIMIT = 8 * 1024;

export interface TokenParts extends HeldTokenParts {
  readonly handOut: (asked: Asked, request_id: string) => Promise<HandOut>;
}

export function createTokenHandler(parts: TokenParts): Handler {
  const { handOut, clock, lookups } = parts;
  const give = async (asked: Asked, request: Incoming, bearer: boolean): Promise<Answer> => {
    const context = { request_id: request.request_id, bearer, credentialName: asked.credentialName };
    if (Buffer.byteLength(asked.jobToken) > JOB_TOKEN_LIMIT)
      return refused({ reason: 'request_too_large', limit: '8 KiB for a job token' }, context);
    try {
      const result = await handOut(asked, request.request_id);
      if (result.outcome === 'issued') lookups.holds(request.remoteIp);
      const answer =
        result.outcome === 'refused'
          ? refused(result.refusal, { ...context, claims: result.claims })
          : issued(result, request, clock.now());
      return { ...answer, entries: [...(answer.entries ?? []), ...result.givenUp.map(toGivenUp)] };
    } catch (error) {
      return failed(error, context);
    }
  };

  const exchange = async (request: Incoming): Promise<Answer> => {
    const context = { request_id: request.request_id, bearer: false };
    if (!isForm(request)) return refused({ reason: 'content_type_not_supported', expected: FORM }, context);
    const parsed = parseExchangeRequest(request.body.toString('utf8'));
    if ('refusal' in parsed) return refused(parsed.refusal, context);
    return give(parsed.request, request, false);
  };

  const byPath = async (request: Incoming, credentialName: string): Promise<Answer> => {
    if (request.body.length > 0) return refused(BODY_NOT_ALLOWED, { request_id: request.request_id, bearer: true });
    const jobToken = /^Bearer +(\S.*)$/i.exec(request.headers.authorization ?? '')?.[1]?.trim() ?? '';
    return give({ jobToken, credentialName, scopes: [], lifetime: undefined }, request, true);
  };

  const revoke = createRevokeHandler(parts);
  const introspect = createIntrospectHandler(parts);

  const route = async (request: Incoming): Promise<Answer> => {
    const { method, path, request_id } = request;
    const only = (allow: string) =>
      refused({ reason: 'method_not_allowed', allow }, { request_id, bearer: path.startsWith('/token/') });
    if (path === '/token') return method === 'POST' ? exchange(request) : only('POST');
    if (path.startsWith('/token/')) return method === 'POST' ? byPath(request, path.slice(7)) : only('POST');
    if (path === '/revoke') return method === 'POST' ? revoke(request) : only('POST');
    if (path === '/introspect') return method === 'POST' ? introspect(request) : only('POST');
    if (path === METADATA_PATH) return isReading(method) ? metadata(request) : only('GET, HEAD');
    if (path === '/health') return isReading(method) ? HEALTHY : only('GET, HEAD');
    return refused({ reason: 'not_found' }, { request_id, bearer: false });
  };

  return async (request) => {
    try {
      return await route(request);
    } finally {
      lookups.report();
    }
  };
}

/** The issuer's key set has no usable key. The keys in hand stay in use, for a day at most. */
export function toKeysUnusable(detail: string): AuditEntry {
  return {
    event: 'issuer_keys.unusable',
    severity: 'ERROR',
    message: `the issuer's key set cannot be used, and the keys in hand stay in use: ${detail}`,
    dependency: 'issuer keys',
    error: detail,
  };
}

export const TOKEN_FAILURES: Failures = {
  tooLarge: (request_id) =>
    refused({ reason: 'request_too_large', limit: '16 KiB for a body' }, { request_id, bearer: false }),
  tooSlow: REQUEST_TIMED_OUT,
};

const BODY_NOT_ALLOWED: Refusal = {
  reason: 'body_not_allowed',
  hint: 'POST /token/CREDENTIAL takes no body; send a form to /token instead.',
};

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

const HEALTHY: Answer = { status: 200, body: { status: 'ok' } };

function issued(result: HandOut & { outcome: 'issued' }, request: Incoming, now: number): Answer {
  const { accessToken, grant, grant_id, expires_at, scopes } = result;
  const { token_sha256, trace, shared_with } = result;
  const entry = grantEntry('grant.issued', grant, {
    token_sha256,
    token_expires_at: expires_at,
    scopes,
    ...toTraceFacts(trace),
    ...(shared_with === undefined ? {} : { shared: true, shared_with }),
  });
  const entries = hasFormOfIssuedToken(accessToken) ? [entry] : [entry, toFormUnknown(grant_id, token_sha256)];
  // RFC 6749 section 5.1.
  const headers = { pragma: 'no-cache' };
  if (request.headers.accept?.split(',', 1)[0]?.split(';', 1)[0]?.trim().toLowerCase() === 'text/plain')
    return { status: 200, headers, body: accessToken, entries };
  return {
    status: 200,
    headers,
    body: {
      access_token: accessToken,
      issued_token_type: ACCESS_TOKEN_TYPE,
      token_type: 'Bearer',
      expires_in: Math.max(1, Math.floor((expires_at - now) / 1000)),
      ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
      grant_id,
      credential: grant.credential,
      environment: grant.environment,
      revocation: grant.revocation,
      request_id: request.request_id,
    },
    entries,
  };
}

/** Google promises no form of its tokens. Should it change, /revoke would not find them, and somebody has to know. */
function toFormUnknown(grant_id: string, token_sha256: string): AuditEntry {
  return {
    event: 'token.form_unknown',
    severity: 'ERROR',
    message: 'Google issued an access token of a form that /revoke and /introspect do not look up: update Keydesk',
    grant_id,
    token_sha256,
  };
}
