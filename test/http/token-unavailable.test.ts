import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LocalResponse } from '../../sandbox/local-server.ts';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import { type Called, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { DEPENDENCY_UNAVAILABLE } from '../fixtures/refusals.ts';
import { grantsOf, newJobToken, sendByPath, sendForm, tokenForm } from './token-request.ts';

const googleError = (code: number, status: string): LocalResponse => ({
  status: code,
  json: { error: { code, status, message: 'the test says so' } },
});
/** Ways in which any call to Google can fail. */
const FAILURES: [string, LocalResponse, string][] = [
  ['500', googleError(500, 'INTERNAL'), 'returned 500 INTERNAL the test says so'],
  ['503 in HTML', { status: 503, text: '<html><b>Try later</b></html>' }, 'returned 503'],
  ['403 in HTML', { status: 403, text: '<html><b>No</b></html>' }, 'returned 403'],
  ['401', googleError(401, 'UNAUTHENTICATED'), 'returned 401 UNAUTHENTICATED the test says so'],
  ['429', googleError(429, 'RESOURCE_EXHAUSTED'), 'returned 429'],
  ['201', { status: 201, json: {} }, 'returned 201'],
  [
    'a redirect',
    { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
    'a redirect (302), which is not followed',
  ],
  ['200 and HTML', { status: 200, text: '<html>Sign in</html>' }, 'returned something unexpected'],
  ['200 and half of a response', { status: 200, text: '{"accessToken":"ya29.c.half' }, 'returned something unexpected'],
  ['200 and an empty object', { status: 200, json: {} }, 'returned something unexpected'],
  ['200 and a list', { status: 200, json: [] }, 'returned something unexpected'],
  ['200 and nothing', { status: 200, text: '' }, 'returned something unexpected'],
  ['more than it should', { status: 200, text: `"${'x'.repeat(300_000)}"` }, 'returned more than 262144 bytes'],
];
let keydesk: InProcessKeydesk;
const inAnHour = (hours: number) => new Date(keydesk.clock.now() + hours * 3_600_000).toISOString();
const ACCESS_TOKEN_FAILURES: [string, () => object, string][] = [
  ['an empty token', () => ({ accessToken: '', expireTime: inAnHour(0.1) }), 'something unexpected'],
  ['a token that is no text', () => ({ accessToken: 1, expireTime: inAnHour(0.1) }), 'something unexpected'],
  ['a token without an end', () => ({ accessToken: 'ya29.c.endless' }), 'something unexpected'],
  ['a token whose end is no time', () => ({ accessToken: 'ya29.c.x', expireTime: 'soon' }), 'something unexpected'],
  [
    'a token whose end is a number',
    () => ({ accessToken: 'ya29.c.x', expireTime: 4_000_000_000 }),
    'something unexpected',
  ],
  [
    'a token that outlives the request',
    () => ({ accessToken: 'ya29.c.x', expireTime: inAnHour(1) }),
    'lives longer than requested',
  ],
];

describe('when what the token endpoint depends on fails', () => {
  let whole: InProcessKeydesk['tokenDeps'];
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());
  beforeEach(() => {
    whole = { ...keydesk.tokenDeps };
  });
  afterEach(() => {
    keydesk.google.before = undefined;
    Object.assign(keydesk.tokenDeps, whole);
  });

  const requestToken = (jobToken: string, credential: string) => {
    const form = tokenForm(jobToken);
    form.set('audience', credential);
    return sendForm(keydesk, form);
  };
  const expectUnavailable = (response: Called, what: string, detail: string, retryAfter = '2') => {
    expect(response.status).toBe(503);
    expect(response.json).toMatchObject({
      error: 'temporarily_unavailable',
      error_description: expect.stringContaining(`${DEPENDENCY_UNAVAILABLE} Request id: `),
    });
    expect(response.headers.get('retry-after')).toBe(retryAfter);
    expect(response.audit).toMatchObject([{ severity: 'ERROR', reason: 'dependency_unavailable', dependency: what }]);
    expect(response.audit[0].error).toContain(detail);
  };
  const expectNothingRecordedAsIssued = async (jobToken: string) => {
    for (const grant of await grantsOf(keydesk, jobToken))
      expect(grant).toMatchObject({ state: 'issuing', tokens: [], tokens_issued: 0, issued_at: null });
  };

  describe.each([
    ['staging-export', 'iamcredentials generateAccessToken'],
    ['staging-config', 'iamcredentials signJwt'],
  ])('%s is not issued, and is when the caller tries again', (credential, what) => {
    it.each(FAILURES)('Google returns %s', async (name, failure, detail) => {
      const jobToken = await newJobToken(keydesk);
      keydesk.google.before = () => failure;
      expectUnavailable(await requestToken(jobToken, credential), what, detail, name === '429' ? '10' : '2');
      await expectNothingRecordedAsIssued(jobToken);
      keydesk.google.before = undefined;
      expect((await requestToken(jobToken, credential)).status).toBe(200);
    });
  });

  it.each(ACCESS_TOKEN_FAILURES)("an account's token is not issued when Google returns %s", async (_, json, detail) => {
    const jobToken = await newJobToken(keydesk);
    keydesk.google.before = () => ({ status: 200, json: json() });
    const response = await requestToken(jobToken, 'staging-export');
    expectUnavailable(response, 'iamcredentials generateAccessToken', detail);
    await expectNothingRecordedAsIssued(jobToken);
  });

  it('nothing is issued when Identity Toolkit does not take what was signed', async () => {
    const jobToken = await newJobToken(keydesk);
    keydesk.google.before = () => ({ status: 200, json: { keyId: 'x', signedJwt: 'not-a-jwt' } });
    const response = await requestToken(jobToken, 'staging-config');
    expect([response.status, response.json.permanent]).toEqual([503, true]);
    expect(response.audit).toMatchObject([{ google_code: 'INVALID_CUSTOM_TOKEN', cause: 'signer_not_accepted' }]);
    await expectNothingRecordedAsIssued(jobToken);
  });

  describe.each(['staging-config', 'staging-export'])('the ledger: %s', (credential) => {
    const down = () =>
      Promise.reject(new DependencyError('ledger', 'call_failed', 'the test took it down', { retryAfter: 7 }));

    it('a credential does not leave when it cannot be reserved', async () => {
      const jobToken = await newJobToken(keydesk);
      keydesk.tokenDeps.ledger = { ...whole.ledger, prepare: down };
      expectUnavailable(await requestToken(jobToken, credential), 'ledger', 'the test took it down', '7');
      expect(await grantsOf(keydesk, jobToken)).toEqual([]);
    });

    it('a credential that was minted does not leave when its token cannot be recorded', async () => {
      const jobToken = await newJobToken(keydesk);
      const minted: string[] = [];
      keydesk.tokenDeps.mint = async (request) => {
        const token = await whole.mint(request);
        minted.push(token.accessToken);
        return token;
      };
      keydesk.tokenDeps.ledger = { ...whole.ledger, activate: down };
      for (const response of [
        await requestToken(jobToken, credential),
        await sendByPath(keydesk, jobToken, credential, { accept: 'text/plain' }),
      ]) {
        expectUnavailable(response, 'ledger', 'the test took it down', '7');
        for (const token of minted) expect(response.text).not.toContain(token);
      }
      expect(minted).toHaveLength(2);
      await expectNothingRecordedAsIssued(jobToken);

      Object.assign(keydesk.tokenDeps, whole);
      const response = await requestToken(jobToken, credential);
      expect(response.status).toBe(200);
      const [grant] = await grantsOf(keydesk, jobToken);
      expect(grant).toMatchObject({
        state: 'active',
        tokens_issued: 1,
        tokens: [{ sha256: tokenSha256(response.json.access_token) }],
      });
    });
  });

  it('nothing is issued when the grant document cannot be opened', async () => {
    const jobToken = await newJobToken(keydesk);
    keydesk.tokenDeps.openGrantDocument = () =>
      Promise.reject(new DependencyError('grant document', 'call_failed', 'the test broke it'));
    expectUnavailable(await requestToken(jobToken, 'staging-config'), 'grant document', 'the test broke it');
    await expectNothingRecordedAsIssued(jobToken);
  });

  it('nothing is judged when the keys of Buildkite cannot be had', async () => {
    keydesk.tokenDeps.verifyJobToken = () =>
      Promise.reject(new DependencyError('Buildkite keys', 'unreachable', 'could not be reached'));
    expectUnavailable(await requestToken('a.b.c', 'staging-config'), 'Buildkite keys', 'could not be reached');
  });

  it('a refusal of the ledger comes before a failure of Google', async () => {
    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job);
    await keydesk.notify(keydesk.buildkite.event(job));
    keydesk.google.before = () => googleError(500, 'INTERNAL');
    expect((await requestToken(jobToken, 'staging-config')).json).toMatchObject({ error: 'invalid_grant' });
  });

  it('an internal error is returned in JSON, without its cause', async () => {
    keydesk.tokenDeps.verifyJobToken = () => Promise.reject(new Error('a <b>bug</b>'));
    const response = await keydesk.requestByPath('a.b.c');
    expect(response.status).toBe(500);
    expect(response.json).toEqual({
      error: 'server_error',
      error_description: expect.stringMatching(
        new RegExp(`^[^<]*Request id: ${response.headers.get('x-request-id')}$`),
      ),
      request_id: response.headers.get('x-request-id'),
    });
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.audit).toMatchObject([{ event: 'request.failed', severity: 'ERROR' }]);
  });

  it('a job that requests too often learns when to come back', async () => {
    const refusal = { reason: 'live_token_limit', grant_id: 'f'.repeat(32), retryAfter: 31 } as const;
    keydesk.tokenDeps.ledger = { ...whole.ledger, prepare: async () => ({ refusal }) };
    const response = await requestToken(await newJobToken(keydesk), 'staging-config');
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('31');
    expect(response.json).toMatchObject({ error: 'temporarily_unavailable' });
    expect(response.audit).toMatchObject([{ reason: 'live_token_limit', retry_after_s: 31 }]);
  });
});
