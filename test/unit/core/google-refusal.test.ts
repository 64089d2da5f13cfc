// Which of Google's refusals are permanent, by code: each service has its own, and whatever no table lists passes.

import { describe, expect, it } from 'vitest';
import {
  type GoogleCause,
  googleHint,
  isOverQuota,
  permanentRefusal,
  readGoogleError,
} from '../../../shared/core/google-refusal.ts';

const MINT = 'iamcredentials generateAccessToken';
const SIGN_IN = 'identitytoolkit signInWithCustomToken';
const STS = 'sts token';
const ACCOUNT = 'ci-001@acme-staging.iam.gserviceaccount.com';

function rpc(status: string, message = 'words', info?: { reason: string; metadata?: Record<string, string> }) {
  const details = [
    { '@type': 'type.googleapis.com/google.rpc.Help', links: [] },
    ...(info ? [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', domain: 'googleapis.com', ...info }] : []),
  ];
  return { error: { code: 403, status, message, details } };
}
const legacy = (reason: string) => ({ error: { code: 403, message: 'words', errors: [{ domain: 'global', reason }] } });
const refusal = (what: string, status: number, json: unknown, needs?: string) =>
  permanentRefusal(what, status, readGoogleError(json), needs);

const PERMANENT: readonly [GoogleCause, string, number, unknown][] = [
  ['permission_missing', MINT, 403, rpc('PERMISSION_DENIED')],
  ['permission_missing', 'iam serviceAccounts.disable', 403, rpc('PERMISSION_DENIED')],
  ['permission_missing', MINT, 403, rpc('PERMISSION_DENIED', 'words', { reason: 'IAM_PERMISSION_DENIED' })],
  ['permission_missing', STS, 400, { error: 'access_denied' }],
  ['account_gone', MINT, 404, rpc('NOT_FOUND')],
  ['request_not_accepted', MINT, 400, rpc('INVALID_ARGUMENT')],
  ['request_not_accepted', STS, 400, { error: 'invalid_scope', error_description: 'words' }],
  ...[MINT, SIGN_IN, STS].flatMap((what): [GoogleCause, string, number, unknown][] => [
    ['api_disabled', what, 403, rpc('PERMISSION_DENIED', 'words', { reason: 'SERVICE_DISABLED' })],
    ['billing_disabled', what, 403, rpc('PERMISSION_DENIED', 'words', { reason: 'BILLING_DISABLED' })],
    ['perimeter', what, 403, rpc('PERMISSION_DENIED', 'words', { reason: 'SECURITY_POLICY_VIOLATED' })],
    ['project_unusable', what, 403, rpc('PERMISSION_DENIED', 'words', { reason: 'CONSUMER_SUSPENDED' })],
  ]),
  ['api_disabled', SIGN_IN, 403, legacy('accessNotConfigured')],
  ['own_identity_unusable', MINT, 401, rpc('UNAUTHENTICATED', 'words', { reason: 'ACCOUNT_STATE_INVALID' })],
  ...['HTTP_REFERRER', 'SERVICE', 'IP_ADDRESS', 'ANDROID_APP', 'IOS_APP'].map(
    (kind): [GoogleCause, string, number, unknown] => [
      'api_key_restricted',
      SIGN_IN,
      403,
      rpc('PERMISSION_DENIED', 'words', { reason: `API_KEY_${kind}_BLOCKED` }),
    ],
  ),
  ['api_key_restricted', SIGN_IN, 400, rpc('INVALID_ARGUMENT', 'API key not valid.', { reason: 'API_KEY_INVALID' })],
  ...['ADMIN_ONLY_OPERATION', 'OPERATION_NOT_ALLOWED'].map((message): [GoogleCause, string, number, unknown] => [
    'sign_in_blocked',
    SIGN_IN,
    400,
    rpc('INVALID_ARGUMENT', message),
  ]),
  ...['CONFIGURATION_NOT_FOUND', 'TENANT_NOT_FOUND', 'INVALID_TENANT_ID', 'UNSUPPORTED_TENANT_OPERATION'].map(
    (message): [GoogleCause, string, number, unknown] => ['sign_in_not_set_up', SIGN_IN, 400, rpc('', message)],
  ),
  ['signer_not_accepted', SIGN_IN, 400, rpc('INVALID_ARGUMENT', 'CREDENTIAL_MISMATCH')],
  ['signer_not_accepted', SIGN_IN, 400, rpc('INVALID_ARGUMENT', 'INVALID_CUSTOM_TOKEN : words')],
  ['app_check', SIGN_IN, 401, rpc('UNAUTHENTICATED', 'Firebase App Check token is invalid.')],
];

const TEMPORARY: readonly [string, string, number, unknown][] = [
  ['a failure of Google', MINT, 500, rpc('INTERNAL')],
  ['no permission, said with 503', MINT, 503, rpc('PERMISSION_DENIED')],
  ['a 403 without a body', MINT, 403, undefined],
  ['a 403 that is a page', MINT, 403, 'no'],
  ['a token that is not accepted', MINT, 401, rpc('UNAUTHENTICATED')],
  ['an expired token', MINT, 401, rpc('UNAUTHENTICATED', 'words', { reason: 'ACCESS_TOKEN_EXPIRED' })],
  ['a change at the same time', 'iam serviceAccounts.disable', 409, rpc('ABORTED')],
  ['too many requests', MINT, 429, rpc('RESOURCE_EXHAUSTED')],
  ['a quota reported as 403', MINT, 403, rpc('PERMISSION_DENIED', 'words', { reason: 'RATE_LIMIT_EXCEEDED' })],
  ['an old quota error', SIGN_IN, 403, legacy('quotaExceeded')],
  ['too many sign-ins', SIGN_IN, 400, rpc('INVALID_ARGUMENT', 'TOO_MANY_ATTEMPTS_TRY_LATER : words')],
  ['too many new users', SIGN_IN, 400, rpc('INVALID_ARGUMENT', 'QUOTA_EXCEEDED : words')],
  ['an unknown code of the sign-in', SIGN_IN, 400, rpc('INVALID_ARGUMENT', 'SOMETHING_NEW')],
  ['a code of the sign-in from another service', MINT, 400, rpc('ABORTED', 'OPERATION_NOT_ALLOWED')],
  ['a blocking function', SIGN_IN, 400, rpc('INVALID_ARGUMENT', 'BLOCKING_FUNCTION_ERROR_RESPONSE : words')],
  ...[408, 409, 429].flatMap((status): [string, string, number, unknown][] => [
    [`${status}, whatever its status says`, MINT, status, rpc('PERMISSION_DENIED')],
    [`${status}, whatever its reason says`, MINT, status, rpc('', 'words', { reason: 'SERVICE_DISABLED' })],
    [`${status}, whatever the sign-in says`, SIGN_IN, status, rpc('', 'ADMIN_ONLY_OPERATION')],
  ]),
  ...[
    ...['rateLimitExceeded', 'rateLimitExceededUnreg', 'userRateLimitExceeded', 'userRateLimitExceededUnreg'],
    ...['dailyLimitExceeded', 'dailyLimitExceededUnreg', 'concurrentLimitExceeded', 'limitExceeded'],
    ...['servingLimitExceeded', 'quotaExceeded'],
  ].map((reason): [string, string, number, unknown] => [
    `the older reason ${reason}`,
    MINT,
    403,
    { error: { status: 'PERMISSION_DENIED', message: 'words', errors: [{ reason }] } },
  ]),
  ['a parent token that is not accepted', STS, 400, { error: 'invalid_grant' }],
  ['a dependency that is not of Google', 'ledger', 403, rpc('PERMISSION_DENIED')],
];

describe('a refusal of Google', () => {
  it.each(PERMANENT)('is permanent: %s from %s, %i %j', (cause, what, status, json) => {
    expect(refusal(what, status, json)).toMatchObject({ cause });
  });

  it.each(TEMPORARY)('may pass: %s', (_, what, status, json) => {
    expect(refusal(what, status, json)).toBeUndefined();
  });

  it('names the permission, the API and the project that Google names', () => {
    const metadata = { permission: 'iam.serviceAccounts.actAs', service: 'iam.googleapis.com', consumer: 'projects/1' };
    const json = rpc('PERMISSION_DENIED', 'words', { reason: 'IAM_PERMISSION_DENIED', metadata });
    expect(refusal(MINT, 403, json)).toEqual({
      cause: 'permission_missing',
      google_code: 'IAM_PERMISSION_DENIED',
      permission: 'iam.serviceAccounts.actAs',
      api: 'iam.googleapis.com',
      consumer: 'projects/1',
    });
  });

  it('names the permission that the call needs where Google does not', () => {
    const permission = 'iam.serviceAccounts.signJwt';
    expect(refusal('iamcredentials signJwt', 403, rpc('PERMISSION_DENIED'), permission)).toMatchObject({ permission });
  });

  it('names what is missing, where, and that the account may be gone', () => {
    const found = refusal(MINT, 403, rpc('PERMISSION_DENIED'), 'iam.serviceAccounts.getAccessToken');
    const advice = found && googleHint(found, ACCOUNT);
    for (const part of ['iam.serviceAccounts.getAccessToken', ACCOUNT, 'or the account is gone'])
      expect(advice).toContain(part);
  });

  it('holds no more of what Google sends than fits into a line', () => {
    const metadata = { permission: 'p'.repeat(10_000) };
    const json = rpc('PERMISSION_DENIED', 'words', { reason: 'IAM_PERMISSION_DENIED', metadata });
    expect(refusal(MINT, 403, json)?.permission?.length).toBe(256);
  });

  it.each([undefined, null, 'text', [], {}, { error: null }, { error: { message: 1 } }, { error: 5 }])(
    'is not read out of %j',
    (json) => {
      expect(readGoogleError(json)).toBeUndefined();
    },
  );
});

describe('an exhausted quota', () => {
  it('is recognised by the status or by any of the codes', () => {
    expect(isOverQuota(429, undefined)).toBe(true);
    for (const json of [rpc('RESOURCE_EXHAUSTED'), legacy('rateLimitExceeded'), rpc('', 'QUOTA_EXCEEDED')])
      expect(isOverQuota(400, readGoogleError(json))).toBe(true);
    for (const json of [rpc('PERMISSION_DENIED'), { error: 'invalid_grant' }])
      expect(isOverQuota(403, readGoogleError(json))).toBe(false);
  });
});
