// Signs and verifies tokens by the RFCs (7515, 7519, 8725) and node:crypto alone. Nothing of the product or of its library is here, so
// that a mistake of theirs is not one of this file too.

import { constants, createHmac, type KeyObject, sign, verify } from 'node:crypto';

export type Claims = Readonly<Record<string, unknown>>;

/** How a token is signed, by name: with a key of the setting, or as an attacker would. */
export function signAs(
  how: string,
  input: string,
  keys: Readonly<Record<string, { privateKey: KeyObject; publicKey: KeyObject }>>,
): Buffer {
  const [name = '', way = 'sha256'] = how.split(' ');
  const key = keys[name] ?? Object.values(keys)[0];
  if (!key || name === 'none') return Buffer.alloc(0);
  const bytes = Buffer.from(input);
  if (way === 'pss') return sign('sha256', bytes, { key: key.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING });
  if (way === 'hmac')
    return createHmac('sha256', key.publicKey.export({ type: 'spki', format: 'pem' }))
      .update(bytes)
      .digest();
  return sign(way === 'sha512' ? 'sha512' : 'sha256', bytes, key.privateKey);
}

/** The claims of a token that one of the keys signed with RS256; undefined for any other text. */
export function verifySigned(token: string, keyOf: (kid: string) => readonly KeyObject[]): Claims | undefined {
  const segments = token.split('.');
  if (segments.length !== 3 || segments.some((segment) => !/^[A-Za-z0-9_-]+$/.test(segment))) return undefined;
  const [header, payload, signature] = segments as [string, string, string];
  const head = jsonObject(header);
  const claims = jsonObject(payload);
  if (!head || !claims || head.alg !== 'RS256' || typeof head.kid !== 'string' || head.kid === '') return undefined;
  const { typ } = head;
  if (typ !== undefined && !(typeof typ === 'string' && typ.toLowerCase() === 'jwt')) return undefined;
  if (['crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u'].some((name) => name in head)) return undefined;
  const signed = Buffer.from(`${header}.${payload}`);
  const found = keyOf(head.kid).some((key) => verify('sha256', signed, key, Buffer.from(signature, 'base64url')));
  return found ? claims : undefined;
}

/** RFC 7519 section 7.2: valid JSON in valid UTF-8. */
function jsonObject(segment: string): Record<string, unknown> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(segment, 'base64url'));
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.assign(Object.create(null), value)
      : undefined;
  } catch {
    return undefined;
  }
}
