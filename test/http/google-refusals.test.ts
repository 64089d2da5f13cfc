// What a job and the operators learn when Google refuses permanently, and when it asks to wait: by path and by form,
// for each call to Google, and for pools, where one refused account is given up for another first.

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Call } from '../../sandbox/fakes/google/call.ts';
import { jsonServer, type LocalResponse } from '../../sandbox/local-server.ts';
import { grantIdOf } from '../../shared/core/grant/id.ts';
import {
  type Called,
  databaseOf,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { accounts, DATASTORE, policyData, policyText } from '../fixtures/policies.ts';
import { newJobToken, sendByPath, sendForm, tokenForm } from './token-request.ts';

const WORDS = "Permission 'x' denied on resource secret-project (or it may not exist).";
const INFO = 'type.googleapis.com/google.rpc.ErrorInfo';
const refusing = (status: number, code: string, info: object = {}, message = WORDS): LocalResponse => ({
  status,
  json: { error: { code: status, status: code, message, details: [{ '@type': INFO, ...info }] } },
});
const signInSays = (status: number, message: string) => refusing(status, 'INVALID_ARGUMENT', {}, message);
const tooMany = (retryAfter: string): LocalResponse => ({
  status: 429,
  json: {},
  headers: { 'retry-after': retryAfter },
});
const DENIED = refusing(403, 'PERMISSION_DENIED');

let keydesk: InProcessKeydesk;
beforeEach(async () => {
  keydesk = await openInProcessKeydesk();
});
afterEach(() => keydesk.close());

const account = (name: string) => `${name}@${keydesk.project}.iam.gserviceaccount.com`;

/** IAM, IAM Credentials and the Security Token Service answer so to these calls. */
function onCall(methods: readonly Call['method'][], response: LocalResponse) {
  keydesk.google.before = ({ method }) => (methods.includes(method) ? response : undefined);
}
const MINTING = ['generateAccessToken', 'signJwt'] as const;

/** Identity Toolkit answers so to every sign-in. */
async function whenSigningIn(response: LocalResponse) {
  const identityToolkit = await jsonServer('Identity Toolkit', () => response);
  onTestFinished(() => identityToolkit.close());
  await keydesk.close();
  keydesk = await openInProcessKeydesk({ settings: { KEYDESK_IDENTITYTOOLKIT_URL: identityToolkit.url } });
}

const requestToken = (jobToken: string, credential: string) => {
  const form = tokenForm(jobToken);
  form.set('audience', credential);
  return sendForm(keydesk, form);
};

function expectPermanent(called: Called, facts: object) {
  expect([called.status, called.headers.get('retry-after')]).toEqual([503, '300']);
  const request_id = called.headers.get('x-request-id');
  expect(called.json).toEqual({
    error: 'temporarily_unavailable',
    error_description: expect.stringContaining(`Request id: ${request_id}`),
    request_id,
    permanent: true,
    retry_after: 300,
  });
  expect(called.text).not.toMatch(/secret-project|PERMISSION_DENIED|iam\.|@/);
  expect(called.audit[0]).toMatchObject({
    ...{ event: 'grant.refused', severity: 'ERROR', reason: 'google_refused', retry_after_s: 300 },
    job: { pipeline_slug: 'app' },
    ...facts,
  });
}

describe('a permanent refusal', () => {
  it.each([
    ['staging-export', 'export', 'iamcredentials generateAccessToken', 'iam.serviceAccounts.getAccessToken'],
    ['staging-cache', 'cache-ci', 'iamcredentials generateAccessToken', 'iam.serviceAccounts.getAccessToken'],
    ['staging-config', 'signer', 'iamcredentials signJwt', 'iam.serviceAccounts.signJwt'],
  ])(
    'to mint %s is permanent for the job, and the log names the permission that %s lacks',
    async (credential, name, what, permission) => {
      const jobToken = await newJobToken(keydesk);
      onCall(MINTING, DENIED);
      const facts = { cause: 'permission_missing', permission, service_account: account(name), dependency: what };
      for (const called of [
        await requestToken(jobToken, credential),
        await sendByPath(keydesk, jobToken, credential),
      ]) {
        expectPermanent(called, facts);
        expect(called.audit[0].error).toContain('or the account is gone');
      }
      keydesk.google.before = undefined;
      expect((await requestToken(jobToken, credential)).status).toBe(200);
    },
  );

  it.each<[string, LocalResponse, object]>([
    [
      'a disabled API',
      refusing(403, 'PERMISSION_DENIED', {
        reason: 'SERVICE_DISABLED',
        metadata: { service: 'identitytoolkit.googleapis.com', consumer: 'projects/1' },
      }),
      { cause: 'api_disabled', api: 'identitytoolkit.googleapis.com', consumer: 'projects/1' },
    ],
    [
      'a restricted API key',
      refusing(403, 'PERMISSION_DENIED', { reason: 'API_KEY_HTTP_REFERRER_BLOCKED' }),
      { cause: 'api_key_restricted', google_code: 'API_KEY_HTTP_REFERRER_BLOCKED' },
    ],
    ['a blocked sign-up', refusing(400, '', {}, 'ADMIN_ONLY_OPERATION'), { cause: 'sign_in_blocked' }],
    ['App Check', refusing(401, 'UNAUTHENTICATED', {}, 'Firebase App Check token is invalid.'), { cause: 'app_check' }],
  ])('of the sign-in says the same for %s', async (_, response, facts) => {
    await whenSigningIn(response);
    expectPermanent(await requestToken(await newJobToken(keydesk), 'staging-config'), facts);
  });

  it('to narrow a token says the same, and gives up no account', async () => {
    const jobToken = await newJobToken(keydesk);
    onCall(['exchangeToken'], { status: 400, json: { error: 'invalid_request', error_description: WORDS } });
    const called = await requestToken(jobToken, 'staging-artifacts');
    expectPermanent(called, { cause: 'request_not_accepted', dependency: 'sts token' });
    expect(called.audit).toHaveLength(1);
  });
});

describe('a refusal that passes', () => {
  it.each<[string, LocalResponse, string]>([
    ['429', { status: 429, json: {} }, '10'],
    ['429 with a time', { status: 429, json: {}, headers: { 'retry-after': '37' } }, '37'],
    ['429 with a long time', { status: 429, json: {}, headers: { 'retry-after': '86400' } }, '300'],
    ['429 with a date that has passed', tooMany('Tue, 24 Nov 2015 00:00:00 GMT'), '1'],
    ['429 with another date', tooMany('2045-11-24T00:00:00Z'), '10'],
    ['429 with a negative time', { status: 429, json: {}, headers: { 'retry-after': '-1' } }, '10'],
    ['503 with a time', { status: 503, json: {}, headers: { 'retry-after': '20' } }, '20'],
    ['403 for its quota', refusing(403, 'RESOURCE_EXHAUSTED', { reason: 'RATE_LIMIT_EXCEEDED' }), '10'],
    ['500', { status: 500, json: {} }, '2'],
  ])('is returned with the time of a retry: %s', async (_, response, retryAfter) => {
    const jobToken = await newJobToken(keydesk);
    onCall(MINTING, response);
    const called = await requestToken(jobToken, 'staging-export');
    expect([called.status, called.headers.get('retry-after'), called.json.permanent]).toEqual([
      503,
      retryAfter,
      undefined,
    ]);
    expect(called.audit).toMatchObject([{ reason: 'dependency_unavailable' }]);
  });

  it('is returned with the time of a retry: 429 with a future date', async () => {
    const jobToken = await newJobToken(keydesk);
    onCall(MINTING, tooMany(new Date(keydesk.clock.now() + 42_000).toUTCString()));
    expect((await requestToken(jobToken, 'staging-export')).headers.get('retry-after')).toBe('42');
  });

  const NEW_USERS = 'keydesk users create';
  it.each<[string, LocalResponse, string, string | undefined]>([
    ['400 TOO_MANY_ATTEMPTS_TRY_LATER', signInSays(400, 'TOO_MANY_ATTEMPTS_TRY_LATER'), '300', NEW_USERS],
    ['400 QUOTA_EXCEEDED', signInSays(400, 'QUOTA_EXCEEDED : words'), '300', NEW_USERS],
    ['429 TOO_MANY_ATTEMPTS_TRY_LATER', signInSays(429, 'TOO_MANY_ATTEMPTS_TRY_LATER : words'), '300', NEW_USERS],
    ['429', { status: 429, json: {} }, '10', undefined],
    ['429 RESOURCE_EXHAUSTED', refusing(429, 'RESOURCE_EXHAUSTED'), '10', undefined],
    [
      '403 RATE_LIMIT_EXCEEDED',
      refusing(403, 'PERMISSION_DENIED', { reason: 'RATE_LIMIT_EXCEEDED' }),
      ...(['10', undefined] as const),
    ],
    ['429 with a time', tooMany('20'), '20', undefined],
    [
      'a limit of new users with a time',
      { ...signInSays(400, 'QUOTA_EXCEEDED'), headers: { 'retry-after': '45' } },
      ...(['45', NEW_USERS] as const),
    ],
    ['400 BLOCKING_FUNCTION_ERROR_RESPONSE', signInSays(400, 'BLOCKING_FUNCTION_ERROR_RESPONSE : no'), '2', undefined],
    ['408', refusing(408, 'PERMISSION_DENIED'), '2', undefined],
    ['409', refusing(409, 'PERMISSION_DENIED'), '2', undefined],
  ])(
    'of the sign-in is returned with the time of a retry, and names new users only when it is their limit: %s',
    async (...given) => {
      const [name, answer, retryAfter, advice] = given;
      await whenSigningIn(answer);
      const called = await requestToken(await newJobToken(keydesk), 'staging-config');
      expect([called.status, called.headers.get('retry-after'), called.json.permanent]).toEqual([
        503,
        retryAfter,
        undefined,
      ]);
      expect(called.audit).toMatchObject([
        { reason: 'dependency_unavailable', dependency: 'identitytoolkit signInWithCustomToken' },
      ]);
      const { error } = called.audit[0];
      expect(error.includes(NEW_USERS)).toBe(advice !== undefined);
      for (const word of name.split(' ').filter((each) => /^[0-9]{3}$|_RESPONSE$/.test(each)))
        expect(error).toContain(word);
    },
  );

  it('gives up no account of a pool', async () => {
    const jobToken = await newJobToken(keydesk);
    onCall(MINTING, refusing(403, 'RESOURCE_EXHAUSTED', { reason: 'RATE_LIMIT_EXCEEDED' }));
    expect((await requestToken(jobToken, 'staging-admin')).audit).toHaveLength(1);
    keydesk.google.before = undefined;
    expect((await requestToken(jobToken, 'staging-admin')).audit[0].past_leases).toEqual([]);
  });
});

describe('of a pool', () => {
  const minted: string[] = [];
  /** Google refuses to mint from the first `count` accounts that it is asked for. */
  function refusingAccounts(count: number) {
    minted.length = 0;
    keydesk.google.before = ({ method, account: email }) => {
      if (method !== 'generateAccessToken') return undefined;
      minted.push(email);
      return minted.length <= count ? DENIED : undefined;
    };
  }

  it('one refused account is given up for another, and the log says why', async () => {
    refusingAccounts(1);
    const called = await keydesk.requestByPath(await newJobToken(keydesk), 'staging-admin');
    expect(called.status).toBe(200);
    expect(called.audit).toMatchObject([
      { event: 'grant.issued', service_account: minted[1] },
      {
        ...{ event: 'account.quarantined', severity: 'WARNING', service_account: minted[0] },
        ...{ cause: 'permission_missing', permission: 'iam.serviceAccounts.getAccessToken' },
        ...{
          dependency: 'iamcredentials generateAccessToken',
          error: expect.stringContaining('or the account is gone'),
        },
      },
    ]);
  });

  it('three refused accounts are a permanent refusal when the pool has no others, also when the job retries', async () => {
    refusingAccounts(Number.POSITIVE_INFINITY);
    const jobToken = await newJobToken(keydesk);
    const called = await keydesk.requestByPath(jobToken, 'staging-admin');
    expectPermanent(called, { cause: 'permission_missing', service_account: minted[2] });
    expect(called.audit.slice(1)).toMatchObject(minted.slice(0, 2).map((service_account) => ({ service_account })));
    for (const seconds of [2, 200]) {
      keydesk.clock.advance(seconds * 1000);
      expectPermanent(await keydesk.requestByPath(jobToken, 'staging-admin'), { cause: 'permission_missing' });
    }
  });

  it.each([
    ['perimeter', refusing(403, 'PERMISSION_DENIED', { reason: 'SECURITY_POLICY_VIOLATED' })],
    ['request_not_accepted', refusing(400, 'INVALID_ARGUMENT')],
  ])(
    'three refused accounts of six are a permanent refusal when it is not about the account: %s',
    async (cause, response) => {
      await keydesk.close();
      keydesk = await openInProcessKeydesk({ policy: poolOf(6) });
      onCall(['generateAccessToken'], response);
      expectPermanent(await keydesk.requestByPath(await newJobToken(keydesk), 'admin'), { cause });
    },
  );

  it('a refusal to narrow a token is permanent although the pool has others, and gives up no account', async () => {
    await keydesk.close();
    keydesk = await openInProcessKeydesk({ policy: poolOf(6, 'storage') });
    onCall(['exchangeToken'], refusing(403, 'PERMISSION_DENIED', { reason: 'IAM_PERMISSION_DENIED' }));
    const called = await requestToken(await newJobToken(keydesk), 'admin');
    expectPermanent(called, { cause: 'permission_missing', dependency: 'sts token' });
    expect(called.audit).toHaveLength(1);
  });

  it('three refused accounts of six are temporary: another job gets one of the others, and this one in five minutes', async () => {
    await keydesk.close();
    keydesk = await openInProcessKeydesk({ policy: poolOf(6) });
    refusingAccounts(3);
    const job = keydesk.buildkite.startJob();
    const called = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'admin');
    expect([called.status, called.headers.get('retry-after'), called.json.permanent]).toEqual([503, '300', undefined]);
    expect(called.audit).toMatchObject([
      { reason: 'dependency_unavailable', severity: 'ERROR', error: expect.stringContaining(minted[2] ?? '') },
      ...minted.slice(0, 2).map((service_account) => ({ event: 'account.quarantined', service_account })),
    ]);
    expect(called.audit[0].error).toContain('iam.serviceAccounts.getAccessToken');
    // The alert counts lines that name a cause.
    expect(called.audit[0]).toMatchObject({ cause: 'permission_missing', service_account: minted[2] });
    expect((await keydesk.requestByPath(await newJobToken(keydesk), 'admin')).status).toBe(200);
    refusingAccounts(1);
    keydesk.clock.advance(300 * 1000);
    expect((await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'admin')).status).toBe(200);
    expect(minted).toHaveLength(2);
  });

  it.each([
    ['API', refusing(403, 'PERMISSION_DENIED', { reason: 'SERVICE_DISABLED' }), 'api_disabled'],
    ['own identity', refusing(401, 'UNAUTHENTICATED', { reason: 'ACCOUNT_STATE_INVALID' }), 'own_identity_unusable'],
  ])('no account is given up for what concerns all of them: %s', async (_, response, cause) => {
    await keydesk.close();
    keydesk = await openInProcessKeydesk({ policy: poolOf(6) });
    onCall(['generateAccessToken'], response);
    const called = await keydesk.requestByPath(await newJobToken(keydesk), 'admin');
    expectPermanent(called, { cause });
    expect(called.audit).toHaveLength(1);
  });

  it('two refused accounts are a permanent refusal when it has no others', async () => {
    await keydesk.close();
    keydesk = await openInProcessKeydesk({ policy: poolOf(2) });
    refusingAccounts(2);
    const called = await keydesk.requestByPath(await newJobToken(keydesk), 'admin');
    expectPermanent(called, { cause: 'permission_missing', service_account: minted[1] });
  });

  it('a refused account leaves the others to wait for while other jobs hold them', async () => {
    for (const _ of [1, 2])
      expect((await keydesk.requestByPath(await newJobToken(keydesk), 'staging-admin')).status).toBe(200);
    refusingAccounts(1);
    const called = await keydesk.requestByPath(await newJobToken(keydesk), 'staging-admin');
    expect(called.json.permanent).toBeUndefined();
    expect(called.audit).toMatchObject([
      { reason: 'pool_exhausted', cause: 'permission_missing', service_account: minted[0] },
      { event: 'account.quarantined', service_account: minted[0] },
    ]);
  });

  it('an account is not changed while tokens of its grant live: the job can retry when they have expired', async () => {
    const jobToken = await newJobToken(keydesk);
    const first = await keydesk.requestByPath(jobToken, 'staging-admin');
    expect(first.status).toBe(200);
    refusingAccounts(Number.POSITIVE_INFINITY);
    const called = await keydesk.requestByPath(jobToken, 'staging-admin');
    expect([called.status, called.json.permanent, called.audit[0].retry_after_s]).toEqual([503, undefined, 300]);
    expect(called.audit[0]).toMatchObject({
      cause: 'permission_missing',
      service_account: first.audit[0].service_account,
    });
    expect(minted).toEqual([first.audit[0].service_account]);
    expect(called.audit).toHaveLength(1);
  });
});

it.each([
  ['403', DENIED],
  ['404', refusing(404, 'NOT_FOUND')],
])('a revocation that gets %s is retried, and logs what may be missing', async (_, response) => {
  const job = keydesk.buildkite.startJob();
  const held = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'staging-admin');
  const { service_account } = held.audit[0];
  onCall(['disable'], response);
  const ended = await keydesk.notify(keydesk.buildkite.event(job));
  expect(ended.json).toMatchObject({ result: 'job_ended', pending: 1 });
  const failed = ended.audit.find(({ event }) => event === 'task.failed');
  expect(failed?.error).toContain('or the account is gone');
  expect(failed?.error).toContain(service_account);
  expect((await keydesk.sweep()).json).toMatchObject({ revoked: 0, failed: 1 });

  keydesk.google.before = undefined;
  expect((await keydesk.sweep()).json).toMatchObject({ revoked: 1, failed: 0 });
  const { docs } = await databaseOf(keydesk.project, 'ledger').collection('grants').get();
  expect(docs.map((grant) => [grantIdOf(grant.data() as Parameters<typeof grantIdOf>[0]), grant.get('state')])).toEqual(
    [[held.json.grant_id, 'revoked']],
  );
});

describe('a token that cannot be narrowed, because the end of its job has just disabled the account', () => {
  it.each([
    ['the first of the job, in a pool of one', 1, 0],
    ['the first of the job', 3, 0],
    ['a renewal', 3, 1],
  ])('is refused with that end: %s', async (_, size, before) => {
    await keydesk.close();
    keydesk = await openInProcessKeydesk({ policy: poolOf(size, 'storage') });
    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job);
    for (let count = 0; count < before; count += 1)
      expect((await keydesk.requestByPath(jobToken, 'admin')).status).toBe(200);
    keydesk.google.before = async ({ method }) => {
      if (method !== 'exchangeToken') return undefined;
      keydesk.google.before = undefined;
      expect((await keydesk.notify(keydesk.buildkite.event(job))).status).toBe(200);
      return { status: 400, json: { error: 'invalid_request' } };
    };
    const called = await keydesk.requestByPath(jobToken, 'admin');
    expect([called.status, called.json.error, called.json.permanent]).toEqual([400, 'invalid_grant', undefined]);
    expect(called.audit.find(({ event }) => event === 'grant.refused')).toMatchObject({ reason: 'job_ended' });
  });
});

const poolOf =
  (size: number, kind: 'serviceAccount' | 'storage' = 'serviceAccount') =>
  (project: string) => {
    const pool = accounts('ci', size, project);
    const source =
      kind === 'storage'
        ? { storage: { pool, bucket: 'acme-ci', role: 'roles/storage.objectViewer' } }
        : { serviceAccount: { pool, scopes: [DATASTORE] } };
    return policyText(policyData(project, { admin: { environment: 'staging', ttl: '15m', ...source } }));
  };
