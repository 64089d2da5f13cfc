// What the holder of an access token may ask about it: that its grant ends (RFC 7009), and who holds it, for what, until
// when (RFC 7662). Possession is the proof: a token is found by its hash or not at all, and one that is unknown, dead or
// somebody's else looks the same as one that never was. What cannot be a token of Keydesk's is not looked up.

import { endingEntries } from '../../shared/audit/grant-events.ts';
import type { AuditEntry } from '../../shared/audit/logger.ts';
import { CLOCK_MARGIN_MS } from '../../shared/core/clock-margin.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import { idOf } from '../../shared/core/grant/lifecycle.ts';
import { hasFormOfIssuedToken } from '../../shared/core/oauth/access-token-form.ts';
import { parseTokenRequest } from '../../shared/core/oauth/token-request.ts';
import type { LookUpToken } from '../../shared/ledger/token-lookup.ts';
import type { Ending } from '../../shared/operations/end-job.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Answer, Incoming } from '../runtime/http-server.ts';
import { failed, refused } from './error-response.ts';
import { FORM, isForm } from './form.ts';
import type { LookupLimit } from './lookup-limit.ts';

export interface HeldTokenParts {
  readonly lookUpToken: LookUpToken;
  readonly returnGrant: (grant: Grant) => Promise<Ending>;
  readonly clock: Clock;
  readonly lookups: LookupLimit;
}

/** Ends the grant of a token: 200 once that is done, or there was nothing to do. */
export function createRevokeHandler(parts: HeldTokenParts) {
  const { returnGrant, clock } = parts;
  return answering(parts, async (grant, token_sha256, { request_id }) => {
    // One that is being revoked is gone on with: 200 says that it is done.
    // A token that has ended by this clock may be accepted by Google's.
    const surelyEnded = () => clock.now() - CLOCK_MARGIN_MS;
    const open = grant && (grant.state === 'revoking' || liveToken(grant, token_sha256, surelyEnded()));
    if (!open) return { status: 200, body: { request_id } };
    const ending = await returnGrant(grant);
    const [unfinished] = ending.unfinished;
    // What cannot be taken away is told, to whoever holds it anyway.
    const lingers = grant.revocation === 'expiry' && liveToken(grant, token_sha256, surelyEnded());
    const until = lingers
      ? { revocation: grant.revocation, expires_in: Math.max(1, secondsUntil(lingers.expires_at, clock.now())) }
      : {};
    const done: Answer = { status: 200, body: { request_id, ...until } };
    if (ending.revoked.length + ending.renewalEnded.length + ending.expired.length === 0 && !unfinished) return done;
    const entries: AuditEntry[] = [
      {
        event: 'grant.released',
        severity: unfinished ? 'WARNING' : 'INFO',
        message: `${grant.credential} of job ${grant.job_id} was returned by the job`,
        grant_id: idOf(grant),
        token_sha256,
        failures: ending.unfinished,
        labels: { credential: grant.credential, environment: grant.environment },
      },
      ...endingEntries(ending),
    ];
    if (!unfinished) return { ...done, entries };
    const refusal = {
      reason: 'dependency_unavailable',
      dependency: 'revocation',
      error: unfinished.error,
      retryAfter: 2,
    } as const;
    const answer = refused(refusal, { request_id, bearer: false });
    return { ...answer, entries: [...(answer.entries ?? []), ...entries] };
  });
}

/** Tells of a live token who holds it, for what, until when; of any other that it is not active. */
export function createIntrospectHandler(parts: Omit<HeldTokenParts, 'returnGrant'>) {
  const { clock } = parts;
  return answering(parts, async (grant, token_sha256) => {
    const token = grant && liveToken(grant, token_sha256, clock.now());
    if (!grant || !token) return { status: 200, body: { active: false } };
    return {
      status: 200,
      body: {
        active: true,
        token_type: 'Bearer',
        exp: Math.floor(token.expires_at / 1000),
        sub: grant.job_id,
        username: 'service_account' in grant ? grant.service_account : idOf(grant),
        grant_id: idOf(grant),
        credential: grant.credential,
        environment: grant.environment,
        revocation: grant.revocation,
        renewable: grant.ended_at === null,
        job_id: grant.job_id,
        organization_slug: grant.organization_slug,
        pipeline_slug: grant.pipeline_slug,
        build_number: grant.build_number,
      },
    };
  });
}

/** The token as it is still accepted, with its end; undefined when it is not. */
function liveToken(grant: Grant, token_sha256: string, now: number): { readonly expires_at: number } | undefined {
  const token = grant.tokens.find(({ sha256 }) => sha256 === token_sha256);
  const expires_at = Math.min(token?.expires_at ?? 0, grant.expires_at);
  // One of a shared account, or narrowed to a bucket, is accepted until it expires, also after its grant has ended.
  const live = grant.state === 'active' || grant.state === 'issuing' || grant.revocation === 'expiry';
  return live && expires_at > now ? { expires_at } : undefined;
}

function secondsUntil(time: number, now: number): number {
  return Math.ceil((time - now) / 1000);
}

/** What to answer about a token; `grant` is undefined for a token that is not on record. */
type AnswerAbout = (grant: Grant | undefined, token_sha256: string, request: Incoming) => Promise<Answer>;

function answering({ lookUpToken, lookups }: Omit<HeldTokenParts, 'returnGrant'>, answer: AnswerAbout) {
  return async (request: Incoming): Promise<Answer> => {
    const { request_id, remoteIp } = request;
    const context = { request_id, bearer: false };
    if (!isForm(request)) return refused({ reason: 'content_type_not_supported', expected: FORM }, context);
    const parsed = parseTokenRequest(request.body.toString('utf8'));
    if ('refusal' in parsed) return refused(parsed.refusal, context);
    const token_sha256 = tokenSha256(parsed.accessToken);
    if (!hasFormOfIssuedToken(parsed.accessToken)) {
      lookups.count('not_looked_up', remoteIp);
      return answer(undefined, token_sha256, request);
    }
    const retryAfter = lookups.charge(remoteIp);
    if (retryAfter > 0) {
      lookups.count('rejected', remoteIp);
      // Without an audit line of its own: these are counted in one line a minute.
      return { ...refused({ reason: 'too_many_lookups', retryAfter }, context), entries: [] };
    }
    try {
      const grant = await lookUpToken(token_sha256);
      if (grant) lookups.refund(remoteIp);
      else lookups.count('not_found', remoteIp);
      return await answer(grant, token_sha256, request);
    } catch (error) {
      return failed(error, context);
    }
  };
}
