// The issuer's keys: how often they are asked for, what happens when they cannot be had, and that nothing but a key the
// issuer published is ever handed to a verifier. The clock is a number and the issuer a closure; what real HTTP adds is in
// jwks-cache-over-http.test.ts.

import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { JwksCache, type KeySetProblem } from '../../../shared/oidc/jwks-cache.ts';
import type { SigningKey } from '../../../shared/oidc/signed-token.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import type { HttpClient, JsonResponse, OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const START = Date.UTC(2026, 7, 21);

const FIRST = newJwk('first');
const SECOND_KEY = newJwk('second');
const STRANGER = newJwk('first');

const response = (json: unknown): JsonResponse => ({ status: 200, headers: new Headers(), json });
const set = (...keys: object[]) => response({ keys });
const down = () => Promise.reject(new DependencyError('issuer keys', 'unreachable', 'could not be reached'));

describe('issuer keys', () => {
  it('are requested once and kept', async () => {
    const issuer = open(() => set(FIRST));
    for (let i = 0; i < 100; i += 1) expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toEqual([
      { dependency: 'issuer keys', url: 'https://agent.buildkite.com/.well-known/jwks', deadlineMs: 3_000 },
    ]);
  });

  it('are requested once for any number of first requests', async () => {
    const held = Promise.withResolvers<JsonResponse>();
    const issuer = open(() => held.promise);
    const requests = Array.from({ length: 50 }, () => issuer.key('first'));
    held.resolve(set(FIRST));
    expect(new Set(await Promise.all(requests))).toEqual(new Set([FIRST.n]));
    expect(issuer.asked).toHaveLength(1);
  });

  it('are there for the first request when they were warmed', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.keys.warmUp();
    issuer.answer = down;
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(1);
  });

  it('may fail to be warmed without harm', async () => {
    const issuer = open(down);
    await issuer.keys.warmUp();
    issuer.answer = () => set(FIRST);
    issuer.clock.advance(2 * SECOND);
    expect(await issuer.key('first')).toBe(FIRST.n);
  });

  it.each(['third', '__proto__', '', 'FIRST'])('give no key for an id they lack: %j', async (kid) => {
    const issuer = open(() => set(FIRST, SECOND_KEY));
    expect(await issuer.key(kid)).toBe('unknown');
  });
});

describe('a key id that is not known', () => {
  it('causes at most one request in 30 s, for any number of tokens', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    for (let second = 0; second < 300; second += 1) {
      const requests = Array.from({ length: 20 }, (_, i) => issuer.key(`unknown-${second}-${i}`));
      for (const outcome of await Promise.all(requests)) expect(outcome).toMatch(/^unknown|asked_recently/);
      expect(await issuer.key('first')).toBe(FIRST.n);
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
    const held = Promise.withResolvers<JsonResponse>();
    issuer.answer = () => held.promise;
    issuer.clock.advance(10 * MINUTE + 1);
    const waiting = issuer.key('first');
    const rotated = issuer.key('second');
    held.resolve(set(SECOND_KEY));
    expect(await rotated).toBe(SECOND_KEY.n);
    await waiting;
    expect(issuer.asked).toHaveLength(2);
  });

  it('is not called unknown when the last request to the issuer was earlier: the next one is in 30 s', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    expect(await issuer.key('second')).toBe('asked_recently: 30');
    issuer.clock.advance(29 * SECOND + 1);
    issuer.answer = () => set(FIRST, SECOND_KEY);
    expect(await issuer.key('second')).toBe('asked_recently: 1');
    issuer.clock.advance(999);
    expect(await issuer.key('second')).toBe(SECOND_KEY.n);
  });

  it('is unknown when the last request to the issuer was later, and not yet looked up for the next token', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.clock.advance(30 * SECOND);
    expect(await issuer.key('second')).toBe('unknown');
    expect(await issuer.key('second')).toBe('asked_recently: 30');
    expect(await issuer.key('third')).toBe('asked_recently: 30');
    expect(issuer.asked).toHaveLength(2);
  });

  it('is not called unknown by a response to an earlier request', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.clock.advance(30 * SECOND);
    const held = Promise.withResolvers<JsonResponse>();
    issuer.answer = () => held.promise;
    const first = issuer.key('second');
    await settled();
    issuer.clock.advance(2 * SECOND);
    const joined = issuer.key('third');
    held.resolve(set(FIRST));
    expect([await first, await joined]).toEqual(['unknown', 'asked_recently: 28']);
    expect(issuer.asked).toHaveLength(2);
  });

  it('is not called unknown while the issuer cannot be reached', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = down;
    issuer.clock.advance(30 * SECOND);
    await expect(issuer.key('second')).rejects.toBeInstanceOf(DependencyError);
    await expect(issuer.key('second')).rejects.toBeInstanceOf(DependencyError);
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(2);
  });
});

describe('an issuer that is down', () => {
  it('from the start makes the service unavailable, and is tried again after 2 s', async () => {
    const issuer = open(down);
    for (let i = 0; i < 10; i += 1)
      await expect(issuer.key('first')).rejects.toMatchObject({ name: 'DependencyError', dependency: 'issuer keys' });
    issuer.clock.advance(2 * SECOND - 1);
    await expect(issuer.key('first')).rejects.toBeInstanceOf(DependencyError);
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
    issuer.clock.set(START + DAY - 1);
    expect(await issuer.key('first')).toBe(FIRST.n);
    issuer.clock.advance(1);
    await settled();
    await expect(issuer.key('first')).rejects.toBeInstanceOf(DependencyError);
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
    expect(await issuer.key('third')).toBe('asked_recently: 30');
    expect(issuer.asked).toHaveLength(3);
  });

  it('costs one request its deadline, and then none for five times as long', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.clock.advance(10 * MINUTE + 1);
    issuer.answer = () => {
      issuer.clock.advance(3 * SECOND);
      return down();
    };
    for (let second = 0; second < 15; second += 1) {
      expect(await issuer.key('first')).toBe(FIRST.n);
      expect(issuer.asked).toHaveLength(2);
      issuer.clock.advance(SECOND);
    }
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(3);
  });
});

describe('keys that grow old', () => {
  it('are fresh for 10 minutes, and then verify no token before a request to the issuer', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.clock.advance(10 * MINUTE - 1);
    expect(await issuer.key('first')).toBe(FIRST.n);
    expect(issuer.asked).toHaveLength(1);
    const held = Promise.withResolvers<JsonResponse>();
    issuer.answer = () => held.promise;
    issuer.clock.advance(1);
    const requests = Array.from({ length: 10 }, () => issuer.key('first'));
    expect(await Promise.race([...requests, settled().then(() => 'all wait')])).toBe('all wait');
    held.resolve(set(FIRST));
    expect(new Set(await Promise.all(requests))).toEqual(new Set([FIRST.n]));
    expect(issuer.asked).toHaveLength(2);
  });

  it.each([10 * MINUTE + 1, 50 * MINUTE, DAY])('do not work %d ms later when the issuer withdrew them', async (age) => {
    const issuer = open(() => set(FIRST, SECOND_KEY));
    await issuer.key('first');
    issuer.answer = () => set(SECOND_KEY);
    issuer.clock.advance(age);
    expect(await issuer.key('first')).toBe('unknown');
    expect(await issuer.key('second')).toBe(SECOND_KEY.n);
  });

  it('are as old as their request, not as its response', async () => {
    const issuer = open(() => {
      issuer.clock.advance(2 * SECOND);
      return set(FIRST);
    });
    await issuer.key('first');
    issuer.clock.advance(10 * MINUTE - 2 * SECOND);
    await issuer.key('first');
    expect(issuer.asked).toHaveLength(2);
  });

  it('are replaced when another key takes over their id', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = () => set(STRANGER);
    issuer.clock.advance(10 * MINUTE + 1);
    expect(await issuer.key('first')).toBe(STRANGER.n);
  });

  it.each([-1, -MINUTE, -DAY])(
    'verify no token when the clock is set back by %d ms, before a request to the issuer',
    async (step) => {
      const issuer = open(() => set(FIRST));
      await issuer.key('first');
      issuer.clock.advance(step);
      issuer.answer = () => set(SECOND_KEY);
      expect(await issuer.key('first')).toBe('unknown');
      for (let i = 0; i < 10; i += 1) expect(await issuer.key('second')).toBe(SECOND_KEY.n);
      expect(issuer.asked).toHaveLength(2);
    },
  );

  it('are not trusted while the clock is set back and the issuer cannot be reached', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.clock.advance(-MINUTE);
    issuer.answer = down;
    await expect(issuer.key('first')).rejects.toBeInstanceOf(DependencyError);
    issuer.clock.advance(MINUTE);
    expect(await issuer.key('first')).toBe(FIRST.n);
  });

  it('are requested again when the clock is set back after a failure', async () => {
    const issuer = open(down);
    await expect(issuer.key('first')).rejects.toBeInstanceOf(DependencyError);
    issuer.clock.advance(-DAY);
    issuer.answer = () => set(FIRST);
    expect(await issuer.key('first')).toBe(FIRST.n);
  });
});

describe('a response without a usable key', () => {
  const { n: _, ...withoutModulus } = STRANGER;
  const responses: Record<string, () => JsonResponse | Promise<JsonResponse>> = {
    'not JSON (HTML, or nothing)': () => response(undefined),
    'status 500 with a key set': () => ({ ...set(STRANGER), status: 500 }),
    'status 404 with a key set': () => ({ ...set(STRANGER), status: 404 }),
    'status 203 with a key set': () => ({ ...set(STRANGER), status: 203 }),
    'status 302 with a key set': () => ({ ...set(STRANGER), status: 302 }),
    null: () => response(null),
    'a list of keys': () => response([STRANGER]),
    'a single key': () => response(STRANGER),
    'keys that are an object': () => response({ keys: { 0: STRANGER, length: 1 } }),
    'keys that are text': () => response({ keys: JSON.stringify([STRANGER]) }),
    'keys by certificate': () => response({ first: '-----BEGIN CERTIFICATE-----' }),
    'no keys': () => set(),
    'null and nothing else': () => response({ keys: [null, null] }),
    'members that are no keys': () => response({ keys: [{}, [], 'key', 7, true, null] }),
    'an error nobody expected': () => Promise.reject(new TypeError('boom')),
  };

  for (const [title, answer] of Object.entries(responses)) {
    it(`(${title}) lets nobody in at first`, async () => {
      const issuer = open(answer);
      await expect(issuer.key('first')).rejects.toBeInstanceOf(DependencyError);
      await expect(issuer.key('other')).rejects.toBeInstanceOf(DependencyError);
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

  const even = `${STRANGER.n?.slice(0, -2)}AA`;
  const unusable: Record<string, object | null> = {
    null: null,
    'an empty object': {},
    'a shared secret': { kty: 'oct', kid: 'first', k: 'c2VjcmV0', alg: 'RS256' },
    'an elliptic curve': newEcJwk('first'),
    'a kind of key that does not exist yet': { kty: 'XYZ', kid: 'first' },
    'a key of no kind': { kid: 'first' },
    'a key for encryption': { ...STRANGER, use: 'enc' },
    'a key for another algorithm': { ...STRANGER, alg: 'PS256' },
    'a key for a longer digest': { ...STRANGER, alg: 'RS512' },
    'a key that may only sign': { ...STRANGER, key_ops: ['sign'] },
    'a key whose operations are text': { ...STRANGER, key_ops: 'verify' },
    'a key of 1024 bits': newJwk('first', 1024),
    'a key of 2047 bits': { ...STRANGER, n: `P${STRANGER.n?.slice(1)}` },
    'a key without a modulus': withoutModulus,
    'a key with an empty modulus': { ...STRANGER, n: '' },
    'a key whose modulus is null': { ...STRANGER, n: null },
    'a key whose modulus is no Base64': { ...STRANGER, n: '!'.repeat(342) },
    'a key whose modulus is zero': { ...STRANGER, n: 'A'.repeat(342) },
    'a key whose modulus is even': { ...STRANGER, n: even },
    'a key whose exponent is 1': { ...STRANGER, e: 'AQ' },
    'a key whose exponent is 1 after zeros': { ...STRANGER, e: 'AAAAAQ' },
    'a key whose exponent is even': { ...STRANGER, e: 'AQAC' },
    'a key without an exponent': { ...STRANGER, e: undefined },
    'a key without an id': { ...STRANGER, kid: undefined },
    'a key whose id is a number': { ...STRANGER, kid: 7 },
    'a key whose id is empty': { ...STRANGER, kid: '' },
  };
  for (const [title, key] of Object.entries(unusable)) {
    it(`is passed over next to a good key: ${title}`, async () => {
      const issuer = open(() => response(JSON.parse(JSON.stringify({ keys: [key, SECOND_KEY, key] }))));
      expect(await issuer.key('second')).toBe(SECOND_KEY.n);
      expect(await issuer.key('first')).toBe('asked_recently: 30');
      expect(issuer.reported).toEqual([]);
    });

    it(`does not replace the keys in hand: ${title}`, async () => {
      const issuer = open(() => set(FIRST));
      await issuer.key('first');
      issuer.answer = () => response(JSON.parse(JSON.stringify({ keys: [key] })));
      issuer.clock.advance(10 * MINUTE + 1);
      expect(await issuer.key('first')).toBe(FIRST.n);
      expect(issuer.reported).toEqual(['returned 1 keys, none of them usable']);
    });
  }

  it('is reported once a minute, and not when the issuer cannot be reached', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = down;
    issuer.clock.advance(10 * MINUTE + 1);
    await issuer.key('first');
    expect(issuer.reported).toEqual([]);
    issuer.answer = () => set();
    for (let second = 0; second < 120; second += 1) {
      issuer.clock.advance(SECOND);
      expect(await issuer.key('first')).toBe(FIRST.n);
    }
    expect(issuer.reported).toEqual(Array(2).fill('returned 0 keys, none of them usable'));
  });

  it('keeps nobody out once the set is whole again', async () => {
    const issuer = open(() => set(FIRST));
    await issuer.key('first');
    issuer.answer = () => set();
    issuer.clock.advance(10 * MINUTE + 1);
    expect(await issuer.key('first')).toBe(FIRST.n);
    issuer.answer = () => set(SECOND_KEY);
    issuer.clock.advance(2 * SECOND);
    expect(await issuer.key('second')).toBe(SECOND_KEY.n);
  });
});

describe('a set of odd keys', () => {
  it.each([
    ['members that are null', { ...FIRST, alg: null, use: null, key_ops: null }],
    ['members that say what the key is for', { ...FIRST, alg: 'RS256', use: 'sig', key_ops: ['verify'] }],
    ['members that nobody knows', { ...FIRST, x5t: 7, ext: 'true', toString: null }],
    ['no algorithm and no use', { kty: 'RSA', kid: 'first', n: FIRST.n, e: FIRST.e }],
    ['a modulus with a zero in front', { ...FIRST, n: withLeadingZero(FIRST.n) }],
    ['a modulus with padding', { ...FIRST, n: `${FIRST.n}==` }],
  ])('is used though its key has %s', async (_, key) => {
    expect(await open(() => set(key)).key('first')).toBe(FIRST.n);
  });

  it.each([
    ['the same key twice', [FIRST, FIRST]],
    ['the same key with other members', [FIRST, { ...FIRST, use: undefined, x5t: 'x' }]],
    ['the same key with a zero in front', [FIRST, { ...FIRST, n: withLeadingZero(FIRST.n) }]],
    ['a key of another kind with its id', [newEcJwk('first'), FIRST]],
    ['a key for encryption with its id', [{ ...STRANGER, use: 'enc' }, FIRST]],
  ])('has one key of the id: %s', async (_, keys) => {
    expect(await open(() => set(...keys)).key('first')).toBe(FIRST.n);
  });

  it('has both of two keys with one id, and four at most', async () => {
    expect(await open(() => set(FIRST, STRANGER, FIRST)).key('first')).toBe(`${FIRST.n} ${STRANGER.n}`);
    const many = Array.from({ length: 6 }, () => newJwk('first'));
    const four = many.slice(0, 4).map(({ n }) => n);
    expect(await open(() => set(...many)).key('first')).toBe(four.join(' '));
  });

  it('is used up to its hundredth usable key', async () => {
    const many = Array.from({ length: 150 }, (_, i) => ({ ...FIRST, kid: `key-${i}` }));
    const issuer = open(() => response({ keys: [...Array(200).fill(null), ...many] }));
    expect(await issuer.key('key-0')).toBe(FIRST.n);
    expect(await issuer.key('key-99')).toBe(FIRST.n);
    expect(await issuer.key('key-100')).toBe('asked_recently: 30');
  });
});

/** Keys of an issuer that answers `answer()`; both answer and clock may be changed. */
function open(response: () => JsonResponse | Promise<JsonResponse>) {
  const requested: OutgoingRequest[] = [];
  const reported: string[] = [];
  const clock = new TestClock(START);
  const sendRequest: HttpClient = async (request) => {
    requested.push(request);
    return issuer.answer();
  };
  const onUnusable = ({ detail }: KeySetProblem) => reported.push(detail);
  const keys = new JwksCache({
    algorithms: ['RS256'],
    url: 'https://agent.buildkite.com/.well-known/jwks',
    sendRequest,
    clock,
    onUnusable,
  });
  /** The moduli of the keys of that id, or why there are none. */
  const key = async (kid: string) => {
    const found = await keys.getKeys(kid);
    if (found.outcome === 'found') return found.keys.map(modulusOf).join(' ');
    return found.outcome === 'unknown' ? 'unknown' : `asked_recently: ${found.retryAfter}`;
  };
  const issuer = { asked: requested, reported, clock, keys, key, answer: response };
  return issuer;
}

/** All background work of a request has come to its end: the closures return without waiting. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function modulusOf({ key }: SigningKey): string | undefined {
  expect(key.type).toBe('public');
  return key.export({ format: 'jwk' }).n;
}

function newJwk(kid: string, modulusLength = 2048) {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength });
  return { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
}

function withLeadingZero(modulus = ''): string {
  return Buffer.concat([Buffer.alloc(1), Buffer.from(modulus, 'base64url')]).toString('base64url');
}

function newEcJwk(kid: string) {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' };
}
