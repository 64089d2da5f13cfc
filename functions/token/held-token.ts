// Requests about an access token, by its holder. Possession is the proof: a token is found by its hash or not at all.
// Tokens that are unknown, ended or somebody else's get the same response. Text that cannot be a token of Keydesk's is not
// looked up.

import type { Grant } from '../../shared/core/grant/grant.ts';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import { hasFormOfIssuedToken } from '../../shared/core/oauth/access-token-form.ts';
import { parseTokenRequest } from '../../shared/core/oauth/token-request.ts';
import type { LookUpToken } from '../../shared/operations/ports.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { HttpRequest, HttpResponse } from '../runtime/http-server.ts';
import { dependencyFailureResponse, refusalResponse } from './error-response.ts';
import { FORM_CONTENT_TYPE, isFormRequest } from './form.ts';
import type { LookupLimit } from './lookup-limit.ts';

export interface HeldTokenDeps {
  readonly lookUpToken: LookUpToken;
  readonly clock: Clock;
  readonly lookups: LookupLimit;
}

/** The response for a token; `grant` is undefined for a token that is not on record. */
type RespondAbout = (grant: Grant | undefined, token_sha256: string, request: HttpRequest) => Promise<HttpResponse>;

export function withToken({ lookUpToken, lookups }: HeldTokenDeps, respond: RespondAbout) {
  return async (request: HttpRequest): Promise<HttpResponse> => {
    const { request_id, remoteIp } = request;
    const context = { request_id, bearer: false };
    if (!isFormRequest(request))
      return refusalResponse({ reason: 'content_type_not_supported', expected: FORM_CONTENT_TYPE }, context);
    const parsed = parseTokenRequest(request.body.toString('utf8'));
    if ('refusal' in parsed) return refusalResponse(parsed.refusal, context);
    const token_sha256 = tokenSha256(parsed.accessToken);
    if (!hasFormOfIssuedToken(parsed.accessToken)) {
      lookups.countUnknown('not_looked_up', remoteIp);
      return respond(undefined, token_sha256, request);
    }
    const retryAfter = lookups.charge(remoteIp);
    if (retryAfter > 0) {
      lookups.countUnknown('rejected', remoteIp);
      // Without an audit line of its own: these are counted in one line a minute.
      return { ...refusalResponse({ reason: 'too_many_lookups', retryAfter }, context), auditEvents: [] };
    }
    try {
      const grant = await lookUpToken(token_sha256);
      if (grant) lookups.refund(remoteIp);
      else lookups.countUnknown('not_found', remoteIp);
      return await respond(grant, token_sha256, request);
    } catch (error) {
      return dependencyFailureResponse(error, context);
    }
  };
}

/** The token as it is still accepted, with its end; undefined when it is not. */
export function acceptedToken(
  grant: Grant,
  token_sha256: string,
  now: number,
): { readonly expires_at: number } | undefined {
  const token = grant.tokens.find(({ sha256 }) => sha256 === token_sha256);
  const expires_at = Math.min(token?.expires_at ?? 0, grant.expires_at);
  // One of a shared account, or narrowed to a bucket, is accepted until it expires, also after its grant has ended.
  const accepted = grant.state === 'active' || grant.state === 'issuing' || grant.revocation === 'expiry';
  return accepted && expires_at > now ? { expires_at } : undefined;
}
