import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Call } from '../../../../../sandbox/fakes/google/call.ts';
import { type FakeGoogle, startFakeGoogle } from '../../../../../sandbox/fakes/google/google.ts';
import { TestClock } from '../../../../fixtures/test-clock.ts';

const ACCOUNT = 'pool-1@acme-pool.iam.gserviceaccount.com';
const AUTH = 'https://www.googleapis.com/auth';
const CLOUD_PLATFORM = `${AUTH}/cloud-platform`;
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';
const START = Date.parse('2030-01-01T00:00:00.500Z');
const END = Date.parse('2030-01-01T00:15:00Z');

const RULE = {
  availableResource: '//storage.googleapis.com/projects/_/buckets/acme-cache',
  availablePermissions: ['inRole:roles/storage.objectUser'],
  availabilityCondition: { expression: "resource.name.startsWith('projects/_/buckets/acme-cache/objects/warm/')" },
};
const boundaryOf = (...accessBoundaryRules: unknown[]) => ({ accessBoundary: { accessBoundaryRules } });

let google: FakeGoogle;
let clock: TestClock;
beforeEach(async () => {
  clock = new TestClock(START);
  google = await startFakeGoogle({ accounts: [ACCOUNT], clock });
});
afterEach(() => google.close());

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

async function requestToken(path: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(`${google.url}${path}`, init);
  return { status: response.status, json: await response.json() };
}

async function serviceToken(): Promise<string> {
  const path = '/computeMetadata/v1/instance/service-accounts/default/token';
  const { json } = await requestToken(path, { headers: { 'metadata-flavor': 'Google' } });
  return z.object({ access_token: z.string() }).parse(json).access_token;
}

async function iam(path: string, body: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${await serviceToken()}` };
  const { status, json } = await requestToken(`/v1/projects/${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  expect(status).toBe(200);
  return json;
}

async function mintedToken(scope = [CLOUD_PLATFORM]): Promise<string> {
  const json = await iam(`-/serviceAccounts/${ACCOUNT}:generateAccessToken`, { scope, lifetime: '900s' });
  return z.object({ accessToken: z.string() }).parse(json).accessToken;
}

const disable = () => iam(`acme-pool/serviceAccounts/${ACCOUNT}:disable`, {});

async function formOf(changes: Readonly<Record<string, string>> = {}): Promise<URLSearchParams> {
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: ACCESS_TOKEN_TYPE,
    subject_token_type: ACCESS_TOKEN_TYPE,
    subject_token: changes.subject_token ?? (await mintedToken()),
    options: JSON.stringify(boundaryOf(RULE)),
    ...changes,
  });
}

async function without(parameter: string): Promise<URLSearchParams> {
  const form = await formOf();
  form.delete(parameter);
  return form;
}

async function twice(parameter: string): Promise<URLSearchParams> {
  const form = await formOf();
  form.append(parameter, form.get(parameter) ?? '');
  return form;
}

function exchange(body: URLSearchParams, { path = '/v1/token', headers = {} } = {}): Promise<Answer> {
  return requestToken(path, { method: 'POST', body, headers });
}

async function downscopedToken(): Promise<string> {
  const { status, json } = await exchange(await formOf());
  expect(status).toBe(200);
  return z.object({ access_token: z.string() }).parse(json).access_token;
}

const atGate = (accessToken: string) => requestToken('/gate', { headers: { authorization: `Bearer ${accessToken}` } });

describe('an exchange of an access token', () => {
  it('returns a downscoped token that ends with it', async () => {
    const form = await formOf();
    clock.advance(60_000);
    expect(await exchange(form)).toEqual({
      status: 200,
      json: {
        access_token: expect.stringMatching(/^ya29\.dr\.[A-Za-z0-9_-]{43}$/),
        issued_token_type: ACCESS_TOKEN_TYPE,
        token_type: 'Bearer',
        // 839.5 seconds are left.
        expires_in: 839,
      },
    });
    expect(google.unexpected).toEqual([]);
  });

  it('is recorded with its boundary, and among all calls without an identity', async () => {
    const form = await formOf();
    clock.advance(1000);
    await exchange(form, { headers: { 'x-goog-request-reason': 'buildkite-job/1' } });
    const { accessBoundary } = boundaryOf(RULE);
    expect(google.exchanges).toEqual([
      { account: ACCOUNT, boundary: accessBoundary, form: form.toString(), at: START + 1000 },
    ]);
    expect(google.calls.map(({ method }) => method)).toEqual(['generateAccessToken', 'exchangeToken']);
    expect(google.calls.at(-1)).toEqual({
      method: 'exchangeToken',
      account: ACCOUNT,
      identity: 'nobody',
      body: { options: boundaryOf(RULE) },
      reason: 'buildkite-job/1',
    });
  });

  it('can be repeated with the same token', async () => {
    const form = await formOf();
    const tokens = await Promise.all([exchange(form), exchange(form)]);
    expect(new Set(tokens.map(({ json }) => JSON.stringify(json))).size).toBe(2);
    expect(google.exchanges).toHaveLength(2);
  });

  it.each([
    ['ten rules', boundaryOf(...Array(10).fill(RULE))],
    ['a rule without a condition', boundaryOf({ ...RULE, availabilityCondition: undefined })],
    [
      'a condition with a title and a description',
      boundaryOf({ ...RULE, availabilityCondition: { expression: 'true', title: 'a', description: 'b' } }),
    ],
    [
      'a condition of 2048 characters',
      boundaryOf({ ...RULE, availabilityCondition: { expression: 'x'.repeat(2048) } }),
    ],
    [
      'several roles, custom ones too',
      boundaryOf({
        ...RULE,
        availablePermissions: [
          'inRole:roles/storage.objectViewer',
          'inRole:projects/acme/roles/Cache_1.reader',
          'inRole:organizations/123/roles/reader',
        ],
      }),
    ],
    ['a bucket named after a domain', boundaryOf({ ...RULE, availableResource: `${RULE.availableResource}.acme.dev` })],
  ])('accepts %s', async (_, options) => {
    const { status } = await exchange(await formOf({ options: JSON.stringify(options) }));
    expect([status, google.unexpected]).toEqual([200, []]);
    expect({ accessBoundary: google.exchanges[0]?.boundary }).toEqual(JSON.parse(JSON.stringify(options)));
  });
});

describe('an exchange of a form that Google refuses', () => {
  const PARAMETERS = ['grant_type', 'requested_token_type', 'subject_token_type', 'subject_token', 'options'];
  const refused = async (wrong: string, answering: Promise<Answer>) => {
    expect(await answering).toEqual({
      status: 400,
      json: { error: 'invalid_request', error_description: `Invalid request: ${wrong}.` },
    });
    expect(google.unexpected).toEqual([`exchangeToken: ${wrong}`]);
    expect([google.exchanges, google.calls.filter(({ method }) => method === 'exchangeToken')]).toEqual([[], []]);
  };
  beforeEach(() => {
    google.before = ({ method }) => (method === 'exchangeToken' ? { status: 418, json: {} } : undefined);
  });

  it.each(PARAMETERS)('has no %s', async (parameter) => {
    await refused(`${parameter} invalid`, exchange(await without(parameter)));
  });

  it.each(PARAMETERS)('has %s twice', async (parameter) => {
    await refused('a parameter twice', exchange(await twice(parameter)));
  });

  it.each([
    ['grant_type', 'client_credentials'],
    ['requested_token_type', 'urn:ietf:params:oauth:token-type:id_token'],
    ['subject_token_type', 'urn:ietf:params:oauth:token-type:jwt'],
    ['subject_token', ''],
    ['options', ''],
    ['options', '{'],
    ['options', '[]'],
    ['options', 'null'],
  ])('has another %s: %j', async (parameter, value) => {
    await refused(`${parameter} invalid`, exchange(await formOf({ [parameter]: value })));
  });

  it.each(['scope', 'audience', 'actor_token', 'userProject'])('has %s, which is not one of its own', async (name) => {
    await refused(`${name} unknown`, exchange(await formOf({ [name]: CLOUD_PLATFORM })));
  });

  const at = 'options.accessBoundary.accessBoundaryRules';
  const bucket = (name: string) => ({
    ...RULE,
    availableResource: `//storage.googleapis.com/projects/_/buckets/${name}`,
  });
  const role = (name: unknown) => ({ ...RULE, availablePermissions: [name] });
  const condition = (value: unknown) => ({ ...RULE, availabilityCondition: value });
  it.each<[string, unknown, string]>([
    ['nothing', {}, 'options.accessBoundary invalid'],
    ['another member next to it', { ...boundaryOf(RULE), userProject: 'acme' }, 'userProject unknown'],
    [
      'another member than its rules',
      { accessBoundary: { ...boundaryOf(RULE).accessBoundary, etag: '' } },
      'etag unknown',
    ],
    ['no rules', boundaryOf(), `${at} invalid`],
    ['eleven rules', boundaryOf(...Array(11).fill(RULE)), `${at} invalid`],
    ['rules that are no list', { accessBoundary: { accessBoundaryRules: RULE } }, `${at} invalid`],
    ['a rule with something else', boundaryOf({ ...RULE, etag: '' }), 'etag unknown'],
    ['no resource', boundaryOf({ ...RULE, availableResource: undefined }), `${at}.0.availableResource invalid`],
    [
      'a resource by another name',
      boundaryOf({ ...RULE, availableResource: 'gs://acme-cache' }),
      `${at}.0.availableResource invalid`,
    ],
    ['an object for a bucket', boundaryOf(bucket('acme-cache/objects/warm')), `${at}.0.availableResource invalid`],
    ['a bucket in capitals', boundaryOf(bucket('Acme')), `${at}.0.availableResource invalid`],
    ['a bucket of two letters', boundaryOf(bucket('ab')), `${at}.0.availableResource invalid`],
    ['a bucket that ends in a dot', boundaryOf(bucket('acme.')), `${at}.0.availableResource invalid`],
    ['a bucket of 64 letters', boundaryOf(bucket('a'.repeat(64))), `${at}.0.availableResource invalid`],
    ['no permissions', boundaryOf({ ...RULE, availablePermissions: [] }), `${at}.0.availablePermissions invalid`],
    ['a bare permission', boundaryOf(role('storage.objects.get')), `${at}.0.availablePermissions.0 invalid`],
    ['a bare role', boundaryOf(role('roles/storage.objectViewer')), `${at}.0.availablePermissions.0 invalid`],
    ['a role of a folder', boundaryOf(role('inRole:folders/1/roles/x')), `${at}.0.availablePermissions.0 invalid`],
    ['no role', boundaryOf(role('inRole:')), `${at}.0.availablePermissions.0 invalid`],
    ['a role that is a number', boundaryOf(role(1)), `${at}.0.availablePermissions.0 invalid`],
    ['a condition that is text', boundaryOf(condition('true')), `${at}.0.availabilityCondition invalid`],
    [
      'a condition without an expression',
      boundaryOf(condition({})),
      `${at}.0.availabilityCondition.expression invalid`,
    ],
    [
      'an empty expression',
      boundaryOf(condition({ expression: '' })),
      `${at}.0.availabilityCondition.expression invalid`,
    ],
    [
      'an expression of 2049 characters',
      boundaryOf(condition({ expression: 'x'.repeat(2049) })),
      `${at}.0.availabilityCondition.expression invalid`,
    ],
    [
      'a condition with something else',
      boundaryOf(condition({ expression: 'true', location: '' })),
      'location unknown',
    ],
  ])('has a boundary with %s', async (_, options, wrong) => {
    await refused(wrong, exchange(await formOf({ options: JSON.stringify(options) })));
  });

  it('shows the token of the service', async () => {
    const headers = { authorization: `Bearer ${await serviceToken()}` };
    await refused('an Authorization header', exchange(await formOf(), { headers }));
  });

  it('has parameters in the URL', async () => {
    await refused('parameters in the URL', exchange(await formOf(), { path: '/v1/token?alt=json' }));
  });

  it.each(['application/json', 'text/plain', 'application/x-www-form-urlencoded; boundary=x'])(
    'says that it is %s',
    async (type) => {
      await refused('a body that is not a form', exchange(await formOf(), { headers: { 'content-type': type } }));
    },
  );

  it.each([
    ['was invented', async () => 'ya29.c.invented', 'is not accepted'],
    ['is the service’s own', serviceToken, 'is not accepted'],
    [
      'is good for devstorage only',
      () => mintedToken([`${AUTH}/devstorage.full_control`]),
      'has no scope cloud-platform',
    ],
  ])('exchanges a token that %s', async (_, tokenOf, wrong) => {
    await refused(`subject_token ${wrong}`, exchange(await formOf({ subject_token: await tokenOf() })));
  });

  it('exchanges a token that has ended', async () => {
    const form = await formOf();
    clock.set(END);
    await refused('subject_token is not accepted', exchange(form));
  });

  it('exchanges a token whose account is disabled', async () => {
    const form = await formOf();
    await disable();
    await refused('subject_token is not accepted', exchange(form));
  });

  it('exchanges a token that is downscoped', async () => {
    google.before = undefined;
    const form = await formOf({ subject_token: await downscopedToken() });
    expect(await exchange(form)).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
    expect(google.unexpected).toEqual(['exchangeToken: subject_token is downscoped']);
    expect(google.exchanges).toHaveLength(1);
  });

  it.each(['GET', 'PUT'])('comes by %s', async (method) => {
    expect((await requestToken('/v1/token', { method })).status).toBe(404);
    expect(google.unexpected).toEqual([`${method} /v1/token`]);
  });
});

describe('an exchange that goes wrong', () => {
  it('gets the response of `before`, when it returns one', async () => {
    const seen: Call[] = [];
    const form = await formOf();
    google.before = (call) => {
      seen.push(call);
      return { status: 418, json: { instead: true } };
    };
    google.fault = () => ({ kind: 'cut' });
    expect(await exchange(form)).toEqual({ status: 418, json: { instead: true } });
    expect(seen).toMatchObject([{ method: 'exchangeToken', account: ACCOUNT }]);
    expect([google.exchanges.length, google.unexpected]).toEqual([1, []]);
  });

  it.each([
    [400, 'invalid_request'],
    [429, 'invalid_request'],
    [500, 'server_error'],
    [503, 'temporarily_unavailable'],
  ])('reports a status %i in the shape of OAuth', async (status, error) => {
    const form = await formOf();
    google.fault = ({ method }) => (method === 'exchangeToken' ? { kind: 'status', status } : undefined);
    expect(await exchange(form)).toEqual({ status, json: { error, error_description: `A fault: ${status}.` } });
    expect([google.exchanges.length, google.unexpected]).toEqual([1, []]);
  });

  it('can be cut off, or get a response that is not JSON', async () => {
    const form = await formOf();
    google.fault = () => ({ kind: 'cut' });
    await expect(exchange(form)).rejects.toThrow('fetch failed');
    google.fault = () => ({ kind: 'garbage' });
    await expect(exchange(form)).rejects.toThrow(SyntaxError);
  });

  it('is refused when the account is disabled before the response, which is not listed as unexpected', async () => {
    const form = await formOf();
    google.before = async ({ method }) => {
      if (method === 'exchangeToken') await disable();
      return undefined;
    };
    expect(await exchange(form)).toEqual({
      status: 400,
      json: { error: 'invalid_request', error_description: 'subject_token is not accepted' },
    });
    expect([google.exchanges.length, google.unexpected]).toEqual([1, []]);
  });
});

describe('a downscoped token', () => {
  it('opens no other API than Cloud Storage', async () => {
    const denied = { status: 403, json: { error: { code: 403, status: 'PERMISSION_DENIED' } } };
    const accessToken = await downscopedToken();
    expect(await atGate(accessToken)).toMatchObject(denied);
    await disable();
    expect(await atGate(accessToken)).toMatchObject(denied);
    clock.set(END - 1);
    expect(await atGate(accessToken)).toMatchObject(denied);
  });

  it('is unknown at the gate from the end of its account’s token on', async () => {
    const accessToken = await downscopedToken();
    clock.set(END);
    expect(await atGate(accessToken)).toMatchObject({
      status: 401,
      json: { error: { status: 'UNAUTHENTICATED', details: [{ reason: 'ACCESS_TOKEN_EXPIRED' }] } },
    });
  });

  it('is not listed among the minted tokens', async () => {
    await downscopedToken();
    expect(google.minted).toEqual([{ account: ACCOUNT, expiresAt: END, at: START }]);
  });
});
