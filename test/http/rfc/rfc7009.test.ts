// RFC 7009, OAuth 2.0 Token Revocation: what it asks of an authorization server, by section. Where Keydesk does otherwise
// on purpose, the title says "knowingly otherwise" and the test holds it to what it does instead.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Job } from '../../../sandbox/fakes/buildkite/job.ts';
import { firestoreAs, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { FORM, send } from '../token-request.ts';

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterEach(() => {
  keydesk.google.fault = undefined;
});
afterAll(async () => {
  expect(keydesk.google.unexpected).toEqual([]);
  await keydesk.close();
});

async function newHolder(credential = 'staging-config', job: Job = keydesk.buildkite.startJob()): Promise<string> {
  const { status, json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), credential);
  expect(status).toBe(200);
  return json.access_token;
}
const revoke = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  keydesk.call(`${keydesk.tokenUrl}/revoke`, { method: 'POST', headers, body: new URLSearchParams(form) });
const isActive = async (token: string): Promise<boolean> => (await keydesk.introspect(token)).json.active;
/** What Firestore returns to its holder. */
const used = (token: string) => firestoreAs(keydesk, token, 'config/web', { method: 'PATCH' });

describe('RFC 7009 section 2: token revocation', () => {
  it.each(['staging-config', 'staging-admin'])('takes the access of %s away', async (credential) => {
    const token = await newHolder(credential);
    expect((await keydesk.revoke(token)).status).toBe(200);
    expect(await isActive(token)).toBe(false);
  });

  it('has no refresh tokens whose revocation it would have to support', async () => {
    const { json } = await keydesk.requestByForm(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob()));
    expect(json).not.toHaveProperty('refresh_token');
  });

  it('is requested by POST, so that no URL has a token', async () => {
    const token = await newHolder();
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      const response = await send(keydesk, { method, path: `/revoke?token=${token}` });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    }
    expect(await isActive(token)).toBe(true);
  });

  it('publishes its URL with https wherever others can reach it', async () => {
    const path = '/.well-known/oauth-authorization-server';
    const { json } = await send(keydesk, { method: 'GET', path, headers: { host: 'keydesk.acme.example' } });
    expect(json.revocation_endpoint).toBe('https://keydesk.acme.example/revoke');
  });
});

describe('RFC 7009 section 2.1: the request', () => {
  it('needs a token, and takes an empty one for none', async () => {
    for (const body of ['', 'token=', 'token_type_hint=access_token']) {
      const response = await send(keydesk, { path: '/revoke', headers: { 'content-type': FORM }, body });
      expect([response.status, response.json.error]).toEqual([400, 'invalid_request']);
    }
  });

  it('is a form and nothing else', async () => {
    const token = await newHolder();
    const headers = { 'content-type': 'application/json' };
    const response = await send(keydesk, { path: '/revoke', headers, body: JSON.stringify({ token }) });
    expect([response.status, response.json.error]).toEqual([415, 'invalid_request']);
    expect(await isActive(token)).toBe(true);
  });

  it.each(['access_token', 'refresh_token', 'pct', '', '🔑'])(
    'ends a token under the hint %j',
    async (token_type_hint) => {
      const token = await newHolder();
      expect((await revoke({ token, token_type_hint })).status).toBe(200);
      expect(await used(token)).toBe(403);
    },
  );

  it('ignores whatever else is sent along, a repeated hint too', async () => {
    const token = await newHolder();
    const body = `token=${token}&token_type_hint=a&token_type_hint=b&client_id=x&callback=alert`;
    expect((await send(keydesk, { path: '/revoke', headers: { 'content-type': FORM }, body })).status).toBe(200);
    expect(await used(token)).toBe(403);
  });

  it('knowingly otherwise: requires no client, because the holder of a token may release it', async () => {
    for (const headers of [{}, { authorization: 'Basic d3Jvbmc6d3Jvbmc=' }, { authorization: 'Bearer nothing' }]) {
      const token = await newHolder();
      expect((await revoke({ token }, headers)).status).toBe(200);
      expect(await used(token)).toBe(403);
    }
  });

  it('has ended a token that rules check before it responds', async () => {
    const token = await newHolder();
    expect(await used(token)).toBe(200);
    await keydesk.revoke(token);
    expect(await used(token)).toBe(403);
  });

  it('ends every token of the grant, not only the one that was sent, and the job is given no other', async () => {
    const job = keydesk.buildkite.startJob();
    const [sent, other] = [await newHolder('staging-config', job), await newHolder('staging-config', job)];
    await keydesk.revoke(sent);
    expect([await used(sent), await used(other)]).toEqual([403, 403]);
    const again = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    expect([again.status, again.json.error]).toEqual([400, 'invalid_grant']);
  });

  it("leaves the job's other grants and those of other jobs alone", async () => {
    const job = keydesk.buildkite.startJob();
    const others = [
      await newHolder('staging-export', job),
      await newHolder('staging-cache', job),
      await newHolder('staging-config'),
    ];
    await keydesk.revoke(await newHolder('staging-config', job));
    expect(await Promise.all(others.map(isActive))).toEqual([true, true, true]);
  });

  it.each(['staging-export', 'staging-cache'])(
    'knowingly otherwise: cannot end a token of %s, says so with 200, and renews it no more',
    async (credential) => {
      const job = keydesk.buildkite.startJob();
      const token = await newHolder(credential, job);
      const response = await keydesk.revoke(token);
      expect([response.status, response.json]).toMatchObject([
        200,
        { revocation: 'expiry', expires_in: expect.any(Number) },
      ]);
      expect((await keydesk.introspect(token)).json).toMatchObject({ active: true, renewable: false });
      const again = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), credential);
      expect(again.json.error).toBe('invalid_grant');
    },
  );
});

describe('RFC 7009 section 2.2: the response', () => {
  it('is 200 to whatever is no token of its own, and like that to one that has ended', async () => {
    const ended = await newHolder();
    await keydesk.revoke(ended);
    const jobToken = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob());
    const live = await newHolder();
    for (const token of [
      ended,
      jobToken,
      live.slice(0, -1),
      `Bearer ${live}`,
      'unknown',
      '\u0000',
      'x'.repeat(15_000),
    ]) {
      const response = await keydesk.revoke(token);
      expect([response.status, Object.keys(response.json)]).toEqual([200, ['request_id']]);
    }
    expect(await used(live)).toBe(200);
  });

  it('is 200 for each repeated request', async () => {
    const token = await newHolder();
    for (let time = 0; time < 3; time += 1) expect((await keydesk.revoke(token)).status).toBe(200);
  });

  it('is the same under a hint that nobody knows', async () => {
    for (const token_type_hint of ['access_token', 'nonsense'])
      expect((await revoke({ token: 'unknown', token_type_hint })).status).toBe(200);
  });
});

describe('RFC 7009 section 2.2.1: the refusal', () => {
  it('has the shape of every refusal of the token endpoint', async () => {
    const { json, headers } = await keydesk.revoke('');
    expect(json).toEqual({
      error: 'invalid_request',
      error_description: expect.stringMatching(/^token is missing: .* Request id: /),
      request_id: headers.get('x-request-id'),
    });
  });

  it('never says that a type of token is not supported, also where access cannot be taken away', async () => {
    for (const credential of ['staging-config', 'staging-export', 'staging-cache'])
      expect((await keydesk.revoke(await newHolder(credential))).text).not.toContain('unsupported_token_type');
    expect((await revoke({ token: 'x', token_type_hint: 'refresh_token' })).text).not.toContain(
      'unsupported_token_type',
    );
  });

  it('is 503 with a time to come back when it could not be done, and the token is still good', async () => {
    const token = await newHolder('staging-admin');
    keydesk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 503 } : undefined);
    const response = await keydesk.revoke(token);
    expect([response.status, response.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(response.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/);
    expect(await keydesk.gate(token)).toBe(200);
    keydesk.google.fault = undefined;
    expect((await keydesk.revoke(token)).status).toBe(200);
    expect(await keydesk.gate(token)).toBe(401);
  });
});

describe('RFC 7009 section 2.3: other origins', () => {
  it('is not for browsers: neither CORS nor JSONP', async () => {
    const origin = { origin: 'https://x.example', 'access-control-request-method': 'POST' };
    const preflight = await send(keydesk, { method: 'OPTIONS', path: '/revoke', headers: origin });
    expect(preflight.status).toBe(405);
    const response = await revoke({ token: 'unknown', callback: 'package.call' }, { origin: 'https://x.example' });
    expect(response.json).toEqual({ request_id: expect.anything() });
    for (const { headers } of [preflight, response]) expect(headers.has('access-control-allow-origin')).toBe(false);
  });
});

describe('RFC 7009 section 5: security', () => {
  it('looks a token that it does not know up in the ledger only, whatever the hint', async () => {
    const calls = keydesk.google.calls.length;
    for (const token_type_hint of ['access_token', 'refresh_token', 'x'.repeat(1000)])
      await revoke({ token: 'unknown', token_type_hint });
    expect(keydesk.google.calls).toHaveLength(calls);
  });
});
