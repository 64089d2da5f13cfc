// The exchange of a job token for a credential: RFC 8693 by form, or the job token in the Authorization header and the credential in the
// path. HTTP in, one call into shared/, HTTP out.

import { type AuditEvent, auditEvent } from '../../shared/audit/events.ts';
import { grantFields } from '../../shared/audit/result-events.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import { grantIdOf } from '../../shared/core/grant/id.ts';
import { hasFormOfIssuedToken } from '../../shared/core/oauth/access-token-form.ts';
import { ACCESS_TOKEN_TYPE, parseExchangeRequest } from '../../shared/core/oauth/exchange-request.ts';
import type { Refusal } from '../../shared/core/oauth/refusal.ts';
import { claimFields } from '../../shared/core/policy/claims.ts';
import { toTraceFacts } from '../../shared/core/policy/rule-trace.ts';
import type { IssueResult, TokenRequest } from '../../shared/operations/issue-token.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { DependencyError } from '../../shared/runtime/errors.ts';
import type { HttpRequest, HttpResponse } from '../runtime/http-server.ts';
import { dependencyFailureResponse, refusalResponse } from './error-response.ts';
import { FORM_CONTENT_TYPE, isFormRequest } from './form.ts';
import type { LookupLimit } from './lookup-limit.ts';

const SENT_TOKEN_LIMIT = 8 * 1024;

export interface ExchangeDeps {
  readonly issueToken: (requested: TokenRequest, request_id: string) => Promise<IssueResult>;
  /** The policy's `contact`: whom a developer contacts about a refusal. */
  readonly contact: string | undefined;
  /** SHA-256 of the policy that decides. */
  readonly policySha256: string;
  readonly clock: Clock;
  readonly lookups: LookupLimit;
}

export function createExchangeHandlers({ issueToken, contact, policySha256, clock, lookups }: ExchangeDeps) {
  const issueAndRespond = async (
    requested: TokenRequest,
    request: HttpRequest,
    bearer: boolean,
  ): Promise<HttpResponse> => {
    const context = { request_id: request.request_id, bearer, credentialName: requested.credentialName };
    if ([requested.jobToken, requested.agentToken ?? ''].some((sent) => Buffer.byteLength(sent) > SENT_TOKEN_LIMIT))
      return refusalResponse({ reason: 'request_too_large', limit: '8 KiB for a token' }, context);
    try {
      const result = await issueToken(requested, request.request_id);
      if (result.outcome === 'issued') lookups.markHolder(request.remoteIp);
      const response =
        result.outcome === 'refused'
          ? refusalResponse(result.refusal, {
              ...{ ...context, policySha256, claims: result.claims },
              contact: result.claims && contact,
            })
          : issuedResponse(result, request, clock.now());
      return {
        ...response,
        auditEvents: [...(response.auditEvents ?? []), ...result.accountFailures.map(accountQuarantinedEvent)],
      };
    } catch (error) {
      return dependencyFailureResponse(error, context);
    }
  };

  const byForm = async (request: HttpRequest): Promise<HttpResponse> => {
    const context = { request_id: request.request_id, bearer: false };
    if (!isFormRequest(request))
      return refusalResponse({ reason: 'content_type_not_supported', expected: FORM_OR_PATH }, context);
    const parsed = parseExchangeRequest(request.body.toString('utf8'));
    if ('refusal' in parsed) return refusalResponse(parsed.refusal, context);
    return issueAndRespond(parsed.request, request, false);
  };

  const byPath = async (request: HttpRequest, credentialName: string): Promise<HttpResponse> => {
    if (request.body.length > 0)
      return refusalResponse(BODY_NOT_ALLOWED, { request_id: request.request_id, bearer: true });
    if (/^\/*$/.test(credentialName))
      return refusalResponse(CREDENTIAL_NOT_NAMED, { request_id: request.request_id, bearer: true });
    const jobToken = /^Bearer +(\S.*)$/i.exec(request.headers.authorization ?? '')?.[1]?.trim() ?? '';
    const agentToken = request.headers[AGENT_TOKEN_HEADER]?.trim() || undefined;
    return issueAndRespond({ jobToken, agentToken, credentialName, scopes: [], lifetime: undefined }, request, true);
  };

  return { byForm, byPath };
}

/** Somebody is to look at each use. With each token, so that the line is not lost with one response. */
function breakGlassEvents(grant: Grant): AuditEvent[] {
  const approval = grant.conditions?.approval;
  if (!approval?.break_glass) return [];
  const { credential, environment, rule, subject } = grant;
  const { approved_by, approved_at, reason } = approval;
  return [
    auditEvent('grant.break_glass', {
      ...{ grant_id: grantIdOf(grant), credential, environment, rule, approved_by, reason: reason ?? '' },
      ...{ job_id: subject.id, pipeline_slug: subject.pipeline_slug },
      approved_at: new Date(approved_at).toISOString(),
    }),
  ];
}

/** A pooled account that was set aside for another because Google does not mint from it. */
function accountQuarantinedEvent({ permanent, dependency, message, code }: DependencyError): AuditEvent {
  return auditEvent('account.quarantined', { ...permanent, dependency, error: message, code });
}

/** Where curl sends the machine's token. */
const AGENT_TOKEN_HEADER = 'keydesk-actor-token';

const FORM_OR_PATH = `${FORM_CONTENT_TYPE}; without a form, use POST /token/CREDENTIAL`;

const CREDENTIAL_NOT_NAMED: Refusal = {
  reason: 'parameter_missing',
  hint: 'The path names no credential. Use POST /token/CREDENTIAL.',
};

export const BODY_NOT_ALLOWED: Refusal = {
  reason: 'body_not_allowed',
  hint: 'POST /token/CREDENTIAL takes no body; send a form to /token instead.',
};

function issuedResponse(result: IssueResult & { outcome: 'issued' }, request: HttpRequest, now: number): HttpResponse {
  const { accessToken, grant, grant_id, expires_at, scopes } = result;
  const { token_sha256, claims, trace, shared_with } = result;
  const issued = auditEvent('grant.issued', {
    ...grantFields(grant),
    token_sha256,
    token_expires_at: new Date(expires_at).toISOString(),
    scopes,
    job: claimFields(claims),
    ...toTraceFacts(trace),
    ...(shared_with === undefined ? {} : { shared: true, shared_with }),
  });
  const events = [issued, ...breakGlassEvents(grant)];
  const auditEvents = hasFormOfIssuedToken(accessToken)
    ? events
    : // Google promises no form of its tokens. Should it change, /revoke would not find them, and somebody has to know.
      [...events, auditEvent('token.form_unknown', { grant_id, token_sha256 })];
  // RFC 6749 section 5.1.
  const headers = { pragma: 'no-cache' };
  if (request.headers.accept?.split(',', 1)[0]?.split(';', 1)[0]?.trim().toLowerCase() === 'text/plain')
    return { status: 200, headers, body: accessToken, auditEvents };
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
    auditEvents,
  };
}
