// Reads the form of a request about an access token: RFC 7009 section 2.1 (revocation) and RFC 7662 section 2.1
// (introspection). `token_type_hint` and all other parameters are ignored: there is one kind of token.

import type { Refusal } from './refusal.ts';

/** The token, or which parameter to fix. The form's values are never repeated. */
export function parseTokenRequest(form: string): { accessToken: string } | { refusal: Refusal } {
  const [token, ...more] = new URLSearchParams(form).getAll('token');
  if (more.length > 0) return { refusal: { reason: 'parameter_repeated', hint: 'token is repeated. Send it once.' } };
  const accessToken = token?.trim();
  return accessToken
    ? { accessToken }
    : { refusal: { reason: 'parameter_missing', hint: 'token is missing: send the access token.' } };
}
