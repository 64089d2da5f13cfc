// Verifies a Buildkite job token: who signed it, for whom, when, and that its claims are what they should be.
// Everything that can be refused without a key is refused before a key is requested. Knows nothing about rules.
// Source: https://buildkite.com/docs/pipelines/security/oidc; RFC 7519; RFC 8725.

import type { JWTPayload } from 'jose';
import type { JobTokenReason, JobTokenRefusal, Refusal } from '../core/oauth/refusal.ts';
import { parseClaims } from '../core/policy/claims.ts';
import type { Policy } from '../core/policy/policy.ts';
import { CLOCK_MARGIN_MS } from '../core/timing.ts';
import type { GetKeys } from '../oidc/jwks-cache.ts';
import { decodeSignedToken, isSignedByOneOf, isWholeNumber } from '../oidc/signed-token.ts';
import type { VerifyJobToken } from '../operations/ports.ts';

/** Seconds for which a token is accepted after its end. What is late by less was sent in time. */
const EXPIRY_LEEWAY = 10;
/** Seconds by which a token's beginning may lie ahead: the issuer's clock is fast, or ours is slow. */
const FUTURE_LEEWAY = CLOCK_MARGIN_MS / 1000;

/** Where Buildkite publishes the keys of its issuer. */
export function jobTokenKeysUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/jwks`;
}

/** A verifier of tokens from `issuer` for the policy's audience and organization. */
export function createJobTokenVerifier(deps: {
  readonly issuer: string;
  readonly policy: JobTokenPolicy;
  readonly getKeys: GetKeys;
}): VerifyJobToken {
  const { issuer, policy, getKeys } = deps;
  return async (jobToken, now) => {
    if (jobToken === '') return refuse('job_token_missing');
    const decoded = decodeSignedToken(jobToken);
    if ('problem' in decoded) return refuse(`job_token_${decoded.problem}`, decoded.detail);
    const { kid, payload } = decoded;
    if (payload.iss !== issuer) return refuse('job_token_issuer_wrong');
    const found = await getKeys(kid);
    if (found.outcome === 'unknown') return refuse('job_token_key_unknown');
    if (found.outcome === 'asked_recently')
      return { refusal: { reason: 'job_token_key_not_looked_up', retryAfter: found.retryAfter } };
    if (!isSignedByOneOf(found.keys, jobToken)) return refuse('job_token_signature_invalid');
    const problem = acceptanceProblem(payload, policy, now / 1000);
    // Only a job of the policy's organization learns the cause: anybody else could try what the service accepts.
    if (problem) return { refusal: isOfOrganization(payload, policy) ? problem : { reason: problem.reason } };
    const parsed = parseClaims(payload);
    if ('invalidClaim' in parsed) return refuse('job_token_claim_invalid', parsed.invalidClaim);
    const { organization } = policy;
    if (parsed.claims.organization_slug !== organization.slug)
      return refuse('job_token_organization_wrong', 'organization_slug');
    const { organization_id } = parsed.claims;
    if (organization.id !== undefined && organization_id !== undefined && organization_id !== organization.id)
      return refuse('job_token_organization_wrong', 'organization_id');
    return parsed;
  };
}

function refuse(reason: JobTokenReason, detail?: string): { refusal: Refusal } {
  return { refusal: detail === undefined ? { reason } : { reason, detail } };
}

type JobTokenPolicy = Pick<Policy, 'audience' | 'organization' | 'maxJobTokenLifetime'>;

/** What keeps a verified job token from being accepted, apart from its claims about the job. @param now seconds since the epoch */
function acceptanceProblem(
  payload: JWTPayload,
  { audience, maxJobTokenLifetime }: JobTokenPolicy,
  now: number,
): JobTokenRefusal | undefined {
  const { aud, exp, iat, nbf } = payload;
  // A list that contains our audience is refused: Buildkite sends one string, so another issuer sent the list.
  if (aud !== audience)
    return { reason: 'job_token_audience_wrong', received: toPlainText(aud), expected: toPlainText(audience) };
  if (!isWholeNumber(exp) || !isWholeNumber(iat) || !isWholeNumber(nbf))
    return { reason: 'job_token_time_claim_invalid' };
  if (exp <= now - EXPIRY_LEEWAY)
    return { reason: 'job_token_expired', received: toTimeText(exp), expected: toTimeText(now) };
  if (nbf > now + FUTURE_LEEWAY)
    return { reason: 'job_token_not_yet_valid', received: toTimeText(nbf), expected: toTimeText(now) };
  if (iat > now + FUTURE_LEEWAY)
    return { reason: 'job_token_issued_in_future', received: toTimeText(iat), expected: toTimeText(now) };
  if (exp <= iat) return { reason: 'job_token_time_claim_invalid' };
  if (exp - iat > maxJobTokenLifetime)
    return { reason: 'job_token_lifetime_too_long', received: `${exp - iat}`, expected: `${maxJobTokenLifetime}` };
  return undefined;
}

function isOfOrganization(payload: JWTPayload, { organization: { slug, id } }: JobTokenPolicy): boolean {
  const { organization_slug, organization_id } = payload;
  if (organization_slug !== slug) return false;
  return id === undefined || typeof organization_id !== 'string' || organization_id.toLowerCase() === id;
}

/** In a form that error_description allows (RFC 6749 section 5.2), and short enough to read. */
function toPlainText(value: unknown): string {
  if (typeof value !== 'string' || value === '') return 'none';
  return value.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 200);
}

/** @param seconds since the epoch; a time that no calendar has is given as a number */
function toTimeText(seconds: number): string {
  const time = new Date(Math.floor(seconds) * 1000);
  return Number.isNaN(time.getTime()) ? `${seconds}` : time.toISOString().replace('.000Z', 'Z');
}
