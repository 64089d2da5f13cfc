// Who calls a private function: the e-mail address in a Google ID token, whose signature, issuer, audience and times are verified
// here. Cloud Run has checked that the caller may invoke the function. It is checked again, because the address is the actor in the audit log.
// Cloud Run checks X-Serverless-Authorization where a request has both headers, and removes the signature of the token that it checked, so
// this token comes in Authorization (docs.cloud.google.com/run/docs/authenticating/service-to-service).
// Claims: developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload.

import type { JWTPayload } from 'jose';
import { CLOCK_MARGIN_MS } from '../core/timing.ts';
import type { GetKeys } from '../oidc/jwks-cache.ts';
import { decodeSignedToken, isSignedByOneOf, isWholeNumber } from '../oidc/signed-token.ts';

const ISSUERS = ['https://accounts.google.com', 'accounts.google.com'];
const EXPIRY_LEEWAY_MS = 10_000;

/** `not_verified` is the same for all tokens that Google did not sign. The others are of somebody who has a token of Google's. */
export type CallerProblem =
  | {
      readonly problem:
        | 'missing'
        | 'not_verified'
        | 'expired'
        | 'not_yet_valid'
        | 'email_missing'
        | 'email_not_verified';
    }
  | { readonly problem: 'keys_asked_recently'; readonly retryAfter: number }
  | { readonly problem: 'audience_wrong'; readonly expected: readonly string[] };

/** @param now milliseconds since the epoch. Throws DependencyError when Google's keys cannot be had. */
export type VerifyCaller = (idToken: string, now: number) => Promise<{ readonly email: string } | CallerProblem>;

/** @param deps.audiences each of them is accepted: the function's URLs, and the client ID of gcloud */
export function createCallerVerifier(deps: {
  readonly audiences: readonly string[];
  readonly getKeys: GetKeys;
}): VerifyCaller {
  const { audiences, getKeys } = deps;
  return async (idToken, now) => {
    if (idToken === '') return { problem: 'missing' };
    const decoded = decodeSignedToken(idToken, ['RS256']);
    if ('problem' in decoded || !ISSUERS.includes(String(decoded.payload.iss))) return { problem: 'not_verified' };
    const found = await getKeys(decoded.kid);
    if (found.outcome === 'asked_recently') return { problem: 'keys_asked_recently', retryAfter: found.retryAfter };
    if (found.outcome === 'unknown' || !isSignedByOneOf(found.keys, decoded.algorithm, idToken))
      return { problem: 'not_verified' };
    return judgeClaims(decoded.payload, audiences, now);
  };
}

function judgeClaims(
  { aud, exp, iat, email, email_verified }: JWTPayload,
  audiences: readonly string[],
  now: number,
): { readonly email: string } | CallerProblem {
  if (typeof aud !== 'string' || !audiences.includes(aud)) return { problem: 'audience_wrong', expected: audiences };
  if (!isWholeNumber(exp) || exp * 1000 + EXPIRY_LEEWAY_MS <= now) return { problem: 'expired' };
  if (!isWholeNumber(iat) || iat * 1000 > now + CLOCK_MARGIN_MS) return { problem: 'not_yet_valid' };
  if (typeof email !== 'string' || email === '') return { problem: 'email_missing' };
  return email_verified === true ? { email } : { problem: 'email_not_verified' };
}
