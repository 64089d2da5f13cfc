import { createCallerVerifier } from '../../../shared/google/caller.ts';
import { JwksCache } from '../../../shared/oidc/jwks-cache.ts';
import { CLOCK, KEY_SET, KEYS, NOW, PUBLISHED, respondingWith, SECONDS } from '../independent/setting.ts';
import { type Claims, signAs, verifySigned } from '../independent/signed-token.ts';
import { demandEqual, type Target } from '../target.ts';

const AUDIENCES = ['https://reader.acme.example', '32555940559.apps.googleusercontent.com'];
const HEADER = '{"alg":"RS256","kid":"a","typ":"JWT"}';
const PAYLOAD = {
  ...{ iss: 'https://accounts.google.com', aud: AUDIENCES[0], iat: SECONDS - 5, exp: SECONDS + 3600 },
  ...{ email: 'ops@acme.example', email_verified: true, sub: '1' },
};
const seed = (more: object, how = 'a', header = HEADER) =>
  `${header}\n${JSON.stringify({ ...PAYLOAD, ...more })}\n${how}`;

const keys = new JwksCache({
  algorithms: ['RS256'],
  url: 'https://www.googleapis.com/oauth2/v3/certs',
  sendRequest: respondingWith(200, KEY_SET),
  clock: CLOCK,
  onUnusable: () => {},
});
const verifyCaller = createCallerVerifier({ audiences: AUDIENCES, getKeys: keys.getKeys });

export const target: Target = {
  claim:
    "An operator's ID token, by its header, payload and way of signing: the actor is the e-mail address that a second verifier reads, or nobody.",
  files: ['shared/google/caller.ts', 'shared/oidc/signed-token.ts'],
  seeds: [
    seed({}),
    seed({ aud: AUDIENCES[1], iss: 'accounts.google.com' }, 'b', HEADER.replace('"a"', '"b"')),
    seed({ exp: SECONDS - 11 }),
    seed({ iat: SECONDS + 91 }),
    seed({ email_verified: 'true' }),
    seed({ email: '' }),
    seed({ aud: AUDIENCES }),
    seed({}, 'unlisted'),
    seed({}, 'a hmac'),
  ],
  run: async (input) => {
    const [header = '', payload = '', how = ''] = input.toString('latin1').split('\n');
    const signed = [header, payload].map((text) => Buffer.from(text, 'latin1').toString('base64url')).join('.');
    const idToken = `${signed}.${signAs(how, signed, KEYS).toString('base64url')}`;
    const caller = await verifyCaller(idToken, NOW);
    const claims = verifySigned(idToken, (kid) => (PUBLISHED.includes(kid) && KEYS[kid] ? [KEYS[kid].publicKey] : []));
    demandEqual('email' in caller ? caller.email : null, (claims && emailOf(claims)) ?? null, 'who calls');
  },
};

function emailOf({ iss, aud, exp, iat, email, email_verified }: Claims): string | undefined {
  if (iss !== 'https://accounts.google.com' && iss !== 'accounts.google.com') return undefined;
  if (typeof aud !== 'string' || !AUDIENCES.includes(aud)) return undefined;
  if (!Number.isSafeInteger(exp) || Number(exp) + 10 <= SECONDS) return undefined;
  if (!Number.isSafeInteger(iat) || Number(iat) > SECONDS + 90) return undefined;
  return email_verified === true && typeof email === 'string' && email !== '' ? email : undefined;
}
