// What is judged of a signed token of any issuer once its signature was verified: its audience, its times, how long it lives.
// Source: RFC 7519 section 4.1; RFC 8725.

import type { JWTPayload } from 'jose';
import { CLOCK_MARGIN_MS } from '../core/timing.ts';
import { isWholeNumber } from './signed-token.ts';

/** Seconds for which a token is accepted after its end. What is late by less was sent in time. */
const EXPIRY_LEEWAY = 10;
/** Seconds by which a token's beginning may lie ahead: the issuer's clock is fast, or ours is slow. */
const FUTURE_LEEWAY = CLOCK_MARGIN_MS / 1000;

export type AcceptanceProblem =
  | { readonly problem: 'time_claim_invalid' }
  /** Printable ASCII: what the token has, and what would be accepted. */
  | {
      readonly problem: 'audience_wrong' | 'expired' | 'not_yet_valid' | 'issued_in_future' | 'lifetime_too_long';
      readonly received: string;
      readonly expected: string;
    };

/**
 * What keeps a token from being accepted; undefined when nothing does.
 * @param accepted.maxLifetime seconds
 * @param accepted.needsNbf whether the issuer always sets `nbf`
 * @param now seconds since the epoch
 */
export function acceptanceProblem(
  { aud, exp, iat, nbf }: Pick<JWTPayload, 'aud' | 'exp' | 'iat' | 'nbf'>,
  accepted: { readonly audience: string; readonly maxLifetime: number; readonly needsNbf: boolean },
  now: number,
): AcceptanceProblem | undefined {
  const { audience, maxLifetime, needsNbf } = accepted;
  if (aud !== audience)
    return { problem: 'audience_wrong', received: toPlainText(aud), expected: toPlainText(audience) };
  if (!isWholeNumber(exp) || !isWholeNumber(iat)) return { problem: 'time_claim_invalid' };
  if (!isWholeNumber(nbf) && (needsNbf || nbf !== undefined)) return { problem: 'time_claim_invalid' };
  if (exp <= now - EXPIRY_LEEWAY) return { problem: 'expired', received: toTimeText(exp), expected: toTimeText(now) };
  const latest = now + FUTURE_LEEWAY;
  if (nbf !== undefined && nbf > latest)
    return { problem: 'not_yet_valid', received: toTimeText(nbf), expected: toTimeText(now) };
  if (iat > latest) return { problem: 'issued_in_future', received: toTimeText(iat), expected: toTimeText(now) };
  if (exp <= iat) return { problem: 'time_claim_invalid' };
  if (exp - iat > maxLifetime)
    return { problem: 'lifetime_too_long', received: `${exp - iat}`, expected: `${maxLifetime}` };
  return undefined;
}

/** An audience, in a form that error_description allows (RFC 6749 section 5.2), and short enough to read. */
function toPlainText(value: unknown): string {
  if (Array.isArray(value) && value.length > 1) return `${value.length} audiences`;
  if (typeof value !== 'string' || value === '') return 'none';
  return value.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 200);
}

/** @param seconds since the epoch; a time that no calendar has is given as a number */
function toTimeText(seconds: number): string {
  const time = new Date(Math.floor(seconds) * 1000);
  return Number.isNaN(time.getTime()) ? `${seconds}` : time.toISOString().replace('.000Z', 'Z');
}
