// `POST /revoke` (RFC 7009): the holder of an access token releases its grant.

import { auditEvent } from '../../shared/audit/events.ts';
import { endEvents, grantFields } from '../../shared/audit/result-events.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import { CLOCK_MARGIN_MS } from '../../shared/core/timing.ts';
import type { EndResult } from '../../shared/operations/end-job.ts';
import type { HttpResponse } from '../runtime/http-server.ts';
import { refusalResponse } from './error-response.ts';
import { acceptedToken, type HeldTokenDeps, withToken } from './held-token.ts';

export interface RevokeDeps extends HeldTokenDeps {
  readonly releaseGrant: (grant: Grant) => Promise<EndResult>;
}

/** Ends the grant of a token: 200 once that is done, or there was nothing to do. */
export function createRevokeHandler(deps: RevokeDeps) {
  const { releaseGrant, clock } = deps;
  return withToken(deps, async (grant, token_sha256, { request_id }) => {
    // One that is being revoked is gone on with: 200 says that it is done.
    // A token that has ended by this clock may be accepted by Google's.
    const endedByEveryClock = () => clock.now() - CLOCK_MARGIN_MS;
    const releasable = grant && (grant.state === 'revoking' || acceptedToken(grant, token_sha256, endedByEveryClock()));
    if (!releasable) return { status: 200, body: { request_id } };
    const endResult = await releaseGrant(grant);
    const [unfinished] = endResult.pending;
    // The response says what cannot be revoked. Only the holder of the token can read that.
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

function secondsUntil(time: number, now: number): number {
  return Math.ceil((time - now) / 1000);
}
