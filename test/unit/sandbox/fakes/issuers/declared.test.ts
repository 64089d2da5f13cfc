// Issuers for the identity providers of any policy: their tokens have what the policy declares, and Keydesk accepts them.

import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DeclaredIssuers, startDeclaredIssuers } from '../../../../../sandbox/fakes/issuers/declared.ts';
import { withFakeIssuers } from '../../../../../sandbox/machines.ts';
import type { IdentityProviders } from '../../../../../shared/core/policy/identity-providers.ts';
import { TestClock } from '../../../../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 10, 30, 12);
const common = { audience: 'https://keydesk.acme.example', maxTokenLifetime: 120 };
const PROVIDERS: IdentityProviders = {
  aws: {
    ...{ ...common, issuer: 'https://one.example', keys: 'https://one.example/keys', algorithms: ['ES384', 'RS256'] },
    claims: {
      role: { at: ['https://sts.amazonaws.com/', 'principal_id'], setBy: 'platform' },
      account: { at: ['https://sts.amazonaws.com/', 'aws_account'], setBy: 'platform' },
      sub: { setBy: 'caller' },
    },
  },
  'of-the-same-issuer': {
    ...{ ...common, audience: 'other', issuer: 'https://one.example', keys: 'https://one.example/keys' },
    ...{ algorithms: ['RS256'], claims: {} },
  },
  alone: {
    ...{ ...common, issuer: 'https://two.example', keys: 'https://two.example/keys', algorithms: ['ES256'] },
    claims: {},
  },
};

let issuers: DeclaredIssuers;
beforeAll(async () => {
  const claimsOf = (provider: string) => (provider === 'aws' ? { role: 'agents' } : {});
  issuers = await startDeclaredIssuers({ providers: PROVIDERS, claimsOf, clock: new TestClock(NOW) });
});
afterAll(() => issuers.close());

const get = async (provider: string, query = '') => {
  const response = await fetch(`${issuers.tokenUrlOf(provider)}${query}`);
  return { status: response.status, text: await response.text() };
};

it.each(Object.keys(PROVIDERS))(
  'a token of %s is signed by the published keys, and lives no longer than it may',
  async (name) => {
    const { issuer, keys } = issuers.addressesOf(name);
    const { text } = await get(name);
    const keySet = createLocalJWKSet((await (await fetch(keys)).json()) as Parameters<typeof createLocalJWKSet>[0]);
    const { audience, algorithms } = PROVIDERS[name] as IdentityProviders[string];
    const verified = await jwtVerify(text, keySet, { issuer, audience, currentDate: new Date(NOW) });
    expect(verified.protectedHeader.alg).toBe(algorithms[0]);
    expect(verified.payload).toMatchObject({ iat: NOW / 1000, exp: NOW / 1000 + 120 });
  },
);

it('it has every declared claim where the policy says, and those that the request names', async () => {
  const { text } = await get('aws', '?account=123456789012');
  expect(decodeJwt(text)).toMatchObject({
    sub: 'sandbox',
    'https://sts.amazonaws.com/': { principal_id: 'agents', aws_account: '123456789012' },
  });
});

it.each([
  ['an undeclared claim', 'aws', '?zone=a', 400],
  ['a provider that the policy does not have', 'gcp', '', 404],
])('%s is refused', async (_, provider, query, status) => {
  expect((await get(provider, query)).status).toBe(status);
});

it('providers of one issuer have one here, and others have others', () => {
  const [aws, same, alone] = Object.keys(PROVIDERS).map((name) => issuers.addressesOf(name));
  expect(same).toEqual(aws);
  expect(alone).not.toEqual(aws);
});

it('the copy of a policy names them, and is otherwise the same', () => {
  const text = `# A comment.\nidentityProviders:\n  alone:\n    issuer: https://two.example\n    keys: https://two.example/keys\n    audience: a\n`;
  const { issuer, keys } = issuers.addressesOf('alone');
  expect(withFakeIssuers(text, ['alone'], issuers)).toBe(
    text.replace('https://two.example/keys', keys).replace('https://two.example', issuer),
  );
});
