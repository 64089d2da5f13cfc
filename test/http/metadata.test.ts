// The metadata document beyond what RFC 8414 says of it (test/http/rfc/rfc8414.test.ts): it is made of the request alone.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { failQueries, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { FORM, send } from './token-request.ts';

const PATH = '/.well-known/oauth-authorization-server';

describe('the metadata', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterEach(() => {
    vi.restoreAllMocks();
    keydesk.google.fault = undefined;
  });
  afterAll(() => keydesk.close());

  it('uses neither Google nor the ledger, so that it responds while both fail', async () => {
    const query = failQueries();
    keydesk.google.fault = () => ({ kind: 'status', status: 503 });
    const calls = keydesk.google.calls.length;
    expect((await send(keydesk, { method: 'GET', path: PATH })).status).toBe(200);
    expect(keydesk.google.calls).toHaveLength(calls);
    expect(query).not.toHaveBeenCalled();
  });

  it('takes no notice of a query or a body', async () => {
    const plain = await send(keydesk, { method: 'GET', path: PATH });
    const headers = { 'content-type': FORM };
    const more = await send(keydesk, {
      method: 'GET',
      path: `${PATH}?issuer=https://evil.example`,
      headers,
      body: 'issuer=x',
    });
    expect(more.text).toBe(plain.text);
  });

  it('writes nothing to the audit log, but why it was refused, and that without the header', async () => {
    expect((await send(keydesk, { method: 'GET', path: PATH })).audit).toEqual([]);
    const refused = await send(keydesk, { method: 'GET', path: PATH, headers: { host: 'user@evil.example' } });
    expect(refused.audit).toMatchObject([{ event: 'grant.refused', severity: 'NOTICE', reason: 'parameter_invalid' }]);
    expect(JSON.stringify(refused.audit)).not.toContain('evil.example');
  });

  it.each(['[::1]', '127.0.0.1', '127.9.9.9', 'localhost'])('takes %s for loopback', async (host) => {
    const { json } = await send(keydesk, { method: 'GET', path: PATH, headers: { host } });
    expect(json.issuer).toBe(`http://${host}`);
  });

  it.each(['[::11]', '[::1:1]', '128.0.0.1', '127.0.0.1.example', 'localhost.example', 'notlocalhost', '0.0.0.0'])(
    'does not take %s for loopback',
    async (host) => {
      const { json } = await send(keydesk, { method: 'GET', path: PATH, headers: { host } });
      expect(json.issuer).toBe(`https://${host}`);
    },
  );
});
