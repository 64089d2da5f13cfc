// Why Identity Toolkit refuses a sign-in with a custom token, by the codes that it sends, and what becomes of it.
// Sources: docs.cloud.google.com/identity-platform/docs/error-codes; firebase.google.com/docs/auth/limits;
// docs.cloud.google.com/identity-platform/docs/blocking-functions.

import * as z from 'zod';
import type { OutgoingAnswer } from '../outgoing.ts';
import { Unavailable } from '../unavailable.ts';

export const SIGN_IN = 'identitytoolkit signInWithCustomToken';
/** Seconds. Google's limits on sign-ups are per hour, and no retry helps against a wrong configuration. */
const RETRY_IN_MINUTES = 300;

const NEW_USERS =
  'Google limits new users by sign-in to 100 an hour and IP address; "npm run users" creates them ahead without that limit';
const LIMITS: Readonly<Record<string, string>> = {
  TOO_MANY_ATTEMPTS_TRY_LATER: NEW_USERS,
  QUOTA_EXCEEDED: NEW_USERS,
  RESOURCE_EXHAUSTED: NEW_USERS,
};

const KEY = "policy's apiKey must be a key of the database's project that may call Identity Toolkit from a server";
const TENANT = "policy's tenant must exist in the database's project, and the project must allow tenants";
const SIGN_UP = 'the project lets no new user sign in: create the users ahead with "npm run users"';
/** What nobody but an administrator of the Firebase project, or a change of policy, can mend. */
const PERMANENT: Readonly<Record<string, string>> = {
  CONFIGURATION_NOT_FOUND: 'Firebase Authentication was never initialized in the project',
  PROJECT_NOT_FOUND: KEY,
  PROJECT_DISABLED: 'sign-in is disabled in the project or the tenant',
  INVALID_CUSTOM_TOKEN: "policy's signer must be a service account of the project whose apiKey policy names",
  CREDENTIAL_MISMATCH: "policy's signer must be a service account of the project whose apiKey policy names",
  TENANT_ID_MISMATCH: TENANT,
  INVALID_TENANT_ID: TENANT,
  TENANT_NOT_FOUND: TENANT,
  UNSUPPORTED_TENANT_OPERATION: TENANT,
  ADMIN_ONLY_OPERATION: SIGN_UP,
  OPERATION_NOT_ALLOWED: SIGN_UP,
  BLOCKING_FUNCTION_ERROR_RESPONSE: "one of the project's blocking functions refused the sign-in",
  API_KEY_INVALID: KEY,
  API_KEY_SERVICE_BLOCKED: KEY,
  API_KEY_HTTP_REFERRER_BLOCKED: KEY,
  API_KEY_IP_ADDRESS_BLOCKED: KEY,
  API_KEY_ANDROID_APP_BLOCKED: KEY,
  API_KEY_IOS_APP_BLOCKED: KEY,
  'Firebase App Check token is invalid.':
    'App Check is enforced for Authentication in the project, and Keydesk has no App Check token',
};

const errorSchema = z.object({
  error: z.object({
    message: z.string(),
    details: z.array(z.object({ reason: z.string().optional() })).optional(),
  }),
});

/** A refusal of which the code is known: the user is disabled, or what to throw. Undefined for every other response. */
export function signInRefusal({ json }: OutgoingAnswer): 'user_disabled' | Unavailable | undefined {
  const parsed = errorSchema.safeParse(json);
  if (!parsed.success) return undefined;
  const { message, details = [] } = parsed.data.error;
  // The message is `CODE`, or `CODE : text`; a refused API key has its code in the details.
  for (const code of [message, message.split(/\s*:/, 1)[0] ?? '', ...details.map(({ reason = '' }) => reason)]) {
    if (code === 'USER_DISABLED') return 'user_disabled';
    const said = `refused with ${code}${message.startsWith(code) ? message.slice(code.length, 300) : ''}`;
    if (Object.hasOwn(LIMITS, code)) return new Unavailable(SIGN_IN, `${said}. ${LIMITS[code]}`, RETRY_IN_MINUTES);
    if (Object.hasOwn(PERMANENT, code)) return permanentFailure(`${said}. ${PERMANENT[code]}`);
  }
  return undefined;
}

/** A failure that lasts until somebody changes policy or the Firebase project. */
export function permanentFailure(detail: string): Unavailable {
  return new Unavailable(SIGN_IN, detail, RETRY_IN_MINUTES, { refused: true });
}
