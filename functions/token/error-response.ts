// Turns refusals of the token endpoint into its responses and audit lines.

import { type AuditEvent, auditEvent } from '../../shared/audit/events.ts';
import { toIsoTimes } from '../../shared/audit/iso-times.ts';
import { type Refusal, toWireError } from '../../shared/core/oauth/refusal.ts';
import { claimFields, type JobClaims } from '../../shared/core/policy/claims.ts';
import { toTraceFacts } from '../../shared/core/policy/rule-trace.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import type { HttpResponse } from '../runtime/http-server.ts';

export interface RefusalContext {
  readonly request_id: string;
  /** The job token came in the Authorization header. */
  readonly bearer: boolean;
  readonly credentialName?: string | undefined;
  readonly claims?: JobClaims | undefined;
  /** SHA-256 of the policy, where it was looked at. */
  readonly policySha256?: string | undefined;
  /** The policy's `contact`; only for a job whose token was verified. */
  readonly contact?: string | undefined;
}

/** The response to a refusal: brief for the caller, complete for the audit log. */
export function refusalResponse(refusal: Refusal, context: RefusalContext): HttpResponse {
  const { status, error, description, retryAfter, missingClaims, step, allow, permanent } = toWireError(
    refusal,
    context,
  );
  return {
    status,
    headers: {
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...(allow === undefined ? {} : { allow }),
      ...(status === 401 ? { 'www-authenticate': challenge(refusal) } : {}),
    },
    // In the description too, because Google's clients show their users nothing else. Guzzle (PHP) shows 120 characters of
    // the body, so the id comes before the description.
    body: {
      error,
      request_id: context.request_id,
      error_description: `${description} Request id: ${context.request_id}`,
      ...(missingClaims === undefined ? {} : { missing_claims: missingClaims }),
      ...(step === undefined ? {} : { step }),
      ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
      ...(permanent ? { permanent } : {}),
    },
    auditEvents: [refusalEvent(refusal, context)],
  };
}

/** RFC 6750 section 3.1: a request without a token is given no error code. */
function challenge({ reason }: Refusal): string {
  return reason === 'job_token_missing' ? 'Bearer' : 'Bearer error="invalid_token"';
}

/** The response when a dependency failed. Every other error is thrown again. */
export function dependencyFailureResponse(error: unknown, context: RefusalContext): HttpResponse {
  if (!DependencyError.is(error)) throw error;
  const { dependency, message, code, retryAfter } = error;
  return refusalResponse({ reason: 'dependency_unavailable', dependency, error: message, code, retryAfter }, context);
}

function refusalEvent(refusal: Refusal, { credentialName, claims, policySha256 }: RefusalContext): AuditEvent {
  const { reason, ...logged } = refusal;
  const traced = 'trace' in logged ? { ...logged, ...toTraceFacts(logged.trace) } : logged;
  const { retryAfter, ...facts } = { retryAfter: undefined, ...traced };
  return auditEvent('grant.refused', {
    reason,
    ...toIsoTimes(facts),
    retry_after_s: retryAfter,
    credential: credentialName?.slice(0, 128),
    policy_sha256: policySha256,
    job: claims && claimFields(claims),
    pipeline_slug: claims?.pipeline_slug,
  });
}
