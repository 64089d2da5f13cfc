// Whether the token of a machine is acceptable, by the contract and by hand: no schema of the product is here.

import { type KeyObject, verify } from 'node:crypto';
import type { Claims } from './signed-token.ts';

export interface ExpectedProvider {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithm: 'RS256' | 'ES256' | 'ES384';
  readonly keys: Readonly<Record<string, KeyObject>>;
  /** Seconds. */
  readonly maxLifetime: number;
  /** Where each claim is. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
}

const KINDS = { RS256: ['rsa', 'sha256'], ES256: ['prime256v1', 'sha256'], ES384: ['secp384r1', 'sha384'] } as const;

/** The name of the provider and the claims; undefined for a text that must be refused. @param now seconds since the epoch */
export function acceptedAgent(
  token: string,
  providers: Readonly<Record<string, ExpectedProvider>>,
  now: number,
): { readonly provider: string; readonly claims: Record<string, string> } | undefined {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return undefined;
  const [head = '', body = '', signature = ''] = token.split('.');
  const header = read(head);
  const claims = read(body);
  if (!header || !claims) return undefined;
  if (['crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u'].some((name) => name in header)) return undefined;
  if (header.typ !== undefined && String(header.typ).toUpperCase() !== 'JWT') return undefined;
  if (header.typ !== undefined && typeof header.typ !== 'string') return undefined;
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (audiences.length !== 1) return undefined;
  for (const [name, provider] of Object.entries(providers)) {
    if (claims.iss !== provider.issuer || audiences[0] !== provider.audience) continue;
    const key = typeof header.kid === 'string' && Object.hasOwn(provider.keys, header.kid) && provider.keys[header.kid];
    if (!key || header.alg !== provider.algorithm) return undefined;
    const [kind, digest] = KINDS[provider.algorithm];
    if ((key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType) !== kind) return undefined;
    const bytes = Buffer.from(signature, 'base64url');
    const der = kind === 'rsa' ? bytes : toDer(bytes, kind === 'prime256v1' ? 32 : 48);
    if (!der || !verify(digest, Buffer.from(`${head}.${body}`), key, der)) return undefined;
    if (!isInTime(claims, provider.maxLifetime, now)) return undefined;
    const values = Object.entries(provider.claims).map(([claim, path]) => [claim, textAt(claims, path)] as const);
    if (values.some(([, value]) => value === undefined)) return undefined;
    return { provider: name, claims: Object.fromEntries(values) as Record<string, string> };
  }
  return undefined;
}

function isInTime({ exp, iat, nbf }: Claims, maxLifetime: number, now: number): boolean {
  if (![exp, iat, nbf ?? 0].every(Number.isSafeInteger) || nbf === null) return false;
  const [end, issued, from] = [exp, iat, nbf ?? iat].map(Number) as [number, number, number];
  return end + 10 > now && issued <= now + 90 && from <= now + 90 && end > issued && end - issued <= maxLifetime;
}

function textAt(claims: Claims, path: readonly string[]): string | undefined {
  let value: unknown = claims;
  for (const member of path) {
    if (Object.prototype.toString.call(value) !== '[object Object]') return undefined;
    value = new Map(Object.entries(value as object)).get(member);
  }
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? `${value}` : undefined;
  if (typeof value !== 'string' || value.length < 1 || value.length > 1024) return undefined;
  const isShown = [...value].every((character) => {
    const code = character.codePointAt(0) ?? 0;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
    return !isControl && !(code >= 0xd800 && code < 0xe000);
  });
  return isShown ? value : undefined;
}

/** A signature of two numbers as ASN.1 has it: node:crypto reads no other form unless it is asked to. */
function toDer(bytes: Buffer, half: number): Buffer | undefined {
  if (bytes.length !== 2 * half) return undefined;
  const numbers = [bytes.subarray(0, half), bytes.subarray(half)].map((number) => {
    const first = number.findIndex((byte) => byte !== 0);
    const short = first === -1 ? Buffer.alloc(1) : number.subarray(first);
    const positive = (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), short]) : short;
    return Buffer.concat([Buffer.from([2, positive.length]), positive]);
  });
  const content = Buffer.concat(numbers);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}

function read(segment: string): Record<string, unknown> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(segment, 'base64url'));
    const value: unknown = JSON.parse(text);
    return Object.prototype.toString.call(value) === '[object Object]'
      ? Object.assign(Object.create(null), value)
      : undefined;
  } catch {
    return undefined;
  }
}
