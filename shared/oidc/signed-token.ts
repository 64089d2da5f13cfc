// What all signed OIDC tokens have in common, by any issuer: the form, the headers that are refused before any key is
// requested, and the signature. Claims are judged by who knows the issuer.
// Source: RFC 7515, RFC 7519, RFC 8725.

import { type KeyObject, verify } from 'node:crypto';
import { base64url, decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';

/** Of signatures. Source: RFC 7518 section 3.1. */
export type Algorithm = 'RS256' | 'ES256' | 'ES384';
const DIGESTS: Readonly<Record<Algorithm, string>> = { RS256: 'sha256', ES256: 'sha256', ES384: 'sha384' };
/** Header members that would let a token bring its own key, or change what is signed. */
const HEADERS_NOT_ALLOWED = ['crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u'];

type Problem = 'malformed' | 'algorithm_not_allowed' | 'header_not_allowed' | 'type_not_allowed' | 'key_id_missing';

/** What a token says of itself. Nothing in it is verified. */
export interface UnverifiedToken {
  readonly algorithm: Algorithm;
  readonly kid: string;
  readonly payload: JWTPayload;
}

/** `detail` names the header that is not allowed. */
export type UnusableToken = { readonly problem: Problem; readonly detail?: string };

/**
 * Reads a token without a key, and refuses what no key could make acceptable. Never throws.
 * @param algorithms those that the issuer signs with
 */
export function decodeSignedToken(text: string, algorithms: readonly Algorithm[]): UnverifiedToken | UnusableToken {
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(text)) return { problem: 'malformed' };
  let header: Record<string, unknown>;
  let payload: JWTPayload;
  try {
    header = decodeProtectedHeader(text) as Record<string, unknown>;
    payload = decodeJwt(text);
  } catch {
    return { problem: 'malformed' };
  }
  const algorithm = algorithms.find((allowed) => allowed === header.alg);
  if (!algorithm) return { problem: 'algorithm_not_allowed' };
  const notAllowed = HEADERS_NOT_ALLOWED.find((name) => Object.hasOwn(header, name));
  if (notAllowed) return { problem: 'header_not_allowed', detail: notAllowed };
  if (header.typ !== undefined && !(typeof header.typ === 'string' && /^jwt$/i.test(header.typ)))
    return { problem: 'type_not_allowed' };
  if (typeof header.kid !== 'string' || header.kid === '') return { problem: 'key_id_missing' };
  return { algorithm, kid: header.kid, payload };
}

/** A public key, and the only algorithm that it is used with. */
export interface SigningKey {
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/**
 * Whether one of the keys made the signature by the algorithm. Synchronous, since WebCrypto takes twice the processor time for it.
 * Source: RFC 7518 sections 3.3 and 3.4: a signature of ECDSA is its two numbers, one after the other.
 */
export function isSignedByOneOf(keys: readonly SigningKey[], algorithm: Algorithm, text: string): boolean {
  const end = text.lastIndexOf('.');
  let signature: Uint8Array;
  try {
    signature = base64url.decode(text.slice(end + 1));
  } catch {
    return false;
  }
  const signed = Buffer.from(text.slice(0, end), 'latin1');
  return keys.some(
    (one) =>
      one.algorithm === algorithm &&
      verify(DIGESTS[algorithm], signed, { key: one.key, dsaEncoding: 'ieee-p1363' }, signature),
  );
}

/** Whether a time claim is one: seconds since the epoch. */
export function isWholeNumber(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
