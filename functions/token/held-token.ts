// What the holder of an access token may ask about it: that its grant ends (RFC 7009), and who holds it, for what, until
// when (RFC 7662). Possession is the proof: a token is found by its hash or not at all, and one that is unknown, dead or
// somebody's else looks the same as one that never was. What cannot be a token of Keydesk's is not looked up.

import { auditEvent } from '../../shared/audit/events.ts';
import { endEvents, grantFields } from '../../shared/audit/grant-events.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import { grantIdOf, tokenSha256 } from '../../shared/core/grant/id.ts';
import { hasFormOfIssuedToken } from '../../shared/core/oauth/access-token-form.ts';
import { parseTokenRequest } from '../../shared/core/oauth/token-request.ts';
import { buildOf } from '../../shared/core/subjects/buildkite-job.ts';
import { CLOCK_MARGIN_MS } from '../../shared/core/timing.ts';
import type { LookUpToken } from '../../shared/ledger/token-lookup.ts';
import type { EndResult } from '../../shared/operations/end-job.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { HttpRequest, HttpResponse } from '../runtime/http-server.ts';
import { dependencyFailureResponse, refusalResponse } from './error-response.ts';
import { FORM_CONTENT_TYPE, isFormRequest } from './form.ts';
import type { LookupLimit } from './lookup-limit.ts';

export interface HeldTokenDeps {
  readonly lookUpToken: LookUpToken;
  readonly releaseGrant: (grant: Grant) => Promise<EndResult>;
  readonly clock: Clock;
  readonly lookups: LookupLimit;
}

/** Ends the grant of a token: 200 once that is done, or there was nothing to do. */
export function createRevokeHandler(deps: HeldTokenDeps) {
  const { releaseGrant, clock } = deps;
  return withToken(deps, async (grant, token_sha256, { request_id }) => {
    // One that is being revoked is gone on with: 200 says that it is done.
    // A token that has ended by this clock may be accepted by Google's.
    const endedByEveryClock = () => clock.now() - CLOCK_MARGIN_MS;
    const releasable = grant && (grant.state === 'revoking' || acceptedToken(grant, token_sha256, endedByEveryClock()));
    if (!releasable) return { status: 200, body: { request_id } };
    const endResult = await releaseGrant(grant);
    const [unfinished] = endResult.pending;
    // What cannot be taken away is told, to whoever holds it anyway.
    const stillAccepted = grant.revocation === 'expiry' && acceptedToken(grant, token_sha256, endedByEveryClock());
    const until = stillAccepted
      ? { revocation: grant.revocation, expires_in: Math.max(1, secondsUntil(stillAccepted.expires_at, clock.now())) }
      : {};
    const released: HttpResponse = { status: 200, body: { request_id, ...until } };
    if (endResult.revoked.length + endResult.notRenewed.length + endResult.expired.length === 0 && !unfinished)
      return released;
    const { credential, environment, job_id, grant_id } = grantFields(grant);
    const auditEvents = [
      auditEvent('grant.released', {
        grant_id,
        token_sha256,
        failures: endResult.pending,
        credential,
        environment,
        job_id,
      }),
      ...endEvents(endResult),
    ];
    if (!unfinished) return { ...released, auditEvents };
    const refusal = {
      reason: 'dependency_unavailable',
      dependency: 'revocation',
      error: unfinished.error,
      code: unfinished.code,
      retryAfter: 2,
    } as const;
    const failure = refusalResponse(refusal, { request_id, bearer: false });
    return { ...failure, auditEvents: [...(failure.auditEvents ?? []), ...auditEvents] };
  });
}

/** Tells of a live token who holds it, for what, until when; of any other that it is not active. */
export function createIntrospectHandler(deps: Omit<HeldTokenDeps, 'releaseGrant'>) {
  const { clock } = deps;
  return withToken(deps, async (grant, token_sha256) => {
    const token = grant && acceptedToken(grant, token_sha256, clock.now());
    if (!grant || !token) return { status: 200, body: { active: false } };
    return {
      status: 200,
      body: {
        active: true,
        token_type: 'Bearer',
        exp: Math.floor(token.expires_at / 1000),
        sub: grant.subject.id,
        username: 'service_account' in grant ? grant.service_account : grantIdOf(grant),
        grant_id: grantIdOf(grant),
        credential: grant.credential,
        environment: grant.environment,
        revocation: grant.revocation,
        renewable: grant.ended_at === null,
        job_id: grant.subject.id,
        ...buildOf(grant.subject),
      },
    };
  });
}

/** The token as it is still accepted, with its end; undefined when it is not. */
function acceptedToken(grant: Grant, token_sha256: string, now: number): { readonly expires_at: number } | undefined {
  const token = grant.tokens.find(({ sha256 }) => sha256 === token_sha256);
  const expires_at = Math.min(token?.expires_at ?? 0, grant.expires_at);
  // One of a shared account, or narrowed to a bucket, is accepted until it expires, also after its grant has ended.
  const accepted = grant.state === 'active' || grant.state === 'issuing' || grant.revocation === 'expiry';
  return accepted && expires_at > now ? { expires_at } : undefined;
}

function secondsUntil(time: number, now: number): number {
  return Math.ceil((time - now) / 1000);
}

/** What to answer about a token; `grant` is undefined for a token that is not on record. */
type RespondAbout = (grant: Grant | undefined, token_sha256: string, request: HttpRequest) => Promise<HttpResponse>;

function withToken({ lookUpToken, lookups }: Omit<HeldTokenDeps, 'releaseGrant'>, respond: RespondAbout) {
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
