import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../shared/version.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { callRaw } from '../fixtures/raw-request.ts';
import { claimsMissing, NOT_GRANTED } from '../fixtures/refusals.ts';
import { grantsOf, newJobToken, send, sendByPath, sendForm, tokenForm, withoutRequestId } from './token-request.ts';

describe('the token endpoint', () => {
  let keydesk: InProcessKeydesk;
  let jobToken: string;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    jobToken = await newJobToken(keydesk);
  });
  afterAll(() => keydesk.close());

  const withAudience = (token: string, audience: string) => {
    const form = tokenForm(token);
    form.set('audience', audience);
    return form;
  };

  describe('where there is nothing', () => {
    it.each([
      '/tokens',
      '/Token',
      '/token.json',
      '//token',
      '/healthz',
      '/%74oken',
      '/../token',
      '/admin',
      '/.env',
      '*',
    ])('returns 404 at %s, with and without a job token', async (path) => {
      for (const headers of [{}, { authorization: `Bearer ${jobToken}` }]) {
        const response = await send(keydesk, { path, headers });
        expect(response.status).toBe(404);
        expect(response.json).toMatchObject({ error: 'not_found' });
        expect(response.audit).toMatchObject([{ reason: 'not_found' }]);
      }
    });
  });

  describe('with another method', () => {
    it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'])(
      'returns 405 to %s and names the accepted method',
      async (method) => {
        for (const path of ['/token', '/token/staging-config']) {
          const response = await send(keydesk, { method, path, headers: { authorization: `Bearer ${jobToken}` } });
          expect(response.status).toBe(405);
          expect(response.headers.get('allow')).toBe('POST');
          expect(response.audit).toMatchObject([{ reason: 'method_not_allowed' }]);
        }
      },
    );

    it.each([
      ['POST', '/health'],
      ['PUT', '/health'],
      ['DELETE', '/health'],
      ['POST', '/'],
      ['PUT', '/'],
    ])('returns 405 to %s %s', async (method, path) => {
      const response = await send(keydesk, { method, path });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
    });
  });

  it('shows a browser a static page without script, and writes no audit line about it', async () => {
    const page = await keydesk.call(`${keydesk.tokenUrl}/?credential=staging-config`);
    expect(page).toMatchObject({ status: 200, audit: [] });
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'unsafe-inline';/);
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.text).not.toMatch(/<script|<form|<img|https?:\/\/(?!THIS_HOST)|staging-config/);
    const links = [...page.text.matchAll(/href="([^"]*)"/g)].map(([, href]) => href ?? '');
    expect(links.length).toBeGreaterThan(0);
    for (const path of links) expect((await send(keydesk, { method: 'GET', path })).status, path).toBe(200);
    const head = await send(keydesk, { method: 'HEAD', path: '/' });
    expect(head).toMatchObject({ status: 200, text: '', audit: [] });
  });

  it('is healthy to GET and HEAD, and writes no audit line about it', async () => {
    const get = await send(keydesk, { method: 'GET', path: '/health?from=probe' });
    expect(get).toMatchObject({ status: 200, audit: [] });
    const policy_sha256 = keydesk.tokenDeps.policy.sha256;
    expect(get.json).toEqual({ status: 'ok', version: VERSION, policy_sha256 });
    const head = await send(keydesk, { method: 'HEAD', path: '/health' });
    expect(head).toMatchObject({ status: 200, text: '', audit: [] });
    expect(head.headers.get('content-type')).toMatch(/^application\/json/);
  });

  describe('a request for a credential that the job may not have', () => {
    const UNKNOWN = `400 {"error":"invalid_target","request_id":"ID","error_description":"${NOT_GRANTED} Request id: ID"}`;

    it.each([
      ['that no rule grants', 'production-config', 'no_matching_rule'],
      ['that does not exist', 'staging', 'unknown_credential'],
      ['in capitals', 'Staging-Config', 'unknown_credential'],
      ['that every object has', '__proto__', 'unknown_credential'],
      ['that every object has a constructor for', 'constructor', 'unknown_credential'],
      ['that every object inherits', 'hasOwnProperty', 'unknown_credential'],
      ['that is two', 'staging-config,staging-export', 'unknown_credential'],
      ['that is a wildcard', '*', 'unknown_credential'],
      ['that is a path', '../staging-config', 'unknown_credential'],
      ['with a slash behind it', 'staging-config/', 'unknown_credential'],
    ])('gets the same body by either form: %s', async (_, name, reason) => {
      for (const response of [
        await sendForm(keydesk, withAudience(jobToken, name)),
        await sendByPath(keydesk, jobToken, name),
      ]) {
        expect(response.audit).toMatchObject([{ reason, credential: name }]);
        expect(withoutRequestId(response)).toBe(UNKNOWN);
      }
    });

    it.each(['', '/', '//'])('says that the path %j names none', async (name) => {
      const response = await sendByPath(keydesk, jobToken, name);
      expect(response.status).toBe(400);
      expect(response.audit).toMatchObject([{ reason: 'parameter_missing' }]);
    });

    it.each([
      'staging%2Dconfig',
      '%73taging-config',
      'staging-config%00',
      'staging-config%0A',
      'staging-config%20',
      '%',
      '%zz',
      './staging-config',
      'staging-config;v=1',
      'staging%2Fconfig',
    ])('does not decode the path, so that a name has one spelling: %j', async (name) => {
      const response = await sendByPath(keydesk, jobToken, name);
      expect(response.audit).toMatchObject([{ reason: 'unknown_credential', credential: name }]);
      expect(withoutRequestId(response)).toBe(UNKNOWN);
    });

    it.each([
      'staging-config\n',
      'staging-config\0',
      ' staging-config',
      'staging-config ',
      'ｓtaging-config',
      'a'.repeat(6000),
      '\ud800',
    ])('compares the name in the form as it is: %j', async (name) => {
      const response = await sendForm(keydesk, withAudience(jobToken, name));
      expect(response.audit).toMatchObject([{ reason: 'unknown_credential' }]);
      expect(withoutRequestId(response)).toBe(UNKNOWN);
    });

    it('wrote nothing to the ledger and sent nothing to Google', async () => {
      expect(await grantsOf(keydesk, jobToken)).toEqual([]);
      expect(keydesk.google.calls).toEqual([]);
    });
  });

  describe('shown a job token that lacks claims', () => {
    it.each([
      { missing: ['pipeline_id'] },
      { missing: ['organization_id'] },
      { missing: ['organization_id', 'pipeline_id'] },
    ])('names $missing, and the same for every credential', async ({ missing }) => {
      const job = keydesk.buildkite.startJob();
      const overrides = Object.fromEntries(missing.map((claim) => [claim, undefined]));
      const token = await keydesk.buildkite.jobToken(job, { overrides });
      const bodies = new Set<string>();
      for (const name of ['staging-config', 'production-config', 'nothing-like-it'])
        for (const response of [
          await sendForm(keydesk, withAudience(token, name)),
          await sendByPath(keydesk, token, name),
        ]) {
          expect(response.audit).toMatchObject([{ reason: 'claims_missing', missing, credential: name }]);
          bodies.add(withoutRequestId(response));
        }
      expect([...bodies]).toEqual([
        `400 {"error":"invalid_request","request_id":"ID","error_description":"${claimsMissing(missing)} Request id: ID","missing_claims":${JSON.stringify(missing)}}`,
      ]);
      expect(await grantsOf(keydesk, token)).toEqual([]);
    });

    it('does not take null for a claim', async () => {
      const token = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob(), {
        overrides: { pipeline_id: null },
      });
      const response = await sendByPath(keydesk, token, 'staging-config');
      expect(response.json.error_description).toContain('--claim pipeline_id');
    });
  });

  describe('a request for plain text', () => {
    it.each(['text/plain', 'text/plain;q=0.9, */*', 'TEXT/PLAIN'])(
      'gets the bare token with Accept: %s',
      async (accept) => {
        const token = await newJobToken(keydesk);
        for (const response of [
          await sendByPath(keydesk, token, 'staging-config', { accept }),
          await sendForm(keydesk, tokenForm(token), { accept }),
        ]) {
          expect(response.status).toBe(200);
          expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
          expect(response.text).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/);
          expect(response.audit).toMatchObject([{ event: 'grant.issued' }]);
        }
      },
    );

    it.each(['*/*', 'application/json', 'application/json, text/plain', 'text/plainer', 'text/*', ''])(
      'gets JSON with Accept: %s',
      async (accept) => {
        const response = await sendByPath(keydesk, await newJobToken(keydesk), 'staging-config', { accept });
        expect(response.json).toMatchObject({ token_type: 'Bearer', request_id: response.headers.get('x-request-id') });
      },
    );

    it('gets errors in JSON', async () => {
      const response = await sendByPath(keydesk, jobToken, 'nothing-like-it', { accept: 'text/plain' });
      expect(response.json).toMatchObject({ error: 'invalid_target' });
    });
  });

  it('has one request ID in header and body, and accepts none from the caller', async () => {
    const given = '00000000-0000-4000-8000-000000000000';
    const response = await callRaw(keydesk, keydesk.tokenUrl, { path: '/nowhere', headers: { 'x-request-id': given } });
    expect(response.json.request_id).toBe(response.headers.get('x-request-id'));
    expect(response.json.request_id).not.toBe(given);
  });
});
