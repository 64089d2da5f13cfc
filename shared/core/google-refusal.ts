// Separates Google's permanent refusals from temporary failures, by Google's machine-readable codes and never by its words.
// Pure: a status and a parsed body in, a cause out. What no table lists counts as temporary.
// Sources: google.rpc.ErrorInfo; google.api.ErrorReason; cloud.google.com/apis/design/errors; Identity Toolkit's codes as
// firebase-js-sdk (packages/auth/src/api/errors.ts) and firebase-admin-node (src/utils/error.ts) list them; RFC 6749 section
// 5.2 and RFC 8693 section 2.2.2 for the Security Token Service; firebase.google.com/docs/app-check/enable-enforcement.

import * as z from 'zod';

/** Why Google refuses for good. */
export const GOOGLE_CAUSES = [
  'permission_missing',
  'account_gone',
  'api_disabled',
  'api_key_restricted',
  'billing_disabled',
  'project_unusable',
  'own_identity_unusable',
  'perimeter',
  'sign_in_blocked',
  'sign_in_not_set_up',
  'signer_not_accepted',
  'app_check',
  'request_not_accepted',
] as const;
export type GoogleCause = (typeof GOOGLE_CAUSES)[number];

/** What keeps every service account from being minted from, not the one of the request alone. */
const ABOUT_EVERY_ACCOUNT: ReadonlySet<GoogleCause> = new Set([
  'api_disabled',
  'billing_disabled',
  'project_unusable',
  'own_identity_unusable',
]);

export function isAboutEveryAccount({ cause }: GoogleRefusal): boolean {
  return ABOUT_EVERY_ACCOUNT.has(cause);
}

/** Whether another account of a pool may serve where this one is refused. */
export function isAboutOneAccount({ cause }: GoogleRefusal): boolean {
  return cause === 'permission_missing' || cause === 'account_gone';
}

/** Why Google refuses, where trying again does not change it. */
export interface GoogleRefusal {
  readonly cause: GoogleCause;
  /** Google's own code for it. */
  readonly google_code: string;
  /** The permission that is missing, where it is known. */
  readonly permission?: string;
  /** The API that is disabled, such as `iamcredentials.googleapis.com`. */
  readonly api?: string;
  /** The project that Google names, such as `projects/123`. */
  readonly consumer?: string;
}

/** What an error response of Google's says. */
export interface GoogleError {
  /** `status` of google.rpc.Status, or the OAuth `error`. */
  readonly status: string;
  readonly message: string;
  /** `reason` of the first ErrorInfo, else of the older `errors` list. */
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

const cut = z.string().transform((text) => text.slice(0, 256));
const errorInfo = z.object({
  '@type': z.literal('type.googleapis.com/google.rpc.ErrorInfo'),
  reason: cut,
  metadata: z.record(z.string(), cut).default({}),
});
const rpcError = z
  .object({
    error: z.object({
      status: cut.default(''),
      message: z.string(),
      details: z.array(z.unknown()).catch([]),
      errors: z.array(z.object({ reason: cut })).catch([]),
    }),
  })
  .transform(({ error: { status, message, details, errors } }): GoogleError => {
    const info = details.map((detail) => errorInfo.safeParse(detail)).find(({ success }) => success)?.data;
    return { status, message, reason: info?.reason ?? errors[0]?.reason, metadata: info?.metadata ?? {} };
  });
const oauthError = z.object({ error: cut, error_description: z.string().default('') }).transform(
  ({ error, error_description }): GoogleError => ({
    status: error,
    message: error_description,
    reason: undefined,
    metadata: {},
  }),
);
const anyError = z.union([rpcError, oauthError]);

/** The error in a response's body; undefined when it holds none. */
export function readGoogleError(json: unknown): GoogleError | undefined {
  return anyError.safeParse(json).data;
}

/** `reason`: of google.api.ErrorReason and IAM, and of the older `errors` list in its own spelling. */
const BY_REASON: ReadonlyMap<string, GoogleCause> = new Map([
  ['IAM_PERMISSION_DENIED', 'permission_missing'],
  ['USER_PROJECT_DENIED', 'permission_missing'],
  ['SERVICE_DISABLED', 'api_disabled'],
  ['accessNotConfigured', 'api_disabled'],
  ['BILLING_DISABLED', 'billing_disabled'],
  ['CONSUMER_SUSPENDED', 'project_unusable'],
  ['CONSUMER_INVALID', 'project_unusable'],
  ['SECURITY_POLICY_VIOLATED', 'perimeter'],
  ['ACCESS_TOKEN_SCOPE_INSUFFICIENT', 'own_identity_unusable'],
  ['ACCOUNT_STATE_INVALID', 'own_identity_unusable'],
  ['API_KEY_INVALID', 'api_key_restricted'],
  ['API_KEY_SERVICE_BLOCKED', 'api_key_restricted'],
  ['API_KEY_HTTP_REFERRER_BLOCKED', 'api_key_restricted'],
  ['API_KEY_IP_ADDRESS_BLOCKED', 'api_key_restricted'],
  ['API_KEY_ANDROID_APP_BLOCKED', 'api_key_restricted'],
  ['API_KEY_IOS_APP_BLOCKED', 'api_key_restricted'],
  ['keyInvalid', 'api_key_restricted'],
  ['ipRefererBlocked', 'api_key_restricted'],
]);

/**
 * The code at the start of Identity Toolkit's `message`: `CODE`, or `CODE : words`. `BLOCKING_FUNCTION_ERROR_RESPONSE` is
 * left out: Google also sends it when a blocking function starts cold or runs out of time (firebase-js-sdk issue 7830).
 */
const BY_SIGN_IN_CODE: ReadonlyMap<string, GoogleCause> = new Map([
  ['ADMIN_ONLY_OPERATION', 'sign_in_blocked'],
  ['OPERATION_NOT_ALLOWED', 'sign_in_blocked'],
  ['CONFIGURATION_NOT_FOUND', 'sign_in_not_set_up'],
  ['PROJECT_NOT_FOUND', 'sign_in_not_set_up'],
  ['TENANT_NOT_FOUND', 'sign_in_not_set_up'],
  ['INVALID_TENANT_ID', 'sign_in_not_set_up'],
  ['TENANT_ID_MISMATCH', 'sign_in_not_set_up'],
  ['UNSUPPORTED_TENANT_OPERATION', 'sign_in_not_set_up'],
  ['CREDENTIAL_MISMATCH', 'signer_not_accepted'],
  ['INVALID_CUSTOM_TOKEN', 'signer_not_accepted'],
]);

/** `status` of IAM and IAM Credentials, where no reason says more. */
const BY_IAM_STATUS: ReadonlyMap<string, GoogleCause> = new Map([
  ['PERMISSION_DENIED', 'permission_missing'],
  ['NOT_FOUND', 'account_gone'],
  ['INVALID_ARGUMENT', 'request_not_accepted'],
  ['FAILED_PRECONDITION', 'request_not_accepted'],
]);
const BY_SIGN_IN_STATUS: ReadonlyMap<string, GoogleCause> = new Map([
  ['PERMISSION_DENIED', 'permission_missing'],
  // A sign-in carries nobody's token, so this can only be about App Check.
  ['UNAUTHENTICATED', 'app_check'],
]);
/** `invalid_grant` is left out: it is about the parent token, which is minted for each request. */
const BY_STS_ERROR: ReadonlyMap<string, GoogleCause> = new Map([
  ['PERMISSION_DENIED', 'permission_missing'],
  ['access_denied', 'permission_missing'],
  ['invalid_request', 'request_not_accepted'],
  ['invalid_scope', 'request_not_accepted'],
  ['invalid_target', 'request_not_accepted'],
  ['unauthorized_client', 'request_not_accepted'],
]);

/** By the first word of the dependency's name. */
const BY_SERVICE: Readonly<Record<string, ReadonlyMap<string, GoogleCause>>> = {
  iam: BY_IAM_STATUS,
  iamcredentials: BY_IAM_STATUS,
  identitytoolkit: BY_SIGN_IN_STATUS,
  sts: BY_STS_ERROR,
};

const QUOTA_CODES: ReadonlySet<string> = new Set([
  'RESOURCE_EXHAUSTED',
  'RATE_LIMIT_EXCEEDED',
  'RESOURCE_QUOTA_EXCEEDED',
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'rateLimitExceededUnreg',
  'userRateLimitExceededUnreg',
  'dailyLimitExceeded',
  'dailyLimitExceededUnreg',
  'concurrentLimitExceeded',
  'limitExceeded',
  'servingLimitExceeded',
  'quotaExceeded',
  'TOO_MANY_ATTEMPTS_TRY_LATER',
  'QUOTA_EXCEEDED',
]);
/** The codes by which the sign-in refuses new users beyond Google's limit. Other codes limit requests of any kind. */
const NEW_USER_CODES: ReadonlySet<string> = new Set(['TOO_MANY_ATTEMPTS_TRY_LATER', 'QUOTA_EXCEEDED']);

/** Whether Google reports a rate limit or quota, for any HTTP status. */
export function isOverQuota(status: number, error: GoogleError | undefined): boolean {
  if (status === 429) return true;
  return error !== undefined && [error.reason, error.status, signInCodeOf(error)].some((code) => hasQuotaCode(code));
}

/** Whether the sign-in refuses because too many users are new. */
export function isOverNewUserLimit(error: GoogleError | undefined): boolean {
  return NEW_USER_CODES.has((error && signInCodeOf(error)) ?? '');
}

/**
 * Whether a status means that the request is refused: 400 to 499 without 408 (time-out), 409 (a change at the same time)
 * and 429 (too many requests).
 */
export function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && ![408, 409, 429].includes(status);
}

function hasQuotaCode(code: string | undefined): boolean {
  return code !== undefined && QUOTA_CODES.has(code);
}

/**
 * Why Google refuses for good; undefined when trying again may help.
 * @param dependency the dependency and its method, such as `iamcredentials signJwt`
 * @param neededPermission the permission that the call needs on the account that it names: Google does not always say it
 */
export function permanentRefusal(
  dependency: string,
  status: number,
  error: GoogleError | undefined,
  neededPermission?: string,
): GoogleRefusal | undefined {
  if (!error || !isRefusal(status) || isOverQuota(status, error)) return undefined;
  const [service = ''] = dependency.split(' ', 1);
  const signInCode = service === 'identitytoolkit' ? signInCodeOf(error) : undefined;
  const found =
    lookUp(BY_REASON, error.reason) ??
    lookUp(BY_SIGN_IN_CODE, signInCode) ??
    lookUp(BY_SERVICE[service] ?? new Map(), error.status);
  if (!found) return undefined;
  const { permission = found.cause === 'permission_missing' ? neededPermission : undefined } = error.metadata;
  const { service: api, consumer } = error.metadata;
  return {
    ...found,
    ...(permission === undefined ? {} : { permission }),
    ...(api === undefined ? {} : { api }),
    ...(consumer === undefined ? {} : { consumer }),
  };
}

function lookUp(table: ReadonlyMap<string, GoogleCause>, code: string | undefined) {
  const cause = code === undefined ? undefined : table.get(code);
  return cause && code !== undefined ? { cause, google_code: code } : undefined;
}

/** The code at the start of Identity Toolkit's message, such as `USER_DISABLED`. */
export function signInCodeOf({ message }: GoogleError): string | undefined {
  return /^([A-Z][A-Z_]{2,63})(?: : |$)/.exec(message)?.[1];
}

/**
 * What is wrong and what to do, for Keydesk's operators. For the audit log alone: it names resources.
 * @param account the service account that the request was about
 */
export function googleHint(
  { cause, google_code: code, permission, api, consumer }: GoogleRefusal,
  account?: string,
): string {
  const on = account ?? 'the account';
  const project = consumer ?? 'the project';
  switch (cause) {
    case 'permission_missing':
      return `${permission ?? 'A permission'} is missing on ${on}, or the account is gone. Grant it to the identity of this function, or restore the account.`;
    case 'account_gone':
      return `${on} does not exist, or the account is gone. Restore it, or take it out of the policy.`;
    case 'api_disabled':
      return `${api ?? 'The API'} is disabled in ${project}. Enable it.`;
    case 'api_key_restricted':
      return `The API key is not accepted (${code}). Use a key without an application restriction that may call identitytoolkit.googleapis.com.`;
    case 'billing_disabled':
      return `Billing is disabled in ${project}. Enable it.`;
    case 'project_unusable':
      return `${project} is suspended or deleted (${code}). See its state in the console.`;
    case 'own_identity_unusable':
      return `The identity of this function is not accepted (${code}). Check that it is enabled and has the scope cloud-platform.`;
    case 'perimeter':
      return 'VPC Service Controls reject the request. Let the identity of this function into the perimeter.';
    case 'sign_in_blocked':
      return `Firebase Authentication blocks the sign-in (${code}). Allow sign-in by custom token. Where new users may not sign in, create the users with "keydesk users create"; where users were changed, with more "--generations".`;
    case 'sign_in_not_set_up':
      return `Firebase Authentication does not have the project or the tenant (${code}). Set it up, or correct the policy.`;
    case 'signer_not_accepted':
      return `Firebase Authentication does not accept what ${account ?? 'the signer'} signs (${code}). The signer and the API key must be of one project.`;
    case 'app_check':
      return 'App Check is enforced for Authentication. Set it to unenforced for identitytoolkit.googleapis.com.';
    case 'request_not_accepted':
      return `Google does not accept the request (${code}). Check whether the scopes, lifetime and boundary in the policy are valid for ${on}.`;
  }
}
