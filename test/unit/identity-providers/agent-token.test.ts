// Tokens of machines: which provider of the policy one is of, what is requested for it, and which claims are read. The table of bad tokens
// is in test/http/bad-agent-tokens.test.ts.

import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Signer } from '../../../sandbox/fakes/issuers/signer.ts';
import { type IdentityProvider, identityProvidersSchema } from '../../../shared/core/policy/identity-providers.ts';
import { createAgentTokenVerifier } from '../../../shared/identity-providers/agent-token.ts';
import { createProviderKeys } from '../../../shared/identity-providers/provider-keys.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 10, 30, 20);
const SEED = 20261130;
const SECONDS = NOW / 1000;
const ISSUER = 'https://issuer.example';
const OURS = new Signer('RS256', 'ours');
const THEIRS = new Signer('ES256', 'ours');
const SUB = { sub: { setBy: 'platform' } };
const PAYLOAD = { iss: ISSUER, aud: 'keydesk', sub: 'agents', iat: SECONDS, exp: SECONDS + 300 };

const provider = (more: object = {}) => ({
  ...{ issuer: ISSUER, keys: `${ISSUER}/jwks`, audience: 'keydesk', algorithms: ['RS256'], claims: SUB },
  ...more,
});
const OTHER = {
  ...{
    issuer: 'https://other.example',
    keys: 'https://other.example/jwks',
    audience: 'keydesk',
    algorithms: ['ES256'],
  },
  claims: SUB,
};

let requested: string[];
let broken: boolean;
beforeEach(() => {
  requested = [];
  broken = false;
});

function open(providers: Readonly<Record<string, object>>) {
  const clock = new TestClock(NOW);
  const identityProviders: Readonly<Record<string, IdentityProvider>> = identityProvidersSchema.parse(providers);
  const policy = { identityProviders };
  const reported: string[] = [];
  const keys = createProviderKeys({
    policy,
    clock,
    onUnusable: ({ dependency, detail }) => reported.push(`${dependency} ${detail}`),
    sendRequest: async ({ url, dependency }) => {
      requested.push(url);
      if (broken) throw new DependencyError(dependency, 'unreachable', 'could not be reached');
      const ofOthers = url.startsWith('https://other.example');
      return { status: 200, headers: new Headers(), json: { keys: [(ofOthers ? THEIRS : OURS).jwk] } };
    },
  });
  const verify = createAgentTokenVerifier({ policy, getKeys: keys.getKeys });
  const named = new Set(Object.keys(providers));
  return {
    ...{ keys, reported, clock },
    verify: (token: string, names: ReadonlySet<string> = named) => verify(token, names, clock.now()),
  };
}

async function outcomeOf(verified: ReturnType<ReturnType<typeof open>['verify']>): Promise<unknown> {
  const result = await verified;
  return 'refusal' in result ? result.refusal.reason : result.agent;
}

describe('the provider of a token', () => {
  it('is the one of its issuer, whose keys alone are requested', async () => {
    const { verify } = open({ ours: provider(), theirs: OTHER });
    expect(await outcomeOf(verify(OURS.sign(PAYLOAD)))).toEqual({ provider: 'ours', claims: { sub: 'agents' } });
    expect(requested).toEqual([`${ISSUER}/jwks`]);
  });

  it('is not one that the matching rules do not name', async () => {
    const { verify } = open({ ours: provider(), theirs: OTHER });
    expect(await outcomeOf(verify(OURS.sign(PAYLOAD), new Set(['theirs'])))).toBe('agent_token_algorithm_not_allowed');
    expect(await outcomeOf(verify(OURS.sign(PAYLOAD), new Set(['nobody'])))).toBe('agent_token_algorithm_not_allowed');
    expect(requested).toEqual([]);
  });

  it.each([
    `${ISSUER}/`,
    'https://issuer.example.evil.example',
    'https://ISSUER.example',
    'http://issuer.example',
    'http://169.254.169.254/latest/meta-data',
    'file:///etc/passwd',
    '__proto__',
    'constructor',
    '',
    null,
    7,
    [ISSUER],
    { toString: ISSUER },
  ])('is nobody for the issuer %j, for which nothing is requested', async (iss) => {
    const { verify } = open({ ours: provider() });
    expect(await outcomeOf(verify(OURS.sign({ ...PAYLOAD, iss })))).toBe('agent_token_issuer_wrong');
    expect(requested).toEqual([]);
  });

  it('has two issuers where they differ by a slash: a token of one is none of the other', async () => {
    const slash = { ...OTHER, issuer: `${ISSUER}/` };
    const { verify } = open({ ours: provider(), slash });
    expect(await outcomeOf(verify(OURS.sign(PAYLOAD)))).toMatchObject({ provider: 'ours' });
    const crossed = THEIRS.sign({ ...PAYLOAD, iss: `${ISSUER}/` });
    expect(await outcomeOf(verify(crossed))).toMatchObject({ provider: 'slash' });
    expect(await outcomeOf(verify(OURS.sign({ ...PAYLOAD, iss: `${ISSUER}/` })))).toBe(
      'agent_token_algorithm_not_allowed',
    );
  });

  it('differs from another of its issuer by the audience', async () => {
    const { verify } = open({
      ours: provider(),
      second: provider({ audience: 'second', claims: { id: { at: ['a', 'b'], setBy: 'platform' } } }),
    });
    expect(await outcomeOf(verify(OURS.sign({ ...PAYLOAD, aud: 'second', a: { b: 7 } })))).toEqual({
      ...{ provider: 'second', claims: { id: '7' } },
    });
    expect(await outcomeOf(verify(OURS.sign(PAYLOAD)))).toMatchObject({ provider: 'ours' });
    expect(await outcomeOf(verify(OURS.sign({ ...PAYLOAD, aud: ['second', 'keydesk'] })))).toBe(
      'agent_token_audience_wrong',
    );
  });

  it('does not verify by the key of another, also where both have the key ID and the algorithm', async () => {
    const { verify } = open({ ours: provider({ algorithms: ['RS256', 'ES256'] }), theirs: OTHER });
    expect(await outcomeOf(verify(THEIRS.sign(PAYLOAD)))).toBe('agent_token_signature_invalid');
    expect(requested).toEqual([`${ISSUER}/jwks`]);
  });

  it('that cannot be reached keeps no other from being used', async () => {
    const { verify } = open({ ours: provider(), theirs: OTHER });
    broken = true;
    await expect(verify(OURS.sign(PAYLOAD))).rejects.toMatchObject({ dependency: 'keys of ours' });
    broken = false;
    expect(await outcomeOf(verify(THEIRS.sign({ ...PAYLOAD, iss: OTHER.issuer })))).toMatchObject({
      provider: 'theirs',
    });
  });
});

describe('the keys of providers', () => {
  it('are there for the first request once they were warmed, and a failure to warm them harms nothing', async () => {
    const { keys, verify, clock } = open({ ours: provider(), theirs: OTHER });
    broken = true;
    await keys.warmUp();
    broken = false;
    clock.advance(2000);
    await keys.warmUp();
    expect(requested.toSorted()).toEqual([...Array(2).fill(`${ISSUER}/jwks`), ...Array(2).fill(OTHER.keys)]);
    await verify(OURS.sign(PAYLOAD));
    expect(requested).toHaveLength(4);
  });

  it('are reported by the name of their provider when none is usable', async () => {
    const { verify, reported } = open({ ours: provider({ algorithms: ['ES384'] }) });
    const other = new Signer('ES384', 'ours');
    await expect(verify(other.sign(PAYLOAD))).rejects.toBeInstanceOf(DependencyError);
    expect(reported).toEqual(['keys of ours returned 1 keys, none of them usable']);
  });
});

describe('the claims that are read', () => {
  const at = (...path: readonly string[]) => provider({ claims: { value: { at: path, setBy: 'platform' } } });
  const read = async (path: readonly string[], claims: object) => {
    const outcome = await outcomeOf(open({ ours: at(...path) }).verify(OURS.sign({ ...PAYLOAD, ...claims })));
    return typeof outcome === 'string' ? outcome : (outcome as { claims: { value: string } }).claims.value;
  };

  it.each<[readonly string[], object, string]>([
    [['a'], { a: 'text' }, 'text'],
    [['a'], { a: 0 }, '0'],
    [['a'], { a: -7 }, '-7'],
    [['a'], { a: 739419398126 }, '739419398126'],
    [['a'], { a: true }, 'true'],
    [['a'], { a: false }, 'false'],
    [['https://sts.amazonaws.com/', 'principal_id'], { 'https://sts.amazonaws.com/': { principal_id: 'r' } }, 'r'],
    [['a', 'b', 'c', 'd', 'e'], { a: { b: { c: { d: { e: 'deep' } } } } }, 'deep'],
    [['a.b'], { 'a.b': 'dotted' }, 'dotted'],
    [['a'], { a: ' text ' }, ' text '],
    [['a'], { a: 'x'.repeat(1024) }, 'x'.repeat(1024)],
  ])('at %j in %j are %j', async (path, claims, value) => {
    expect(await read(path, claims)).toBe(value);
  });

  it.each<[readonly string[], object]>([
    [['a', 'b'], { 'a.b': 'x' }],
    [['a', '0'], { a: ['x'] }],
    [['a', 'length'], { a: ['x'] }],
    [['a', 'length'], { a: 'text' }],
    [['toString'], {}],
    [['constructor', 'name'], {}],
    [['__proto__', 'a'], { a: 'x' }],
    [['a', 'constructor'], { a: {} }],
    [['a', 'b'], { a: null }],
    [['a', 'b'], { a: { b: { c: 'x' } } }],
    [['a'], { a: Number.MAX_SAFE_INTEGER + 1 }],
    [['a'], { a: 0.5 }],
    [['a'], { a: 'x\ny' }],
    [['a'], { a: '\u202e'.repeat(0) }],
  ])('are none at %j in %j', async (path, claims) => {
    expect(await read(path, claims)).toBe('agent_token_claim_invalid');
  });

  it('are one of a token and its path alone: whatever it has elsewhere changes nothing', async () => {
    const names = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', 'toString', '0', '');
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, true, 7, 'x', ''),
        fc.array(tie('value')),
        tie('object'),
      ),
      object: fc.dictionary(names, tie('value'), { maxKeys: 4 }),
    })).object;
    const { verify } = open({ ours: at('a', 'b') });
    await fc.assert(
      fc.asyncProperty(json, async (claims) => {
        const text = JSON.stringify({ ...(claims as object), ...PAYLOAD });
        const payload = JSON.parse(text);
        const outcome = await outcomeOf(verify(OURS.sign(payload)));
        const found = new Map(Object.entries(payload)).get('a');
        const members =
          typeof found === 'object' && found !== null && !Array.isArray(found) ? Object.entries(found) : [];
        const value: unknown = new Map(members).get('b');
        const expected =
          ['string', 'number', 'boolean'].includes(typeof value) && value !== '' ? String(value) : undefined;
        expect(outcome).toEqual(
          expected === undefined ? 'agent_token_claim_invalid' : { provider: 'ours', claims: { value: expected } },
        );
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('are nothing where any character of the token differs', async () => {
    const { verify } = open({ ours: provider() });
    const token = OURS.sign(PAYLOAD);
    const letters = 'ABCabc019-_.=+/ \n';
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...letters), async (place, letter) => {
        const changed = `${token.slice(0, place)}${letter}${token.slice(place + 1)}`;
        const outcome = await outcomeOf(verify(changed));
        // Unused bits of the last character of a segment change no byte.
        const sameBytes = changed
          .split('.')
          .map((part) => Buffer.from(part, 'base64url').toString('hex'))
          .join();
        const bytes = token
          .split('.')
          .map((part) => Buffer.from(part, 'base64url').toString('hex'))
          .join();
        if (changed !== token && sameBytes !== bytes) expect(outcome).toEqual(expect.stringMatching(/^agent_token_/));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});
