// What an exchanged ID token must be before it leaves. Each case changes one thing of a token that may leave.

import { expect, it } from 'vitest';
import { checkIdToken } from '../../../shared/google/id-token.ts';

const UID = `keydesk-${'a'.repeat(40)}`;
const EXPECTED = { project: 'acme-staging', tenant: undefined, uid: UID, grant_id: 'f'.repeat(32), expiresIn: 3600 };
const FIREBASE = { identities: {}, sign_in_provider: 'custom' };
const PAYLOAD = {
  iss: 'https://securetoken.google.com/acme-staging',
  aud: 'acme-staging',
  sub: UID,
  user_id: UID,
  auth_time: 1_790_000_000,
  iat: 1_790_000_000,
  exp: 1_790_003_600,
  keydesk_grant: EXPECTED.grant_id,
  firebase: FIREBASE,
};
const jwt = (payload: unknown) => `e30.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.signature`;
const judged = (changes: object, expected: object = {}) =>
  checkIdToken(jwt({ ...PAYLOAD, ...changes }), { ...EXPECTED, ...expected });
const tenant = (id: unknown) => ({ firebase: { ...FIREBASE, tenant: id } });

it.each([
  ['as Google makes it', {}, {}],
  ['with null for what it has not', { email: null, name: null, ...tenant(null) }, {}],
  ['of a user that was created ahead in the Auth emulator', { email_verified: false }, {}],
  ['without identities', { firebase: { sign_in_provider: 'custom' } }, {}],
  ["with claims of the project's own", { region: 'eu', roles: ['a'] }, {}],
  ['of the tenant that policy names', tenant('ci-x7k2p'), { tenant: 'ci-x7k2p' }],
  ['whose times differ by rounding', { exp: PAYLOAD.exp + 5 }, {}],
])('a token %s may leave', (_, changes, expected) => {
  expect(judged(changes, expected)).toBeUndefined();
});

it('a token whose claim is nested more deeply than JSON is written is one of another project', () => {
  const deep = '['.repeat(20_000) + ']'.repeat(20_000);
  const payload = JSON.stringify({ ...PAYLOAD, aud: 'deep' }).replace('"deep"', deep);
  const token = `e30.${Buffer.from(payload).toString('base64url')}.signature`;
  expect(checkIdToken(token, EXPECTED)).toMatchObject({ fault: 'misconfigured' });
});

it.each([
  ['of another project', { aud: 'acme-production' }, {}, 'aud is "acme-production", not acme-staging'],
  ['for a list of projects', { aud: ['acme-staging'] }, {}, 'aud is a list'],
  ['without a project', { aud: undefined }, {}, 'aud is nothing'],
  [
    'of another issuer',
    { iss: 'https://securetoken.google.com/acme' },
    {},
    'iss is "https://securetoken.google.com/acme"',
  ],
  ['of a tenant where policy names none', tenant('other'), {}, 'firebase.tenant is "other", not absent'],
  ['of another tenant', tenant('other'), { tenant: 'ci-x7k2p' }, 'firebase.tenant is "other", not ci-x7k2p'],
  ['of no tenant where policy names one', {}, { tenant: 'ci-x7k2p' }, 'firebase.tenant is nothing, not ci-x7k2p'],
  [
    'of another sign-in',
    { firebase: { ...FIREBASE, sign_in_provider: 'password' } },
    {},
    'sign_in_provider is "password"',
  ],
  ['without a sign-in', { firebase: { identities: {} } }, {}, 'sign_in_provider is nothing'],
  ['of another grant', { keydesk_grant: 'e'.repeat(32) }, {}, 'keydesk_grant is "eeee'],
  ['without a grant', { keydesk_grant: undefined }, {}, 'keydesk_grant is nothing'],
  ['of another project and with an address', { aud: 'acme', email: 'me@acme.example' }, {}, 'aud is'],
])('a token %s is a fault of the configuration', (_, changes, expected, detail) => {
  expect(judged(changes, expected)).toEqual({ fault: 'misconfigured', detail: expect.stringContaining(detail) });
});

it.each([
  ['an e-mail address', { email: 'me@attacker.example' }, ['email']],
  ['an empty e-mail address', { email: '' }, ['email']],
  ['a verified address', { email: 'me@a.example', email_verified: true }, ['email', 'email_verified']],
  ['a verification without an address', { email_verified: true }, ['email_verified']],
  ['a phone number', { phone_number: '+15550100' }, ['phone_number']],
  ['a name', { name: 'Somebody' }, ['name']],
  ['a picture', { picture: 'https://a.example/p' }, ['picture']],
  [
    'an identity',
    { firebase: { ...FIREBASE, identities: { email: ['me@a.example'] } } },
    ['firebase.identities.email'],
  ],
  [
    "another provider's identity",
    { firebase: { ...FIREBASE, identities: { 'google.com': [] } } },
    ['firebase.identities.google.com'],
  ],
  ['another user', { sub: 'somebody' }, ['sub']],
  ['another user_id', { user_id: 'somebody' }, ['user_id']],
  ['no user_id', { user_id: undefined }, ['user_id']],
])('a token with %s shows that somebody changed the user, and names claims only', (_, changes, found) => {
  expect(judged(changes)).toEqual({ fault: 'changed', found });
});

it.each([
  ['no JWT', 'text'],
  ['two parts', 'e30.e30'],
  ['no JSON', 'e30.bm90IGpzb24.x'],
  ['a list', jwt([])],
  ['no Firebase claims', jwt({ ...PAYLOAD, firebase: undefined })],
  ['an end that is text', jwt({ ...PAYLOAD, exp: 'soon' })],
  ['another lifetime than said', jwt({ ...PAYLOAD, exp: PAYLOAD.exp + 86_400 })],
  ['a shorter lifetime than said', jwt({ ...PAYLOAD, exp: PAYLOAD.iat + 60 })],
])('something with %s is no token to let out', (_, idToken) => {
  expect(checkIdToken(idToken, EXPECTED)).toEqual({ fault: 'unexpected', detail: expect.any(String) });
});
