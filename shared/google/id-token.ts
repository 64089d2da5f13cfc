// Judges the Firebase ID token that Google returns for a custom token, before it leaves the service. The signature is not
// verified: the token came from Google itself, over TLS, in the response to our own request.
// Source: firebase.google.com/docs/auth/admin/verify-id-tokens (claims); firebase.google.com/docs/rules/rules-and-auth.

import * as z from 'zod';

export interface ExpectedIdToken {
  /** The project whose users the token is for. */
  readonly project: string;
  /** The Identity Platform tenant; undefined for the project's own users. */
  readonly tenant: string | undefined;
  readonly uid: string;
  readonly grant_id: string;
  /** Seconds, as the response says next to the token. */
  readonly expiresIn: number;
}

export type IdTokenFault =
  /** It is no ID token, or does not agree with the response it came in. */
  | { readonly fault: 'unexpected'; readonly detail: string }
  /** Policy and the Firebase project do not fit together. No retry changes that. */
  | { readonly fault: 'misconfigured'; readonly detail: string }
  /** Somebody changed the user; `found` names the claims that show it, never their values. */
  | { readonly fault: 'changed'; readonly found: readonly string[] };

/** Google's clock sets both times, so they may differ by rounding only. In seconds. */
const LIFETIME_MARGIN = 5;

/** Judged by what it must be, so a claim of another type is a wrong claim and no unreadable token. */
const claim = z.unknown().optional();
const payloadSchema = z.object({
  aud: claim,
  iss: claim,
  sub: claim,
  user_id: claim,
  iat: z.number(),
  exp: z.number(),
  keydesk_grant: claim,
  email: claim,
  email_verified: claim,
  phone_number: claim,
  name: claim,
  picture: claim,
  firebase: z.object({
    sign_in_provider: claim,
    tenant: claim,
    identities: z.record(z.string(), z.unknown()).nullish(),
  }),
});
type Payload = z.output<typeof payloadSchema>;

/** What keeps the token from leaving; undefined when nothing does. */
export function checkIdToken(idToken: string, expected: ExpectedIdToken): IdTokenFault | undefined {
  const payload = payloadSchema.safeParse(decodePayload(idToken));
  if (!payload.success) return { fault: 'unexpected', detail: 'returned something that is no Firebase ID token' };
  return misconfiguration(payload.data, expected) ?? change(payload.data, expected) ?? lifetime(payload.data, expected);
}

function misconfiguration(payload: Payload, { project, tenant, grant_id }: ExpectedIdToken): IdTokenFault | undefined {
  const { sign_in_provider } = payload.firebase;
  const issuer = `https://securetoken.google.com/${project}`;
  const problems = [
    differs('aud', payload.aud, project, "policy's apiKey and signer must be of the database's project"),
    differs('iss', payload.iss, issuer, "policy's apiKey and signer must be of the database's project"),
    differs('firebase.tenant', payload.firebase.tenant ?? undefined, tenant, "policy's tenant must be the token's"),
    differs('firebase.sign_in_provider', sign_in_provider, 'custom', 'nothing may change how its users sign in'),
    differs('keydesk_grant', payload.keydesk_grant, grant_id, 'no blocking function may change this claim'),
  ];
  const detail = problems.find((problem) => problem !== undefined);
  return detail === undefined ? undefined : { fault: 'misconfigured', detail };
}

function differs(claim: string, found: unknown, wanted: string | undefined, advice: string): string | undefined {
  if (found === wanted) return undefined;
  const shown = found === undefined ? 'nothing' : describe(found);
  return `the ID token's ${claim} is ${shown}, not ${wanted ?? 'absent'}: ${advice}`;
}

/** Lists and objects are named and not shown: they may be nested more deeply than JSON.stringify goes. */
function describe(found: unknown): string {
  if (Array.isArray(found)) return 'a list';
  return typeof found === 'object' && found !== null ? 'an object' : JSON.stringify(found).slice(0, 100);
}

/**
 * `email_verified: false` without an address says nothing: a user that was created ahead carries it in the Auth emulator,
 * and whether it does at Google is not documented.
 */
function change(payload: Payload, { uid }: ExpectedIdToken): IdTokenFault | undefined {
  const found = (['email', 'phone_number', 'name', 'picture'] as const).filter((claim) => isThere(payload[claim]));
  const more = [
    ...(payload.sub === uid ? [] : ['sub']),
    ...(payload.user_id === uid ? [] : ['user_id']),
    ...(isThere(payload.email_verified) && payload.email_verified !== false ? ['email_verified'] : []),
    ...Object.keys(payload.firebase.identities ?? {}).map((kind) => `firebase.identities.${kind.slice(0, 64)}`),
  ];
  return found.length + more.length === 0 ? undefined : { fault: 'changed', found: [...found, ...more] };
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function lifetime({ iat, exp }: Payload, { expiresIn }: ExpectedIdToken): IdTokenFault | undefined {
  if (Math.abs(exp - iat - expiresIn) <= LIFETIME_MARGIN) return undefined;
  return { fault: 'unexpected', detail: `returned a token of ${exp - iat} s and said ${expiresIn} s` };
}

function decodePayload(jwt: string): unknown {
  const [, payload, ...more] = jwt.split('.');
  if (payload === undefined || more.length !== 1) return undefined;
  try {
    return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
