// The issuer's keys: how often they are asked for, what happens when they cannot be had, and that nothing but a key the
// issuer published is ever handed to a verifier. The clock is a number and the issuer a closure; what real HTTP adds is in
// issuer-keys-over-http.test.ts.

import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { type CryptoKey, errors } from 'jose';
import { describe, expect, it } from 'vitest';
import { IssuerKeys } from '../../../shared/buildkite/issuer-keys.ts';
import type { Ask, Outgoing, OutgoingAnswer } from '../../../shared/outgoing.ts';
import { Unavailable } from '../../../shared/unavailable.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const START = Date.UTC(2026, 7, 21);

const FIRST = newJwk('first');
const SECOND_KEY = newJwk('second');
const STRANGER = newJwk('first');

const answer = (json: unknown): OutgoingAnswer => ({ status: 200, headers: new Headers(), json });
const set = (...keys: object[]) => answer({ keys });
const down = () => Promise.reject(new Unavailable('issuer keys', 'could not be reached'));

describe('issuer keys', () => {
  it('are asked for once and kept', async () => {
    const issuer = open(() => set(FIRST));
    for (let i = 0; i < 100; i += 1) expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toEqual([
      { what: 'issuer keys', url: 'https://agent.buildkite.com/.well-known/jwks', deadlineMs: 3000 },
    ]);
  });

  it('are asked for once by any number of first requests', async () => {
    const held = Promise.withResolvers<OutgoingAnswer>();
    const issuer = open(() => held.promise);
    const requests = Array.from({ length: 50 }, () => issuer.key('first'));
    held.resolve(set(FIRST));
    expect(new Set(await Promise.all(requests))).toEqual(new Set([FIRST.n]));
    expect(issuer.asked).toHaveLength(1);
  });

  it('are there for the first request when they were warmed', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.keys.warm();
    issuer.answer = down;
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(1);
  });

  it('may fail to be warmed without harm', async () => {
    const issuer = open(down);
    await issuer.keys.warm();
    issuer.answer = () => set(FIRST);
    issuer.clock.advance(2 * SECOND);
    expect(await issuer.key('first')).toBe(FIRST.n);
  });

  it('give no key for an id they lack, and none for no id at all', async () => {
    const issuer = open(() => set(FIRST, SECOND_KEY));
    await expect(issuer.key('third')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    await expect(issuer.key('__proto__')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    await expect(issuer.key(undefined)).rejects.toBeInstanceOf(errors.JWKSMultipleMatchingKeys);
  });
});

describe('a key id that is not known', () => {
  it('asks again at most once in 30 s, however many requests bring one', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    for (let second = 0; second < 300; second += 1) {
      const requests = Array.from({ length: 20 }, (_, i) => issuer.key(`unknown-${second}-${i}`));
      for (const { status } of await Promise.allSettled(requests)) expect(status).toBe('rejected');
      issuer.clock.advance(SECOND);
    }
    expect(issuer.asked).toHaveLength(1 + 9);
  });

  it('gets its key once the issuer has published it', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = () => set(SECOND_KEY, FIRST);
    issuer.clock.advance(30 * SECOND);
    expect(await issuer.key('second')).toBe(SECOND_KEY.n);
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(2);
  });

  it('waits for a refresh that is under way instead of being refused', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    const held = Promise.withResolvers<OutgoingAnswer>();
    issuer.answer = () => held.promise;
    issuer.clock.advance(10 * MINUTE + 1);
    expect(await issuer.key('first')).toBe(FIRST.n);
    const rotated = issuer.key('second');
    held.resolve(set(SECOND_KEY));
    expect(await rotated).toBe(SECOND_KEY.n);
    expect(issuer.asked).toHaveLength(2);
  });

  it('is not called unknown while the issuer cannot be asked', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = down;
    issuer.clock.advance(30 * SECOND);
    await expect(issuer.key('second')).rejects.toBeInstanceOf(Unavailable);
    await expect(issuer.key('second')).rejects.toBeInstanceOf(Unavailable);
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(2);
  });
});

describe('an issuer that is down', () => {
  it('from the start makes the service unavailable, and is tried again after 2 s', async () => {
    const issuer = open(down);
    for (let i = 0; i < 10; i += 1)
      await expect(issuer.key('first')).rejects.toMatchObject({ name: 'Unavailable', what: 'issuer keys' });
    issuer.clock.advance(2 * SECOND - 1);
    await expect(issuer.key('first')).rejects.toBeInstanceOf(Unavailable);
    expect(issuer.asked).toHaveLength(1);
    issuer.clock.advance(1);
    issuer.answer = () => set(FIRST);
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(2);
  });

  it('leaves the keys in hand working for a day and no longer', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = down;
    for (let age = 0; age < DAY; age += 30 * MINUTE) {
      expect(await issuer.key('first')).toBe(FIRST.n);
      issuer.clock.advance(30 * MINUTE);
    }
    expect(issuer.clock.now()).toBe(START + DAY);
    expect(await issuer.key('first')).toBe(FIRST.n);
    issuer.clock.advance(1);
    await settled();
    await expect(issuer.key('first')).rejects.toBeInstanceOf(Unavailable);
  });

  it('is tried at most every 2 s for keys that grow old', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = down;
    issuer.clock.advance(10 * MINUTE + 1);
    for (let tenth = 0; tenth < 100; tenth += 1) {
      expect(await issuer.key('first')).toBe(FIRST.n);
      await settled();
      issuer.clock.advance(SECOND / 10);
    }
    expect(issuer.asked).toHaveLength(1 + 5);
  });

  it('is forgotten about once it is back', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = down;
    issuer.clock.advance(10 * MINUTE + 1);
    await issuer.key('first');
    await settled();
    issuer.answer = () => set(SECOND_KEY);
    issuer.clock.advance(2 * SECOND);
    expect(await issuer.key('second')).toBe(SECOND_KEY.n);
    await expect(issuer.key('third')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    expect(issuer.asked).toHaveLength(3);
  });
});

describe('keys that grow old', () => {
  it('are fresh for 10 minutes, then renewed beside the request that notices', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.clock.advance(10 * MINUTE);
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(1);
    issuer.answer = () => new Promise(() => {});
    issuer.clock.advance(1);
    for (let i = 0; i < 10; i += 1) expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(2);
  });

  it('stop working at the next renewal when the issuer withdrew them', async () => {
    const issuer = open(() => set(FIRST, SECOND_KEY));
    await issuer.key('first');
    issuer.answer = () => set(SECOND_KEY);
    issuer.clock.advance(10 * MINUTE + 1);
    await issuer.key('second');
    await settled();
    await expect(issuer.key('first')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    expect(await issuer.key('second')).toBe(SECOND_KEY.n);
  });

  it('are replaced when another key takes over their id', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = () => set(STRANGER);
    issuer.clock.advance(10 * MINUTE + 1);
    await issuer.key('first');
    await settled();
    expect(await issuer.key('first')).toBe(STRANGER.n);
  });

  it('do not trouble the issuer when the clock is set back', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.clock.advance(-DAY);
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(1);
  });
});

describe('an answer that is no key set', () => {
  const { n: _, ...withoutModulus } = STRANGER;
  const answers: Record<string, () => OutgoingAnswer | Promise<OutgoingAnswer>> = {
    'not JSON (HTML, or nothing)': () => answer(undefined),
    'status 500 with a key set': () => ({ ...set(STRANGER), status: 500 }),
    'status 404 with a key set': () => ({ ...set(STRANGER), status: 404 }),
    'status 203 with a key set': () => ({ ...set(STRANGER), status: 203 }),
    'status 302 with a key set': () => ({ ...set(STRANGER), status: 302 }),
    null: () => answer(null),
    'a list of keys': () => answer([STRANGER]),
    'a single key': () => answer(STRANGER),
    'keys that are an object': () => answer({ keys: { 0: STRANGER, length: 1 } }),
    'keys that are text': () => answer({ keys: JSON.stringify([STRANGER]) }),
    'keys by certificate': () => answer({ first: '-----BEGIN CERTIFICATE-----' }),
    'more keys than any issuer has': () => set(...Array.from({ length: 101 }, (_, i) => newJwkLike(`key-${i}`))),
    'an error nobody expected': () => Promise.reject(new TypeError('boom')),
  };

  for (const [title, answer] of Object.entries(answers)) {
    it(`(${title}) lets nobody in at first`, async () => {
      const issuer = open(answer);
      await expect(issuer.key('first')).rejects.toBeInstanceOf(Unavailable);
      await expect(issuer.key(undefined)).rejects.toBeInstanceOf(Unavailable);
    });

    it(`(${title}) does not replace the keys in hand`, async () => {
      const issuer = open(() => set(FIRST));
      await issuer.key('first');
      issuer.answer = answer;
      issuer.clock.advance(10 * MINUTE + 1);
      await issuer.key('first');
      await settled();
      expect(await issuer.key('first')).toBe(FIRST.n);
    });
  }

  it('lets nobody in when the set is empty', async () => {
    const issuer = open(() => set());
    await expect(issuer.key('first')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
  });

  const unusable: Record<string, object> = {
    'a shared secret': { kty: 'oct', kid: 'first', k: 'c2VjcmV0', alg: 'RS256' },
    'an elliptic curve': newEcJwk('first'),
    'a key for encryption': { ...STRANGER, use: 'enc' },
    'a key for another algorithm': { ...STRANGER, alg: 'PS256' },
    'a key that may only sign': { ...STRANGER, key_ops: ['sign'] },
    'a kind of key that does not exist yet': { kty: 'XYZ', kid: 'first' },
  };
  for (const [title, key] of Object.entries(unusable))
    it(`gives no key for ${title}`, async () => {
      const issuer = open(() => set(key, SECOND_KEY));
      await expect(issuer.key('first')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
      expect(await issuer.key('second')).toBe(SECOND_KEY.n);
    });

  // RFC 7517 section 5: keys that are not understood or lack members should be ignored, not the whole set.
  const ignored: Record<string, object> = {
    'a key without an id': { ...STRANGER, kid: undefined },
    'a key whose id is a number': { ...STRANGER, kid: 7 },
    'a key of no kind': { kid: 'first' },
    'a key without a modulus': withoutModulus,
  };
  for (const [title, key] of Object.entries(ignored))
    it(`keeps the good key usable beside ${title}`, async () => {
      const issuer = open(() => set(JSON.parse(JSON.stringify(key)), SECOND_KEY));
      expect(await issuer.key('second')).toBe(SECOND_KEY.n);
      await expect(issuer.key('first')).rejects.toThrow();
    });
});

/** Keys of an issuer that answers `answer()`; both answer and clock may be changed. */
function open(answer: () => OutgoingAnswer | Promise<OutgoingAnswer>) {
  const asked: Outgoing[] = [];
  const clock = new TestClock(START);
  const ask: Ask = async (request) => {
    asked.push(request);
    return issuer.answer();
  };
  const keys = new IssuerKeys({ issuer: 'https://agent.buildkite.com', ask, clock });
  const key = async (kid: string | undefined) => {
    const header = kid === undefined ? { alg: 'RS256' } : { alg: 'RS256', kid };
    return modulusOf(await keys.keyOf(header, { payload: '', signature: '' }));
  };
  const issuer = { asked, clock, keys, key, answer };
  return issuer;
}

/** Everything that was started beside a request has come to its end: the closures answer without waiting. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function modulusOf(key: CryptoKey): Promise<string | undefined> {
  expect(key.type).toBe('public');
  return (await webcrypto.subtle.exportKey('jwk', key)).n;
}

function newJwk(kid: string) {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
}

function newJwkLike(kid: string) {
  return { ...FIRST, kid };
}

function newEcJwk(kid: string) {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' };
}
