// Who calls reader or admin: only a token with Google's signature, for this function, with a verified address, counts.

import { generateKeyPairSync } from 'node:crypto';
import { type CryptoKey, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createCallerVerifier } from '../../../shared/google/caller.ts';
import type { GetKeys } from '../../../shared/oidc/jwks-cache.ts';

const NOW = Date.UTC(2026, 10, 24, 12);
const URL = 'https://keydesk-reader-1.europe-west1.run.app';
const GCLOUD = '32555940559.apps.googleusercontent.com';
const google = generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

const getKeys: GetKeys = async (kid) => {
  if (kid === 'asked') return { outcome: 'asked_recently', retryAfter: 7 };
  if (kid !== 'google') return { outcome: 'unknown' };
  return { outcome: 'found', keys: [{ algorithm: 'RS256', key: google.publicKey }] };
};
const verify = createCallerVerifier({ audiences: [URL, GCLOUD], getKeys });

const CLAIMS = {
  iss: 'https://accounts.google.com',
  aud: GCLOUD,
  email: 'alice@acme.example',
  email_verified: true as unknown,
  iat: NOW / 1000 - 60,
  exp: NOW / 1000 + 3540,
};
const sign = (changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}, pair = google) => {
  const claims = Object.entries({ ...CLAIMS, ...changes }).filter(([, value]) => value !== undefined);
  return new SignJWT(Object.fromEntries(claims))
    .setProtectedHeader({ alg: 'RS256', kid: 'google', ...header })
    .sign(pair.privateKey as unknown as CryptoKey);
};
const replaceSignature = (token: string, signature: string) => [...token.split('.').slice(0, 2), signature].join('.');

describe('the caller of a private function', () => {
  it.each([
    ['gcloud', GCLOUD],
    ["the function's URL", URL],
  ])('is the e-mail address of a token for %s', async (_, aud) => {
    expect(await verify(await sign({ aud }), NOW)).toEqual({ email: 'alice@acme.example' });
  });

  it.each<[string, () => Promise<string> | string, string]>([
    ['no token', () => '', 'missing'],
    ['something else than a token', () => 'alice@acme.example', 'not_verified'],
    ['a token of a stranger', () => sign({}, {}, stranger), 'not_verified'],
    [
      'a token whose signature Cloud Run removed',
      async () => replaceSignature(await sign(), 'SIGNATURE_REMOVED_BY_GOOGLE'),
      'not_verified',
    ],
    ['a token without a signature', async () => replaceSignature(await sign(), ''), 'not_verified'],
    ['another key', () => sign({}, { kid: 'other' }), 'not_verified'],
    ['a header that is not allowed', () => sign({}, { jku: 'https://evil.example' }), 'not_verified'],
    ['another issuer', () => sign({ iss: 'https://securetoken.google.com/acme' }), 'not_verified'],
    ['an issuer that ends as Google does', () => sign({ iss: 'https://evil.accounts.google.com' }), 'not_verified'],
    ['a key id that was looked up recently', () => sign({}, { kid: 'asked' }), 'keys_asked_recently'],
    ['another audience', () => sign({ aud: 'https://evil.example' }), 'audience_wrong'],
    ['a list of audiences', () => sign({ aud: [URL, GCLOUD] }), 'audience_wrong'],
    ['a token that has expired', () => sign({ exp: NOW / 1000 - 10 }), 'expired'],
    ['a token that never expires', () => sign({ exp: undefined }), 'expired'],
    ['a token of the future', () => sign({ iat: NOW / 1000 + 91 }), 'not_yet_valid'],
    ['a token that does not say when it was made', () => sign({ iat: undefined }), 'not_yet_valid'],
    ['a token without an address', () => sign({ email: undefined }), 'email_missing'],
    ['an address that is not verified', () => sign({ email_verified: false }), 'email_not_verified'],
    ['an address without a word about it', () => sign({ email_verified: undefined }), 'email_not_verified'],
    ['text in place of true', () => sign({ email_verified: 'true' }), 'email_not_verified'],
  ])('is nobody by %s', async (_, token, problem) => {
    expect(await verify(await token(), NOW)).toMatchObject({ problem });
  });

  it('has ten seconds after the end of the token, and 90 for a clock that is ahead', async () => {
    expect(await verify(await sign({ exp: NOW / 1000 - 9 }), NOW)).toHaveProperty('email');
    expect(await verify(await sign({ iat: NOW / 1000 + 90 }), NOW)).toHaveProperty('email');
  });
});
