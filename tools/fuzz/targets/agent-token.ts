import { createPublicKey } from 'node:crypto';
import { newPrivateKey, signAs } from '../../../sandbox/fakes/issuers/signer.ts';
import { identityProvidersSchema } from '../../../shared/core/policy/identity-providers.ts';
import { createAgentTokenVerifier } from '../../../shared/identity-providers/agent-token.ts';
import { createProviderKeys } from '../../../shared/identity-providers/provider-keys.ts';
import { acceptedAgent, type ExpectedProvider } from '../independent/agent-claims.ts';
import { CLOCK, NOW, SECONDS } from '../independent/setting.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const line = (value: unknown) => JSON.stringify(value);
/** All have the key ID `k`, and the fourth is nobody's. */
const KEYS = {
  r: ['RS256', newPrivateKey('RS256')],
  e: ['ES256', newPrivateKey('ES256')],
  f: ['ES384', newPrivateKey('ES384')],
  u: ['ES256', newPrivateKey('ES256')],
} as const;
const publicKey = (name: keyof typeof KEYS) => createPublicKey(KEYS[name][1]);

const AWS = 'https://a1.tokens.sts.global.api.aws';
const PROVIDERS: Readonly<Record<string, ExpectedProvider>> = {
  aws: {
    ...{ issuer: AWS, audience: 'keydesk', algorithm: 'ES384', keys: { k: publicKey('f') }, maxLifetime: 3600 },
    claims: { role: ['https://sts.amazonaws.com/', 'principal_id'], queue: ['https://sts.amazonaws.com/', 'q', 'w'] },
  },
  google: {
    ...{ issuer: 'https://accounts.google.com', audience: 'keydesk', algorithm: 'RS256', keys: { k: publicKey('r') } },
    ...{ maxLifetime: 3600, claims: { project: ['google', 'compute_engine', 'project_id'], number: ['n'] } },
  },
  slash: {
    ...{ issuer: `${AWS}/`, audience: 'keydesk', algorithm: 'ES256', keys: { k: publicKey('e') } },
    // Lists have a length that is no member of theirs.
    ...{ maxLifetime: 600, claims: { sub: ['sub'], size: ['list', 'length'] } },
  },
  second: {
    ...{ issuer: 'https://accounts.google.com', audience: 'other', algorithm: 'RS256', keys: { k: publicKey('r') } },
    ...{ maxLifetime: 600, claims: { sub: ['sub'] } },
  },
};

const policy = {
  identityProviders: identityProvidersSchema.parse(
    Object.fromEntries(
      Object.entries(PROVIDERS).map(([name, { issuer, audience, algorithm, maxLifetime, claims }]) => [
        name,
        {
          ...{ issuer, audience, algorithms: [algorithm], maxTokenLifetime: `${maxLifetime}s` },
          keys: `https://keys.example/${name}`,
          claims: Object.fromEntries(Object.entries(claims).map(([claim, at]) => [claim, { at, setBy: 'platform' }])),
        },
      ]),
    ),
  ),
};
const keys = createProviderKeys({
  ...{ policy, clock: CLOCK, onUnusable: () => {} },
  sendRequest: async ({ url }) => {
    const provider = PROVIDERS[url.slice('https://keys.example/'.length)];
    demand(provider !== undefined, 'keys are requested at addresses of the policy alone');
    const jwk = { ...provider.keys.k?.export({ format: 'jwk' }), kid: 'k', use: 'sig' };
    return { status: 200, headers: new Headers(), json: { keys: [jwk] } };
  },
});
const verifyAgentToken = createAgentTokenVerifier({ policy, getKeys: keys.getKeys });
const NAMES = new Set(Object.keys(PROVIDERS));

const times = { iat: SECONDS - 10, exp: SECONDS + 290 };
const OF_AWS = {
  ...{ iss: AWS, aud: 'keydesk', sub: 'x', ...times },
  'https://sts.amazonaws.com/': { principal_id: 'arn:aws:iam::1:role/a', q: { w: 'deploy' } },
};
const OF_GOOGLE = {
  ...{ iss: 'https://accounts.google.com', aud: 'keydesk', ...times, n: 7 },
  google: { compute_engine: { project_id: 'acme' } },
};
const SHORT = { aud: 'keydesk', sub: 'x', nbf: SECONDS, list: { length: 1 }, ...times };

export const target: Target = {
  claim:
    "A machine's token, by its header, payload, key (r, e, f, u) and a part of the text to replace: it is accepted if and only if a second verifier accepts it, with the same provider and claims.",
  files: ['shared/identity-providers/agent-token.ts', 'shared/oidc/signed-token.ts', 'shared/oidc/acceptance.ts'],
  seeds: [
    `${line({ alg: 'ES384', kid: 'k', typ: 'JWT' })}\n${line(OF_AWS)}\nf`,
    `${line({ alg: 'RS256', kid: 'k' })}\n${line(OF_GOOGLE)}\nr`,
    `${line({ alg: 'ES256', kid: 'k' })}\n${line({ ...SHORT, iss: `${AWS}/`, aud: ['keydesk'] })}\ne`,
    `${line({ alg: 'RS256', kid: 'k' })}\n${line({ ...SHORT, iss: 'https://accounts.google.com', aud: 'other' })}\nr`,
    `${line({ alg: 'ES256', kid: 'k' })}\n${line({ ...SHORT, iss: `${AWS}/` })}\nu`,
    `${line({ alg: 'ES256', kid: 'k' })}\n${line({ ...SHORT, iss: `${AWS}/`, list: ['x'] })}\ne`,
    `${line({ alg: 'ES256', kid: 'k' })}\n${line(OF_AWS)}\ne`,
    `${line({ alg: 'RS256', kid: 'k' })}\n${line({ ...OF_GOOGLE, aud: ['keydesk', 'other'] })}\nr`,
    `${line({ alg: 'RS256', kid: 'k' })}\n${line({ ...OF_GOOGLE, google: { __proto__: null, compute_engine: [] } })}\nr`,
    `${line({ alg: 'RS256', kid: 'k' })}\n${line(OF_GOOGLE).replace('"google"', '"__proto__"')}\nr`,
    `${line({ alg: 'RS256', kid: 'k' })}\n${line({ ...OF_GOOGLE, n: true, exp: SECONDS + 4000 })}\nr`,
    `${line({ alg: 'RS256', kid: 'k' })}\n${line({ ...OF_GOOGLE, n: 0.5, nbf: null })}\nr`,
    `${line({ alg: 'ES384', kid: 'k' })}\n${line({ ...OF_AWS, iat: SECONDS + 91 })}\nf\n20 A`,
    `${line({ alg: 'RS256', kid: 'k' })}\n${line({ ...OF_GOOGLE, iss: 'https://accounts.google.com.evil.example' })}\nr`,
  ],
  run: async (input) => {
    const token = tokenOf(input);
    const verified = await verifyAgentToken(token, NAMES, NOW);
    const expected = acceptedAgent(token, PROVIDERS, SECONDS);
    if ('agent' in verified) {
      demand(expected !== undefined, 'the second verifier accepts it too');
      demandEqual(verified.agent, expected, 'both read the same claims');
      return;
    }
    demand(expected === undefined, `the second verifier refuses it too, and not only for ${verified.refusal.reason}`);
    const said = JSON.stringify(verified.refusal);
    demand(said.length < 1000, 'the refusal is short');
    demand(/^[\x20-\x7e]*$/.test(said), 'the refusal is printable ASCII');
    const signature = token.split('.')[2] ?? '';
    demand(signature.length < 20 || !said.includes(signature), 'the refusal does not repeat the signature');
  },
};

/** The lines of an input: header, payload, the key that signs by its own algorithm, and at which character to write what. */
function tokenOf(input: Buffer): string {
  const [header = '', payload = '', name = '', edit = ''] = input.toString('latin1').split('\n');
  const signed = [header, payload].map((text) => Buffer.from(text, 'latin1').toString('base64url')).join('.');
  const [algorithm, key] = KEYS[name in KEYS ? (name as keyof typeof KEYS) : 'r'];
  const token = `${signed}.${signAs(algorithm, key, signed).toString('base64url')}`;
  const [, at, text = ''] = /^(\d{1,5}) (.*)$/s.exec(edit) ?? [];
  if (at === undefined) return token;
  const place = Number(at) % (token.length + 1);
  return token.slice(0, place) + text + token.slice(place + text.length);
}
