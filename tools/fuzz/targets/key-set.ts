import { createPublicKey, type KeyObject } from 'node:crypto';
import { JwksCache } from '../../../shared/oidc/jwks-cache.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { membersOf, parseJson } from '../independent/json.ts';
import { CLOCK, KEYS } from '../independent/setting.ts';
import { demand, type Target } from '../target.ts';

const MODULI = Object.entries(KEYS).map(
  ([name, { publicKey }]) => [`$${name}`, String(publicKey.export({ format: 'jwk' }).n)] as const,
);
const key = (more: object) => ({ kty: 'RSA', kid: 'a', use: 'sig', alg: 'RS256', n: '$a', e: 'AQAB', ...more });
const seed = (status: number, json: unknown) => `${status}\n${JSON.stringify(json)}`;

export const target: Target = {
  claim:
    'The response of an issuer with its key set, with $a and $b in place of moduli: a key that is used is RSA for RS256 signatures, of 2048 bits or more, as node:crypto reads it.',
  files: ['shared/oidc/jwks-cache.ts'],
  seeds: [
    seed(200, { keys: [key({}), key({ kid: 'b', n: '$b' })] }),
    seed(200, {
      keys: [key({ key_ops: ['verify'] }), key({ e: 'AQ' }), key({ use: 'enc' }), key({ alg: 'PS256' }), 7],
    }),
    seed(200, { keys: [key({ n: 'AAAA' }), { kty: 'EC', kid: 'c', crv: 'P-256', x: 'a', y: 'b' }] }),
    seed(200, { keys: [key({}), key({ n: '$b' }), key({ n: '$unlisted', use: null, alg: null })] }),
    seed(503, {}),
  ],
  run: async (input) => {
    const [status = '', ...lines] = input.toString('utf8').split('\n');
    const text = MODULI.reduce((all, [name, modulus]) => all.replaceAll(name, modulus), lines.join('\n'));
    const json = parseJson(text);
    const ids = new Set(JSON.stringify(json ?? null).match(/(?<="kid":")[^"\\]+/g) ?? []);
    const code = Number(status) || 0;
    for (const kid of ['a', 'b', ...[...ids].slice(0, 4)]) {
      const found = await keysOf(code, json, kid);
      const expected = usableKeys(json, kid);
      demand(found.length <= 4, 'four keys of one id at most');
      for (const modulus of found) demand(expected.includes(modulus), `node:crypto has the key of ${kid} too`);
      demand(code === 200 || found.length === 0, 'an error has no keys');
      const few = Array.isArray(membersOf(json).keys) && (membersOf(json).keys as unknown[]).length <= 4;
      demand(code !== 200 || !few || found.length === new Set(expected).size, 'no usable key is left out');
    }
  },
};

/** The moduli of the keys of an id. */
async function keysOf(status: number, json: unknown, kid: string): Promise<string[]> {
  const cache = new JwksCache({
    algorithms: ['RS256'],
    url: 'https://issuer.example/jwks',
    sendRequest: async () => ({ status, headers: new Headers(), json }),
    clock: CLOCK,
    onUnusable: ({ detail }) => demand(detail.length < 200, 'what is reported is short'),
  });
  try {
    const found = await cache.getKeys(kid);
    if (found.outcome !== 'found') return [];
    return found.keys.map((one) => String(one.key.export({ format: 'jwk' }).n));
  } catch (error) {
    demand(DependencyError.is(error), `a failure is of the issuer: ${error}`);
    return [];
  }
}

function usableKeys(json: unknown, kid: string): string[] {
  const { keys } = membersOf(json);
  if (!Array.isArray(keys)) return [];
  return keys.map(membersOf).flatMap((one) => {
    const { kty, use, alg, key_ops, n, e } = one;
    if (kty !== 'RSA' || one.kid !== kid || typeof n !== 'string' || typeof e !== 'string') return [];
    if ((use ?? 'sig') !== 'sig' || (alg ?? 'RS256') !== 'RS256') return [];
    if (key_ops != null && !(Array.isArray(key_ops) && key_ops.includes('verify'))) return [];
    const [modulus, exponent] = [n, e].map(numberOf) as [bigint, bigint];
    if (modulus % 2n === 0n || exponent % 2n === 0n || exponent < 3n || modulus < 2n ** 2047n) return [];
    return importable(modulus, exponent) ? [urlOf(modulus)] : [];
  });
}

function importable(modulus: bigint, exponent: bigint): KeyObject | undefined {
  try {
    return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: urlOf(modulus), e: urlOf(exponent) } });
  } catch {
    return undefined;
  }
}

function numberOf(base64url: string): bigint {
  return BigInt(`0x0${Buffer.from(base64url, 'base64url').toString('hex')}`);
}

function urlOf(number: bigint): string {
  const hex = number.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}
