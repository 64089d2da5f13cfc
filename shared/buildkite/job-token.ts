// Verifies a Buildkite job token: who signed it, for whom, when, and that its claims are what they should be.
// Everything that can be refused without a key is refused before a key is requested. Knows nothing about rules.
// Source: https://buildkite.com/docs/pipelines/security/oidc; RFC 7519; RFC 8725.

import type { JWTPayload } from 'jose';
import type { JobTokenReason, JobTokenRefusal, Refusal } from '../core/oauth/refusal.ts';
import { parseClaims } from '../core/policy/claims.ts';
import type { Policy } from '../core/policy/policy.ts';
import { acceptanceProblem } from '../oidc/acceptance.ts';
import type { GetKeys } from '../oidc/jwks-cache.ts';
import { decodeSignedToken, isSignedByOneOf } from '../oidc/signed-token.ts';
import type { VerifyJobToken } from '../operations/ports.ts';

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
    const decoded = decodeSignedToken(jobToken, ['RS256']);
    if ('problem' in decoded) return refuse(`job_token_${decoded.problem}`, decoded.detail);
    const { algorithm, kid, payload } = decoded;
    if (payload.iss !== issuer) return refuse('job_token_issuer_wrong');
    const found = await getKeys(kid);
    if (found.outcome === 'unknown') return refuse('job_token_key_unknown');
    if (found.outcome === 'asked_recently')
      return { refusal: { reason: 'job_token_key_not_looked_up', retryAfter: found.retryAfter } };
    if (!isSignedByOneOf(found.keys, algorithm, jobToken)) return refuse('job_token_signature_invalid');
    const problem = refusalOf(payload, policy, now / 1000);
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
function refusalOf(payload: JWTPayload, policy: JobTokenPolicy, now: number): JobTokenRefusal | undefined {
  // A list that contains our audience is refused: Buildkite sends one string, so another issuer sent the list.
  const accepted = { audience: policy.audience, maxLifetime: policy.maxJobTokenLifetime, needsNbf: true };
  const found = acceptanceProblem(payload, accepted, now);
  if (!found) return undefined;
  if (found.problem === 'time_claim_invalid') return { reason: 'job_token_time_claim_invalid' };
  const { problem, received, expected } = found;
  return { reason: `job_token_${problem}`, received, expected };
}

function isOfOrganization(payload: JWTPayload, { organization: { slug, id } }: JobTokenPolicy): boolean {
  const { organization_slug, organization_id } = payload;
  if (organization_slug !== slug) return false;
  return id === undefined || typeof organization_id !== 'string' || organization_id.toLowerCase() === id;
}
