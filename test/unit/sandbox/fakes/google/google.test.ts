import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../../../../sandbox/fakes/google/fault.ts';
import { type FakeGoogle, startFakeGoogle } from '../../../../../sandbox/fakes/google/google.ts';
import type { Identity } from '../../../../../sandbox/fakes/google/metadata.ts';
import { systemClock } from '../../../../../shared/runtime/clock.ts';
import { TestClock } from '../../../../fixtures/test-clock.ts';

const ACCOUNT = 'pool-1@acme-pool.iam.gserviceaccount.com';
const OTHER = 'pool-2@acme-pool.iam.gserviceaccount.com';
const OF_DOMAIN = 'pool-3@pool.acme.example.iam.gserviceaccount.com';
const NOBODY = 'pool-9@acme-pool.iam.gserviceaccount.com';
const SCOPE = 'https://www.googleapis.com/auth/datastore';
const START = Date.parse('2030-01-01T00:00:00.500Z');
const PERMISSION = {
  generateAccessToken: 'iam.serviceAccounts.getAccessToken',
  signJwt: 'iam.serviceAccounts.signJwt',
  get: 'iam.serviceAccounts.get',
  disable: 'iam.serviceAccounts.disable',
  enable: 'iam.serviceAccounts.enable',
};
type Method = keyof typeof PERMISSION;

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers they are about to check
  readonly json: any;
}

let google: FakeGoogle;
let clock: TestClock;
beforeEach(async () => {
  clock = new TestClock(START);
  google = await startFakeGoogle({ accounts: [ACCOUNT, OTHER, OF_DOMAIN], clock });
});
afterEach(() => google.close());

async function answerOf(fetching: Promise<Response>): Promise<Answer> {
  const response = await fetching;
  return { status: response.status, json: await response.json() };
}

async function tokenOf(identity: Identity): Promise<string> {
  const host = identity === 'anyone' ? google.metadataHost : google.metadataHosts[identity];
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`;
  const { json } = await answerOf(fetch(url, { headers: { 'metadata-flavor': 'Google' } }));
  return json.access_token;
}

async function requestToken(path: string, init: RequestInit = {}, identity: Identity = 'anyone'): Promise<Answer> {
  const headers = { authorization: `Bearer ${await tokenOf(identity)}`, ...init.headers };
  return answerOf(fetch(`${google.url}${path}`, { ...init, headers }));
}

function sending(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function call(method: Method, account = ACCOUNT, identity: Identity = 'anyone', init: RequestInit = {}) {
  const project = account === OF_DOMAIN ? 'acme.example:pool' : 'acme-pool';
  const path = `/v1/projects/${encodeURIComponent(project)}/serviceAccounts/${encodeURIComponent(account)}`;
  const credentials = `/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}:${method}`;
  switch (method) {
    case 'generateAccessToken':
      return requestToken(credentials, { ...sending({ scope: [SCOPE], lifetime: '900s' }), ...init }, identity);
    case 'signJwt':
      return requestToken(credentials, { ...sending({ payload: '{"uid":"u"}' }), ...init }, identity);
    case 'get':
      return requestToken(path, init, identity);
    default:
      return requestToken(`${path}:${method}`, { ...sending({}), ...init }, identity);
  }
}

function atGate(accessToken: string): Promise<Answer> {
  return answerOf(fetch(`${google.url}/gate/of/anything`, { headers: { authorization: `Bearer ${accessToken}` } }));
}

async function mintedToken(account = ACCOUNT): Promise<string> {
  const { status, json } = await call('generateAccessToken', account);
  expect(status).toBe(200);
  return json.accessToken;
}

const errorInfo = (reason: string, metadata: object) => [
  { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'googleapis.com', metadata },
];

describe('the service accounts of the fake IAM', () => {
  it('have the form of Google’s responses, without a `disabled` that is false', async () => {
    const { status, json } = await call('get');
    expect(status).toBe(200);
    expect(json).toEqual({
      name: `projects/acme-pool/serviceAccounts/${ACCOUNT}`,
      projectId: 'acme-pool',
      uniqueId: expect.stringMatching(/^[0-9]{21}$/),
      email: ACCOUNT,
      displayName: 'pool-1',
      etag: expect.any(String),
      oauth2ClientId: json.uniqueId,
    });
    expect((await call('get')).json).toEqual(json);
    expect((await call('get', OTHER)).json.uniqueId).not.toBe(json.uniqueId);
  });

  it('are found by the project of a domain, too', async () => {
    const { status, json } = await call('get', OF_DOMAIN);
    expect([status, json.projectId, json.email]).toEqual([200, 'acme.example:pool', OF_DOMAIN]);
    expect(google.unexpected).toEqual([]);
  });

  it('can be disabled and enabled any number of times', async () => {
    for (const method of ['disable', 'disable', 'enable', 'enable'] as const) {
      expect(await call(method)).toEqual({ status: 200, json: {} });
      expect((await call('get')).json.disabled).toBe(method === 'disable' ? true : undefined);
      expect(google.accounts.get(ACCOUNT)).toEqual({ disabled: method === 'disable' });
      clock.advance(1000);
    }
    expect(google.accounts.get(OTHER)).toEqual({ disabled: false });
    expect(google.changes).toEqual([
      { at: START, account: ACCOUNT, disabled: true },
      { at: START + 2000, account: ACCOUNT, disabled: false },
    ]);
    expect(google.unexpected).toEqual([]);
  });

  it('are disabled by an empty body as well', async () => {
    const path = `/v1/projects/acme-pool/serviceAccounts/${ACCOUNT}:disable`;
    expect(await requestToken(path, { method: 'POST' })).toEqual({ status: 200, json: {} });
    expect(google.accounts.get(ACCOUNT)).toEqual({ disabled: true });
  });

  it.each([
    ['a member', { body: '{"force":true}' }],
    ['a list', { body: '[]' }],
    ['half an object', { body: '{' }],
    ['another type of content', { headers: { 'content-type': 'text/plain' } }],
  ])('are not disabled by a body with %s', async (_, init) => {
    const { status, json } = await call('disable', ACCOUNT, 'anyone', init);
    expect([status, json.error.status]).toEqual([400, 'INVALID_ARGUMENT']);
    expect(google.unexpected).toEqual(['disable malformed']);
    expect([google.calls, google.changes]).toEqual([[], []]);
  });

  it.each(['get', 'disable', 'enable'] as const)('that do not exist are not found by %s', async (method) => {
    expect(await call(method, NOBODY)).toEqual({
      status: 404,
      json: { error: { code: 404, status: 'NOT_FOUND', message: 'Unknown service account' } },
    });
    expect(google.accounts.has(NOBODY)).toBe(false);
  });

  it.each([
    ['another project', 'acme-other', 404, 'NOT_FOUND'],
    ['the end of its project', 'pool', 404, 'NOT_FOUND'],
    ['the wildcard', '-', 400, 'INVALID_ARGUMENT'],
  ])('are not reached by %s', async (_, project, code, status) => {
    const path = `/v1/projects/${project}/serviceAccounts/${ACCOUNT}`;
    const responses = [
      await requestToken(path),
      await requestToken(`${path}:disable`, sending({})),
      await requestToken(`${path}:enable`, sending({})),
    ];
    for (const { json } of responses) expect(json.error).toMatchObject({ code, status });
    expect(google.unexpected).toHaveLength(3);
    expect([google.calls, google.changes]).toEqual([[], []]);
  });

  it('are not reached by IAM Credentials in any project but the wildcard', async () => {
    const path = `/v1/projects/acme-pool/serviceAccounts/${ACCOUNT}:generateAccessToken`;
    const { status } = await requestToken(path, sending({ scope: [SCOPE], lifetime: '900s' }));
    expect(status).toBe(400);
    expect(google.unexpected).toEqual(['generateAccessToken with acme-pool for the project']);
    expect(google.minted).toEqual([]);
  });

  it.each([
    ['DELETE', ''],
    ['GET', ':disable'],
    ['POST', ''],
    ['POST', ':undelete'],
  ])('know no %s of "%s"', async (method, verb) => {
    const path = `/v1/projects/acme-pool/serviceAccounts/${ACCOUNT}${verb}`;
    expect((await requestToken(path, { method })).status).toBe(404);
    expect(google.unexpected).toEqual([`${method} ${path}`]);
  });

  it.each(Object.keys(PERMISSION) as Method[])(
    'do nothing for a %s with a token that is not a service’s',
    async (method) => {
      const accessToken = await mintedToken();
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` };
      const { status, json } = await call(method, ACCOUNT, 'anyone', { headers });
      expect([status, json.error.status]).toEqual([401, 'UNAUTHENTICATED']);
      expect(google.unexpected).toEqual([`${method} without the service's own token`]);
    },
  );
});

describe('the access tokens of a service account', () => {
  it('are refused while it is disabled and accepted again once it is enabled', async () => {
    const accessToken = await mintedToken();
    const ofOther = await mintedToken(OTHER);
    const accepted = { status: 200, json: { account: ACCOUNT, scope: SCOPE } };
    expect(await atGate(accessToken)).toEqual(accepted);
    await call('disable');
    const { status, json } = await atGate(accessToken);
    expect(status).toBe(401);
    expect(json.error).toMatchObject({ code: 401, status: 'UNAUTHENTICATED' });
    expect(json.error.details).toEqual(errorInfo('ACCOUNT_STATE_INVALID', { email: ACCOUNT }));
    expect((await atGate(ofOther)).status).toBe(200);
    await call('enable');
    expect(await atGate(accessToken)).toEqual(accepted);
  });

  it('are accepted for longer, and once more after a rejection, where a test says so', async () => {
    const accessToken = await mintedToken();
    google.propagation = { delayMs: 7_000, acceptNthRejection: 2 };
    clock.advance(60_000);
    await call('disable');
    const statuses = async (count: number) => {
      const seen: number[] = [];
      for (let nth = 0; nth < count; nth += 1) seen.push((await atGate(accessToken)).status);
      return seen;
    };
    clock.advance(6_999);
    expect(await statuses(2)).toEqual([200, 200]);
    clock.advance(1);
    expect(await statuses(4)).toEqual([401, 200, 401, 401]);
    google.propagation = { delayMs: Number.POSITIVE_INFINITY };
    expect(await statuses(1)).toEqual([200]);
    google.propagation = undefined;
    expect(await statuses(1)).toEqual([401]);
  });

  it('are refused from their expiry on, on the given clock', async () => {
    const accessToken = await mintedToken();
    const expiresAt = Date.parse('2030-01-01T00:15:00Z');
    expect(google.minted).toEqual([{ account: ACCOUNT, expiresAt, at: START }]);
    clock.set(expiresAt - 1);
    expect((await atGate(accessToken)).status).toBe(200);
    clock.set(expiresAt);
    const { status, json } = await atGate(accessToken);
    expect([status, json.error.status]).toEqual([401, 'UNAUTHENTICATED']);
    expect(json.error.details).toEqual(errorInfo('ACCESS_TOKEN_EXPIRED', {}));
  });

  it('are refused without a reason when Google never issued them', async () => {
    const { status, json } = await atGate('ya29.c.invented');
    expect([status, json.error.status, json.error.details]).toEqual([401, 'UNAUTHENTICATED', undefined]);
  });

  it.each(['generateAccessToken', 'signJwt'] as const)('are not issued by %s while it is disabled', async (method) => {
    await call('disable');
    const { status, json } = await call(method);
    expect([status, json.error.status]).toEqual([400, 'FAILED_PRECONDITION']);
    expect(google.minted).toEqual([]);
    await call('enable');
    expect((await call(method)).status).toBe(200);
  });

  it.each(['generateAccessToken', 'signJwt'] as const)(
    'are not issued by %s for an account that does not exist',
    async (method) => {
      const { status, json } = await call(method, NOBODY);
      expect([status, json.error.status]).toEqual([403, 'PERMISSION_DENIED']);
      expect(json.error.message).toContain(`'${PERMISSION[method]}'`);
      expect(google.minted).toEqual([]);
    },
  );

  it('have a JWT whose expiry is checked on the given clock', async () => {
    const sign = (exp: number) =>
      call('signJwt', ACCOUNT, 'anyone', sending({ payload: JSON.stringify({ exp: Math.floor(exp / 1000) }) }));
    expect((await sign(START)).status).toBe(200);
    expect((await sign(START - 1000)).status).toBe(400);
    expect((await sign(START + 12 * 3_600_000)).status).toBe(200);
    expect((await sign(START + 12 * 3_600_000 + 1000)).status).toBe(400);
  });
});

describe('the identities of the functions', () => {
  const MAY: Record<Identity, Method[]> = {
    anyone: ['generateAccessToken', 'signJwt', 'get', 'disable', 'enable'],
    token: ['generateAccessToken', 'signJwt', 'get', 'disable'],
    webhook: ['get', 'disable'],
    sweep: ['get', 'disable', 'enable'],
    reader: [],
    admin: ['get', 'disable'],
  };
  const cases = (Object.keys(MAY) as Identity[]).flatMap((identity) =>
    (Object.keys(PERMISSION) as Method[]).map((method) => ({ identity, method, may: MAY[identity].includes(method) })),
  );

  it.each(cases.filter(({ may }) => may))('let $identity call $method', async ({ identity, method }) => {
    expect((await call(method, ACCOUNT, identity)).status).toBe(200);
    expect(google.calls).toMatchObject([{ identity, method, account: ACCOUNT }]);
    expect(google.unexpected).toEqual([]);
  });

  it.each(cases.filter(({ may }) => !may))('do not let $identity call $method', async ({ identity, method }) => {
    google.before = () => ({ status: 200, json: {} });
    const { status, json } = await call(method, ACCOUNT, identity);
    expect([status, json.error.status]).toEqual([403, 'PERMISSION_DENIED']);
    expect(json.error.message).toContain(`'${PERMISSION[method]}'`);
    expect(json.error.details[0].metadata).toEqual({ permission: PERMISSION[method] });
    expect(google.unexpected).toEqual([`${method} by ${identity}, which has no ${PERMISSION[method]}`]);
    expect(google.calls).toMatchObject([{ identity, method }]);
    expect([google.changes, google.minted]).toEqual([[], []]);
  });

  it('are distinguished only by the address of their metadata server', async () => {
    const hosts = [google.metadataHost, ...Object.values(google.metadataHosts)];
    expect(new Set(hosts).size).toBe(6);
    for (const host of hosts) expect(host).toMatch(/^127\.0\.0\.1:[0-9]+$/);
  });

  it('end with Google', async () => {
    const hosts = [google.metadataHost, ...Object.values(google.metadataHosts)];
    await google.close();
    for (const host of hosts) await expect(fetch(`http://${host}/`)).rejects.toThrow('fetch failed');
  });

  it('are recorded with the reason that the caller gave', async () => {
    const headers = { 'content-type': 'application/json', 'x-goog-request-reason': 'buildkite-job/1' };
    await call('disable', ACCOUNT, 'webhook', { headers });
    expect(google.calls).toEqual([
      { method: 'disable', account: ACCOUNT, identity: 'webhook', body: {}, reason: 'buildkite-job/1' },
    ]);
  });
});

describe('the clock of the fake Google', () => {
  it('is the real one when none is given', async () => {
    const real = await startFakeGoogle({ accounts: [ACCOUNT] });
    const given = google;
    google = real;
    try {
      const before = systemClock.now();
      await mintedToken();
      await call('disable');
      expect(real.minted[0]?.at).toBeGreaterThanOrEqual(before);
      expect(real.changes[0]?.at).toBeGreaterThanOrEqual(before);
      expect(real.changes[0]?.at).toBeLessThanOrEqual(systemClock.now());
    } finally {
      google = given;
      await real.close();
    }
  });
});

describe('a fault of the fake Google', () => {
  const isDisabled = () => google.accounts.get(ACCOUNT)?.disabled;
  const failing = (fault: Fault) => {
    google.fault = () => fault;
  };

  it('affects the calls that it names and no others', async () => {
    google.fault = ({ method, account }) =>
      method === 'disable' && account === ACCOUNT ? { kind: 'status', status: 503 } : undefined;
    expect((await call('disable')).status).toBe(503);
    expect((await call('disable', OTHER)).status).toBe(200);
    expect((await call('get')).status).toBe(200);
    google.fault = undefined;
    expect((await call('disable')).status).toBe(200);
  });

  it('is not used when `before` has returned a response', async () => {
    google.before = () => ({ status: 418, json: {} });
    failing({ kind: 'status', status: 503 });
    expect((await call('disable')).status).toBe(418);
    google.before = async () => undefined;
    expect((await call('disable')).status).toBe(503);
  });

  it('slow: does the work at once and responds when the time is over', async () => {
    failing({ kind: 'slow', ms: 50 });
    expect(await call('disable')).toEqual({ status: 200, json: {} });
    expect(clock.now()).toBe(START + 50);
    failing({ kind: 'slow', ms: 60_000 });
    const leaving = new AbortController();
    const requested = call('enable', ACCOUNT, 'anyone', { signal: leaving.signal });
    requested.catch(() => {});
    await expect.poll(isDisabled).toBe(false);
    leaving.abort();
    await expect(requested).rejects.toThrow('aborted');
  });

  it.each([
    [429, 'RESOURCE_EXHAUSTED'],
    [403, 'PERMISSION_DENIED'],
    [500, 'INTERNAL'],
    [503, 'UNAVAILABLE'],
    [599, 'UNKNOWN'],
  ])('status %i: responds with %s in Google’s shape and does nothing', async (code, status) => {
    failing({ kind: 'status', status: code });
    expect(await call('disable')).toEqual({
      status: code,
      json: { error: { code, status, message: expect.any(String) } },
    });
    expect(isDisabled()).toBe(false);
    expect(google.unexpected).toEqual([]);
  });

  it('garbage: does the work and responds with 200 and text that is not JSON', async () => {
    failing({ kind: 'garbage' });
    await expect(call('disable')).rejects.toThrow(SyntaxError);
    expect(isDisabled()).toBe(true);
    await expect(call('generateAccessToken', OTHER)).rejects.toThrow(SyntaxError);
    expect(google.minted).toMatchObject([{ account: OTHER }]);
  });

  it('hang: does nothing and does not respond', async () => {
    failing({ kind: 'hang' });
    const leaving = new AbortController();
    const requested = call('disable', ACCOUNT, 'anyone', { signal: leaving.signal });
    requested.catch(() => {});
    await expect.poll(() => google.calls.length).toBe(1);
    leaving.abort();
    await expect(requested).rejects.toThrow('aborted');
    expect(google.calls).toHaveLength(1);
    expect(isDisabled()).toBe(false);
  });

  it('hang: ends when Google closes', async () => {
    const hung = new Promise<void>((resolve) => {
      google.fault = () => {
        resolve();
        return { kind: 'hang' };
      };
    });
    const requested = call('disable');
    requested.catch(() => {});
    await hung;
    await google.close();
    await expect(requested).rejects.toThrow('fetch failed');
    expect(google.changes).toEqual([]);
  });

  it('cut: does the work and ends the connection without a response', async () => {
    failing({ kind: 'cut' });
    await expect(call('disable')).rejects.toThrow('fetch failed');
    expect(isDisabled()).toBe(true);
    expect(google.calls).toHaveLength(1);
  });

  it('late: responds as if the work were done, and does it when the time has come', async () => {
    const accessToken = await mintedToken();
    const { promise, resolve } = Promise.withResolvers<void>();
    failing({ kind: 'late', changes: promise });
    expect(await call('disable')).toEqual({ status: 200, json: {} });
    expect((await call('get')).json.disabled).toBeUndefined();
    expect((await atGate(accessToken)).status).toBe(200);
    expect(google.changes).toEqual([]);
    clock.advance(5000);
    resolve();
    await expect.poll(isDisabled).toBe(true);
    expect((await call('get')).json.disabled).toBe(true);
    expect((await atGate(accessToken)).status).toBe(401);
    expect(google.changes).toEqual([{ at: START + 5000, account: ACCOUNT, disabled: true }]);
  });

  it('late: undoes what was done in the meantime, as a request still on its way does', async () => {
    await call('disable');
    const { promise, resolve } = Promise.withResolvers<void>();
    failing({ kind: 'late', changes: promise });
    await call('enable');
    google.fault = undefined;
    await call('disable');
    resolve();
    await expect.poll(isDisabled).toBe(false);
    expect(google.changes.map(({ disabled }) => disabled)).toEqual([true, false]);
  });

  it('late: never does the work when the time never comes', async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    failing({ kind: 'late', changes: promise });
    await call('disable');
    reject(new Error('never'));
    expect((await call('get')).json.disabled).toBeUndefined();
    expect(google.changes).toEqual([]);
  });

  it('late: still does not find an account that does not exist', async () => {
    failing({ kind: 'late', changes: Promise.resolve() });
    expect((await call('disable', NOBODY)).status).toBe(404);
    expect(google.accounts.has(NOBODY)).toBe(false);
  });

  it.each(['generateAccessToken', 'signJwt', 'get'] as const)('late: changes nothing about %s', async (method) => {
    failing({ kind: 'late', changes: new Promise(() => {}) });
    expect((await call(method)).status).toBe(200);
  });
});
