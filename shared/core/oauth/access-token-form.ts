// The form of the access tokens that Keydesk issues. A token of another form is not looked up.
// Sources: developers.google.com/identity/protocols/oauth2 ("Token size"); RFC 7519 section 3 (ID tokens).

import * as z from 'zod';

/** Google's access tokens: `ya29.c.`, `ya29.d.` and others. The characters are those of RFC 6750 section 2.1. */
const GOOGLE_ACCESS_TOKEN = /^ya29\.[A-Za-z0-9._~+/=-]{16,}$/;
/** The Firebase Auth emulator leaves the signature empty. */
const JWT = /^eyJ[A-Za-z0-9_-]+\.(eyJ[A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*$/;
const LONGEST = 12 * 1024;

const idTokenPayload = z.object({ keydesk_grant: z.string().regex(/^[0-9a-f]{32}$/) });

/**
 * Whether the text has the form of a token that Keydesk issues: a Google access token, or a Firebase ID token that names a
 * grant. It says nothing about whether the token is real.
 */
export function hasFormOfIssuedToken(text: string): boolean {
  if (text.length > LONGEST) return false;
  if (GOOGLE_ACCESS_TOKEN.test(text)) return true;
  const payload = JWT.exec(text)?.[1];
  if (payload === undefined) return false;
  try {
    return idTokenPayload.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))).success;
  } catch {
    return false;
  }
}
