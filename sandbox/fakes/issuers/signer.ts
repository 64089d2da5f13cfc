// The signing key of a fake issuer, and its key set. Signs with node:crypto, so that tests can make tokens that no library makes.

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export type SigningAlgorithm = 'RS256' | 'ES256' | 'ES384';
type Part = Readonly<Record<string, unknown>>;

const DIGESTS: Readonly<Record<SigningAlgorithm, string>> = { RS256: 'sha256', ES256: 'sha256', ES384: 'sha384' };

export class Signer {
  readonly algorithm: SigningAlgorithm;
  readonly kid: string;
  readonly privateKey: KeyObject;

  constructor(algorithm: SigningAlgorithm, kid: string) {
    this.algorithm = algorithm;
    this.kid = kid;
    this.privateKey = newPrivateKey(algorithm);
  }

  /** The public key, as a member of a key set. */
  get jwk(): object {
    const { kid, algorithm: alg } = this;
    return { ...createPublicKey(this.privateKey).export({ format: 'jwk' }), kid, alg, use: 'sig' };
  }

  /** @param header members besides `alg` and `kid` */
  sign(payload: Part, header: Part = {}): string {
    const segments = [{ ...header, kid: this.kid, alg: this.algorithm }, payload];
    const input = segments.map((segment) => Buffer.from(JSON.stringify(segment)).toString('base64url')).join('.');
    return `${input}.${signAs(this.algorithm, this.privateKey, input).toString('base64url')}`;
  }
}

export function newPrivateKey(algorithm: SigningAlgorithm): KeyObject {
  if (algorithm === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync('ec', { namedCurve: algorithm === 'ES256' ? 'P-256' : 'P-384' }).privateKey;
}

/** Source: RFC 7518 sections 3.3 and 3.4. */
export function signAs(algorithm: SigningAlgorithm, key: KeyObject, input: string): Buffer {
  return sign(DIGESTS[algorithm], Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
}
