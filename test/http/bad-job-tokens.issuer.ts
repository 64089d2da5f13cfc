// An issuer whose private keys the test holds, so that it can sign what Buildkite never would; and the one valid job
// token that every case changes in one thing. Signs with node:crypto: a library would refuse to make most of these.

import { constants, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { decodeJwt, exportJWK } from 'jose';
import { jsonServer } from '../../sandbox/local-server.ts';

type Part = Readonly<Record<string, unknown>>;
/** A segment before it is encoded: an object as JSON, text and bytes as they are. */
export type Segment = Part | string | Uint8Array;

export interface Signing {
  readonly header?: Segment;
  readonly payload?: Segment;
  readonly signature?: (input: string, issuer: ForgingIssuer) => Buffer;
}

/** A valid job token, taken apart. */
export interface ValidJobToken {
  readonly header: Part;
  readonly payload: Part;
  /** Seconds since the epoch. */
  readonly iat: number;
  readonly jobToken: string;
  readonly issuer: ForgingIssuer;
  /** The same token with some of it replaced, and signed by the issuer's key unless `signature` says otherwise. */
  readonly signed: (changed: Signing) => string;
}

export interface ForgingIssuer {
  readonly url: string;
  readonly port: string;
  readonly keys: Readonly<Record<KeyName, KeyObject>>;
  readonly publicKeyPem: string;
  readonly keyRequests: () => number;
  close(): Promise<void>;
  /** Takes apart a token of the local Buildkite, to be issued by this issuer instead. */
  valid(jobTokenOfBuildkite: string): ValidJobToken;
}

const KEY_NAMES = ['current', 'next', 'encryption', 'otherAlgorithm', 'doubled', 'notPublished'] as const;
type KeyName = (typeof KEY_NAMES)[number] | 'ellipticCurve';

/** Starts it. It is known as localhost, so that its name has letters to be confused. */
export async function startForgingIssuer(): Promise<ForgingIssuer> {
  const rsa = KEY_NAMES.map((name) => [name, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey] as const);
  const ellipticCurve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const keys = { ...Object.fromEntries(rsa), ellipticCurve } as Record<KeyName, KeyObject>;
  const published = await Promise.all(
    [
      { key: keys.current, kid: 'current', alg: 'RS256', use: 'sig' },
      { key: keys.next, kid: 'next', alg: 'RS256', use: 'sig' },
      { key: keys.encryption, kid: 'encryption', alg: 'RS256', use: 'enc' },
      { key: keys.otherAlgorithm, kid: 'otherAlgorithm', alg: 'RS512', use: 'sig' },
      { key: keys.doubled, kid: 'doubled', alg: 'RS256', use: 'sig' },
      { key: keys.current, kid: 'doubled', alg: 'RS256', use: 'sig' },
      { key: keys.ellipticCurve, kid: 'ellipticCurve', alg: 'ES256', use: 'sig' },
    ].map(async ({ key, ...members }) => ({ ...(await exportJWK(createPublicKey(key))), ...members })),
  );
  let keyRequests = 0;
  const server = await jsonServer('forging issuer', ({ path }) => {
    if (path !== '/.well-known/jwks') return { status: 404 };
    keyRequests += 1;
    return { status: 200, json: { keys: published } };
  });
  const { port } = new URL(server.url);
  const issuer: ForgingIssuer = {
    url: `http://localhost:${port}`,
    port,
    keys,
    publicKeyPem: createPublicKey(keys.current).export({ type: 'spki', format: 'pem' }).toString(),
    keyRequests: () => keyRequests,
    close: server.close,
    valid: (jobTokenOfBuildkite) => {
      const payload = { ...decodeJwt(jobTokenOfBuildkite), iss: issuer.url };
      const header = { kid: 'current', alg: 'RS256' };
      const valid: ValidJobToken = {
        header,
        payload,
        iat: Number(payload.iat),
        jobToken: compact({ header, payload }),
        issuer,
        signed: (changed) => compact({ header, payload, ...changed }),
      };
      function compact({
        header,
        payload,
        signature = by('current'),
      }: Signing & { header: Segment; payload: Segment }) {
        const input = `${encode(header)}.${encode(payload)}`;
        return `${input}.${signature(input, issuer).toString('base64url')}`;
      }
      return valid;
    },
  };
  return issuer;
}

/** Signs as RS256 does, or with another digest. */
export function by(name: KeyName, digest = 'sha256'): NonNullable<Signing['signature']> {
  return (input, issuer) => sign(digest, Buffer.from(input), issuer.keys[name]);
}

export function byPss(input: string, issuer: ForgingIssuer): Buffer {
  const { RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST } = constants;
  const key = { key: issuer.keys.current, padding: RSA_PKCS1_PSS_PADDING, saltLength: RSA_PSS_SALTLEN_DIGEST };
  return sign('sha256', Buffer.from(input), key);
}

export function byEllipticCurve(input: string, issuer: ForgingIssuer): Buffer {
  return sign('sha256', Buffer.from(input), { key: issuer.keys.ellipticCurve, dsaEncoding: 'ieee-p1363' });
}

/** The public key taken for a shared secret. */
export function byHmac(input: string, issuer: ForgingIssuer): Buffer {
  return createHmac('sha256', issuer.publicKeyPem).update(input).digest();
}

export function encode(segment: Segment): string {
  const bytes = typeof segment === 'string' || segment instanceof Uint8Array ? segment : JSON.stringify(segment);
  return Buffer.from(bytes as string).toString('base64url');
}
