// An issuer whose private keys the test holds, so that it can sign what Buildkite and identity providers never would; and the one valid
// token that every case changes in one thing. Signs with node:crypto: a library would refuse to make most of these.

import { constants, createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { decodeJwt, exportJWK } from 'jose';
import { newPrivateKey, type SigningAlgorithm, signAs } from '../../sandbox/fakes/issuers/signer.ts';
import { jsonServer } from '../../sandbox/local-server.ts';

type Part = Readonly<Record<string, unknown>>;
/** A segment before it is encoded: an object as JSON, text and bytes as they are. */
export type Segment = Part | string | Uint8Array;

export interface Signing {
  readonly header?: Segment;
  readonly payload?: Segment;
  readonly signature?: (input: string, issuer: ForgingIssuer) => Buffer;
}

/** A valid token, taken apart. */
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
  readonly algorithm: SigningAlgorithm;
  /** Of the key of another kind. */
  readonly otherAlgorithm: SigningAlgorithm;
  readonly url: string;
  readonly port: string;
  readonly keys: Readonly<Record<KeyName, KeyObject>>;
  readonly publicKeyPem: string;
  readonly keyRequests: () => number;
  close(): Promise<void>;
  /**
   * Takes apart a token of another issuer, to be issued by this issuer instead.
   * @param overrides claims in place of its own
   */
  valid(token: string, overrides?: Part): ValidJobToken;
}

const KEY_NAMES = ['current', 'next', 'encryption', 'otherAlgorithm', 'doubled', 'notPublished'] as const;
type KeyName = (typeof KEY_NAMES)[number] | 'otherKind';

/** Starts it. It is known as localhost, so that its name has letters to be confused. */
export async function startForgingIssuer(algorithm: SigningAlgorithm = 'RS256'): Promise<ForgingIssuer> {
  const otherAlgorithm = algorithm === 'RS256' ? 'ES256' : 'RS256';
  const own = KEY_NAMES.map((name) => [name, newPrivateKey(algorithm)] as const);
  const keys = { ...Object.fromEntries(own), otherKind: newPrivateKey(otherAlgorithm) } as Record<KeyName, KeyObject>;
  const alg = algorithm;
  const published = await Promise.all(
    [
      { key: keys.current, kid: 'current', alg, use: 'sig' },
      { key: keys.next, kid: 'next', alg, use: 'sig' },
      { key: keys.encryption, kid: 'encryption', alg, use: 'enc' },
      { key: keys.otherAlgorithm, kid: 'otherAlgorithm', alg: `${alg.slice(0, 2)}512`, use: 'sig' },
      { key: keys.doubled, kid: 'doubled', alg, use: 'sig' },
      { key: keys.current, kid: 'doubled', alg, use: 'sig' },
      { key: keys.otherKind, kid: 'otherKind', alg: otherAlgorithm, use: 'sig' },
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
    algorithm,
    otherAlgorithm,
    url: `http://localhost:${port}`,
    port,
    keys,
    publicKeyPem: createPublicKey(keys.current).export({ type: 'spki', format: 'pem' }).toString(),
    keyRequests: () => keyRequests,
    close: server.close,
    valid: (token, overrides = {}) => {
      const payload = { ...decodeJwt(token), iss: issuer.url, ...overrides };
      const header = { kid: 'current', alg };
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

/** Signs as the issuer's algorithm does, or with another digest. */
export function by(name: KeyName, digest?: string): NonNullable<Signing['signature']> {
  return (input, { algorithm, keys }) => {
    if (digest === undefined) return signAs(algorithm, keys[name], input);
    return sign(digest, Buffer.from(input), { key: keys[name], dsaEncoding: 'ieee-p1363' });
  };
}

/** With the RSA key that the issuer has, with another padding. */
export function byPss(input: string, { algorithm, keys }: ForgingIssuer): Buffer {
  const { RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST } = constants;
  const key = algorithm === 'RS256' ? keys.current : keys.otherKind;
  return sign('sha256', Buffer.from(input), {
    ...{ key, padding: RSA_PKCS1_PSS_PADDING, saltLength: RSA_PSS_SALTLEN_DIGEST },
  });
}

/** With the key of another kind, by its algorithm. */
export function byOtherKind(input: string, { otherAlgorithm, keys }: ForgingIssuer): Buffer {
  return signAs(otherAlgorithm, keys.otherKind, input);
}

/** The public key taken for a shared secret. */
export function byHmac(input: string, issuer: ForgingIssuer): Buffer {
  return createHmac('sha256', issuer.publicKeyPem).update(input).digest();
}

export function encode(segment: Segment): string {
  const bytes = typeof segment === 'string' || segment instanceof Uint8Array ? segment : JSON.stringify(segment);
  return Buffer.from(bytes as string).toString('base64url');
}
