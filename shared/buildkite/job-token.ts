// Verifies a Buildkite job token: who signed it, for whom, when, and that its claims are what they should be.
// Everything that can be refused without a key is refused before a key is asked for. Knows nothing about rules.
// Source: https://buildkite.com/docs/pipelines/security/oidc; RFC 7519; RFC 8725.

import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { JobTokenReason, Refusal } from '../core/oauth/refusal.ts';
import { parseClaims } from '../core/policy/claims.ts';
import type { Policy } from '../core/policy/policy.ts';
import { CLOCK_MARGIN_MS } from '../core/timing.ts';
import type { VerifyJobToken } from '../operations/ports.ts';
import type { GetKeys } from './jwks-cache.ts';

const ALGORITHM = 'RS256';
/** Seconds for which a token is accepted after its end. What is late by less was sent in time. */
const EXPIRY_LEEWAY = 10;
/** Seconds by which a token's beginning may lie ahead: the issuer's clock is fast, or ours is slow. */
const FUTURE_LEEWAY = CLOCK_MARGIN_MS / 1000;
/** Header members that would let a token bring its own key, or change what is signed. */
const HEADERS_NOT_ALLOWED = ['crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u'];

/** A verifier of tokens from `issuer` for the policy's audience and organization. */
export function createJobTokenVerifier(deps: {
  readonly issuer: string;
  readonly policy: Pick<Policy, 'audience' | 'organization' | 'maxJobTokenLifetime'>;
  readonly getKeys: GetKeys;
}): VerifyJobToken {
  const { issuer, policy, getKeys } = deps;
  return async (jobToken, now) => {
    const checked = checkWithoutKeys(jobToken, issuer);
    if ('refusal' in checked) return checked;
    const found = await getKeys(checked.kid);
    if (found.outcome === 'unknown') return refuse('job_token_key_unknown');
    if (found.outcome === 'asked_recently')
      return { refusal: { reason: 'job_token_key_not_looked_up', retryAfter: found.retryAfter } };
    let payload: JWTPayload;
    try {
      payload = await verifyWithAny(found.keys, jobToken, {
        algorithms: [ALGORITHM],
        issuer,
        audience: policy.audience,
        clockTolerance: FUTURE_LEEWAY,
        currentDate: new Date(now),
        requiredClaims: ['exp', 'iat', 'nbf'],
      });
    } catch (error) {
      return { refusal: toRefusal(error) };
    }
    const timeProblem = checkTimes(payload, now / 1000, policy.maxJobTokenLifetime);
    if (timeProblem) return refuse(timeProblem);
    // jose takes a list that holds our audience; Buildkite never sends one, so whoever does is not Buildkite.
    if (payload.aud !== policy.audience) return refuse('job_token_audience_wrong');
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

/** The payload, verified with the first of the keys that made the signature. Throws jose's error of the last key. */
async function verifyWithAny(keys: readonly CryptoKey[], jobToken: string, options: JWTVerifyOptions) {
  let failure: unknown;
  for (const key of keys) {
    try {
      return (await jwtVerify(jobToken, key, options)).payload;
    } catch (error) {
      failure = error;
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
    }
  }
  throw failure;
}

function checkWithoutKeys(jobToken: string, issuer: string): { kid: string } | { refusal: Refusal } {
  if (jobToken === '') return refuse('job_token_missing');
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(jobToken)) return refuse('job_token_malformed');
  let header: Record<string, unknown>;
  let payload: JWTPayload;
  try {
    header = decodeProtectedHeader(jobToken) as Record<string, unknown>;
    payload = decodeJwt(jobToken);
  } catch {
    return refuse('job_token_malformed');
  }
  if (header.alg !== ALGORITHM) return refuse('job_token_algorithm_not_allowed');
  const notAllowed = HEADERS_NOT_ALLOWED.find((name) => Object.hasOwn(header, name));
  if (notAllowed) return refuse('job_token_header_not_allowed', notAllowed);
  if (header.typ !== undefined && !(typeof header.typ === 'string' && /^jwt$/i.test(header.typ)))
    return refuse('job_token_type_not_allowed');
  if (typeof header.kid !== 'string' || header.kid === '') return refuse('job_token_key_id_missing');
  if (payload.iss !== issuer) return refuse('job_token_issuer_wrong');
  return { kid: header.kid };
}

function checkTimes(payload: JWTPayload, now: number, maxLifetime: number): JobTokenReason | undefined {
  const { exp, iat, nbf } = payload;
  if (!isWholeNumber(exp) || !isWholeNumber(iat) || !isWholeNumber(nbf)) return 'job_token_time_claim_invalid';
  if (exp <= now - EXPIRY_LEEWAY) return 'job_token_expired';
  if (iat > now + FUTURE_LEEWAY) return 'job_token_issued_in_future';
  if (exp <= iat) return 'job_token_time_claim_invalid';
  if (exp - iat > maxLifetime) return 'job_token_lifetime_too_long';
  return undefined;
}

function isWholeNumber(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function toRefusal(error: unknown): Refusal {
  if (error instanceof errors.JWTExpired) return { reason: 'job_token_expired' };
  if (error instanceof errors.JWTClaimValidationFailed) return { reason: claimReason(error) };
  if (error instanceof errors.JWSSignatureVerificationFailed) return { reason: 'job_token_signature_invalid' };
  if (error instanceof errors.JOSEError) return { reason: 'job_token_malformed' };
  throw error;
}

function claimReason({ claim, reason }: errors.JWTClaimValidationFailed): JobTokenReason {
  if (claim === 'aud') return 'job_token_audience_wrong';
  if (claim === 'iss') return 'job_token_issuer_wrong';
  if (claim === 'nbf' && reason === 'check_failed') return 'job_token_not_yet_valid';
  return 'job_token_time_claim_invalid';
}
