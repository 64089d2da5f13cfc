import { createJobTokenVerifier } from '../../../shared/buildkite/job-token.ts';
import { claimFields } from '../../../shared/core/policy/claims.ts';
import { JwksCache } from '../../../shared/oidc/jwks-cache.ts';
import { acceptedClaims } from '../independent/job-claims.ts';
import {
  AUDIENCE,
  CLOCK,
  ISSUER,
  KEY_SET,
  KEYS,
  MAX_LIFETIME,
  NOW,
  ORGANIZATION,
  PAYLOAD,
  PUBLISHED,
  respondingWith,
  SECONDS,
} from '../independent/setting.ts';
import { signAs, verifySigned } from '../independent/signed-token.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const HEADER = { alg: 'RS256', kid: 'a', typ: 'JWT' };
const line = (value: unknown) => JSON.stringify(value);

const keys = new JwksCache({
  algorithms: ['RS256'],
  url: `${ISSUER}/.well-known/jwks`,
  sendRequest: respondingWith(200, KEY_SET),
  clock: CLOCK,
  onUnusable: () => {},
});
const verifyJobToken = createJobTokenVerifier({
  issuer: ISSUER,
  policy: { audience: AUDIENCE, organization: ORGANIZATION, maxJobTokenLifetime: MAX_LIFETIME },
  getKeys: keys.getKeys,
});

export const target: Target = {
  claim:
    'A job token, by its header, payload, way of signing and a part of the text to replace: it is accepted if and only if a second verifier accepts it, with the same claims.',
  files: [
    'shared/buildkite/job-token.ts',
    'shared/oidc/acceptance.ts',
    'shared/oidc/signed-token.ts',
    'shared/core/policy/claims.ts',
    'shared/core/oauth/refusal.ts',
  ],
  seeds: [
    `${line(HEADER)}\n${line(PAYLOAD)}\na`,
    `${line({ ...HEADER, kid: 'b' })}\n${line({ ...PAYLOAD, exp: SECONDS + 7200, organization_id: undefined })}\nb`,
    `${line(HEADER)}\n${line({ ...PAYLOAD, exp: SECONDS - 60 })}\na`,
    `${line(HEADER)}\n${line({ ...PAYLOAD, aud: 'https://other.example' })}\na`,
    `${line({ ...HEADER, alg: 'HS256' })}\n${line(PAYLOAD)}\na hmac`,
    `${line({ ...HEADER, alg: 'none' })}\n${line(PAYLOAD)}\nnone`,
    `${line({ ...HEADER, jwk: KEY_SET.keys[0] && {} })}\n${line(PAYLOAD)}\nunlisted`,
    `${line(HEADER)}\n${line(PAYLOAD)}\na pss`,
    `${line(HEADER)}\n${line({ ...PAYLOAD, aud: `${AUDIENCE}/` })}\na`,
    `${line(HEADER)}\n${line({ ...PAYLOAD, aud: [AUDIENCE] })}\na`,
    `${line({ ...HEADER, kid: 'b' })}\n${line(PAYLOAD)}\nunlisted`,
    `${line(HEADER)}\n${line(PAYLOAD)}\na\n20 A`,
    `${line(HEADER)}\n${line({ ...PAYLOAD, iat: SECONDS + 61, nbf: SECONDS + 61 })}\na`,
  ],
  run: async (input) => {
    const jobToken = tokenOf(input);
    const verified = await verifyJobToken(jobToken, NOW);
    const claims = verifySigned(jobToken, (kid) => (PUBLISHED.includes(kid) && KEYS[kid] ? [KEYS[kid].publicKey] : []));
    const expected = claims && acceptedClaims(claims, EXPECTED);
    if ('claims' in verified) {
      demand(expected !== undefined, 'the second verifier accepts it too');
      demandEqual(claimFields(verified.claims), expected, 'both read the same claims');
      return;
    }
    demand(expected === undefined, `the second verifier refuses it too, and not only for ${verified.refusal.reason}`);
    const said = JSON.stringify(verified.refusal);
    demand(said.length < 1000, 'the refusal is short');
    demand(/^[\x20-\x7e]*$/.test(said), 'the refusal is printable ASCII');
    const signature = jobToken.split('.')[2] ?? '';
    demand(signature.length < 20 || !said.includes(signature), 'the refusal does not repeat the signature');
  },
};

const EXPECTED = {
  issuer: ISSUER,
  audience: AUDIENCE,
  organization: ORGANIZATION,
  maxLifetime: MAX_LIFETIME,
  now: SECONDS,
};

/** The lines of an input: header, payload, how to sign, and at which character to write what. */
function tokenOf(input: Buffer): string {
  const lines = input.toString('latin1').split('\n');
  const [header = '', payload = '', how = 'a', edit = ''] = lines;
  const signed = [header, payload].map((text) => Buffer.from(text, 'latin1').toString('base64url')).join('.');
  const token = `${signed}.${signAs(how, signed, KEYS).toString('base64url')}`;
  const [, at, text = ''] = /^(\d{1,5}) (.*)$/s.exec(edit) ?? [];
  if (at === undefined) return token;
  const place = Number(at) % (token.length + 1);
  return token.slice(0, place) + text + token.slice(place + text.length);
}
