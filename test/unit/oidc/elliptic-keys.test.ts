// Elliptic curve keys of an issuer, and their signatures: which keys are used, each with its own algorithm alone, and which texts pass for
// a signature.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { newPrivateKey, type SigningAlgorithm, signAs } from '../../../sandbox/fakes/issuers/signer.ts';
import { JwksCache } from '../../../shared/oidc/jwks-cache.ts';
import {
  type Algorithm,
  decodeSignedToken,
  isSignedByOneOf,
  type SigningKey,
} from '../../../shared/oidc/signed-token.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const ALGORITHMS = ['RS256', 'ES256', 'ES384'] as const;
const PAIRS = new Map<Algorithm, KeyObject>(ALGORITHMS.map((algorithm) => [algorithm, newPrivateKey(algorithm)]));

function privateKey(algorithm: Algorithm): KeyObject {
  return PAIRS.get(algorithm) as KeyObject;
}

function publicJwk(algorithm: Algorithm, more: object = {}): Record<string, unknown> {
  const { d: _, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...jwk } = privateKey(algorithm).export({ format: 'jwk' });
  return { ...jwk, kid: 'one', use: 'sig', ...more };
}

/** The keys of the ID `one` in a set, for an issuer that signs with these algorithms. */
async function keysIn(members: readonly unknown[], algorithms: readonly Algorithm[]): Promise<readonly SigningKey[]> {
  const cache = new JwksCache({
    ...{ algorithms, url: 'https://issuer.example/jwks', clock: new TestClock(0), onUnusable: () => {} },
    sendRequest: async () => ({ status: 200, headers: new Headers(), json: { keys: members } }),
  });
  const found = await cache.getKeys('one').catch(() => undefined);
  return found?.outcome === 'found' ? found.keys : [];
}

function token(algorithm: SigningAlgorithm, header: object = {}): { readonly input: string; readonly text: string } {
  const segments = [{ alg: algorithm, kid: 'one', ...header }, { iss: 'x' }];
  const input = segments.map((segment) => Buffer.from(JSON.stringify(segment)).toString('base64url')).join('.');
  return { input, text: `${input}.${signAs(algorithm, privateKey(algorithm), input).toString('base64url')}` };
}

describe('a key', () => {
  it.each(ALGORITHMS)('of an issuer that signs with %s is used with it alone', async (algorithm) => {
    const keys = await keysIn([publicJwk(algorithm)], ALGORITHMS);
    expect(keys.map((key) => key.algorithm)).toEqual([algorithm]);
    for (const other of ALGORITHMS) {
      const { text } = token(other);
      expect(isSignedByOneOf(keys, other, text)).toBe(other === algorithm);
      // As if the header of a token could choose how its signature is read.
      for (const said of ALGORITHMS)
        expect(isSignedByOneOf(keys, said, text)).toBe(said === other && other === algorithm);
    }
  });

  it.each(ALGORITHMS)('for %s is not used where the issuer does not sign with it', async (algorithm) => {
    const others = ALGORITHMS.filter((other) => other !== algorithm);
    expect(await keysIn([publicJwk(algorithm)], others)).toEqual([]);
  });

  const p256 = publicJwk('ES256');
  const p384 = publicJwk('ES384');
  const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ format: 'jwk' });
  const k256 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' });
  const zeros = Buffer.alloc(32).toString('base64url');
  it.each<[string, object]>([
    ['of a curve for another algorithm', { ...p256, alg: 'ES384' }],
    ['of P-384 said to be for ES256', { ...p384, alg: 'ES256' }],
    ['of a curve that Keydesk does not use', { ...p521, kid: 'one', use: 'sig' }],
    ['of the curve of Bitcoin', { ...k256, kid: 'one', use: 'sig' }],
    ['of that curve, said to be P-256', { ...k256, crv: 'P-256', kid: 'one', use: 'sig' }],
    ['for encryption', { ...p256, use: 'enc' }],
    ['that may only sign', { ...p256, key_ops: ['sign'] }],
    ['that agrees on secrets', { ...p256, key_ops: ['deriveKey'] }],
    ['without y', { ...p256, y: undefined }],
    ['whose y is a number', { ...p256, y: 7 }],
    ['at another point than one of the curve', { ...p256, y: p256.x }],
    ['at zero', { ...p256, x: zeros, y: zeros }],
    ['with numbers of another curve', { ...p256, x: p384.x, y: p384.y }],
    ['without a curve', { ...p256, crv: undefined }],
    ['of another kind with its numbers', { ...p256, kty: 'OKP' }],
    ['that is RSA by its kind', { ...p256, kty: 'RSA' }],
  ])('%s is passed over', async (_, key) => {
    expect(await keysIn([JSON.parse(JSON.stringify(key))], ALGORITHMS)).toEqual([]);
  });

  it('and others with its ID are each used with their own algorithm', async () => {
    const keys = await keysIn(
      ALGORITHMS.map((algorithm) => publicJwk(algorithm)),
      ALGORITHMS,
    );
    expect(keys.map(({ algorithm }) => algorithm)).toEqual([...ALGORITHMS]);
    for (const algorithm of ALGORITHMS) expect(isSignedByOneOf(keys, algorithm, token(algorithm).text)).toBe(true);
  });
});

describe.each(['ES256', 'ES384'] as const)('a signature of %s', (algorithm) => {
  const half = algorithm === 'ES256' ? 32 : 48;
  const { input, text } = token(algorithm);
  const signature = Buffer.from(text.split('.')[2] ?? '', 'base64url');
  const isAccepted = async (bytes: Uint8Array) =>
    isSignedByOneOf(
      await keysIn([publicJwk(algorithm)], [algorithm]),
      algorithm,
      `${input}.${Buffer.from(bytes).toString('base64url')}`,
    );
  const digest = algorithm === 'ES256' ? 'sha256' : 'sha384';
  const order = BigInt(
    algorithm === 'ES256'
      ? '0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
      : '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  );
  const bytesOf = (number: bigint) => Buffer.from(number.toString(16).padStart(2 * half, '0'), 'hex');

  it('is its two numbers, one after the other', async () => {
    expect(signature.length).toBe(2 * half);
    expect(await isAccepted(signature)).toBe(true);
  });

  it.each<[string, () => Uint8Array]>([
    ['in DER', () => sign(digest, Buffer.from(input), privateKey(algorithm))],
    ['of zeros', () => Buffer.alloc(2 * half)],
    ['whose first number is zero', () => Buffer.concat([Buffer.alloc(half), signature.subarray(half)])],
    ['whose second number is zero', () => Buffer.concat([signature.subarray(0, half), Buffer.alloc(half)])],
    ['of the order of the curve', () => Buffer.concat([bytesOf(order), bytesOf(order)])],
    ['of ones', () => Buffer.alloc(2 * half, 0xff)],
    ['with its numbers exchanged', () => Buffer.concat([signature.subarray(half), signature.subarray(0, half)])],
    ['without its last byte', () => signature.subarray(0, -1)],
    ['with a byte too many', () => Buffer.concat([signature, Buffer.alloc(1)])],
    [
      'with a zero in front of each number',
      () => Buffer.concat([0, half].map((at) => Buffer.concat([Buffer.alloc(1), signature.subarray(at, at + half)]))),
    ],
    ['of no byte', () => Buffer.alloc(0)],
    ['of one byte', () => Buffer.alloc(1, 1)],
    [
      'of the other curve',
      () =>
        signAs(algorithm === 'ES256' ? 'ES384' : 'ES256', privateKey(algorithm === 'ES256' ? 'ES384' : 'ES256'), input),
    ],
    ['of RSA', () => signAs('RS256', privateKey('RS256'), input)],
    [
      'with another digest',
      () => sign('sha512', Buffer.from(input), { key: privateKey(algorithm), dsaEncoding: 'ieee-p1363' }),
    ],
  ])('%s is none', async (_, bytes) => {
    expect(await isAccepted(bytes())).toBe(false);
  });
});

it('a token is read only by an algorithm that its issuer signs with', () => {
  for (const algorithm of ALGORITHMS) {
    expect(decodeSignedToken(token(algorithm).text, [algorithm])).toMatchObject({ algorithm, kid: 'one' });
    const others = ALGORITHMS.filter((other) => other !== algorithm);
    expect(decodeSignedToken(token(algorithm).text, others)).toEqual({ problem: 'algorithm_not_allowed' });
  }
});
