// RFC 8414, OAuth 2.0 Authorization Server Metadata: what it asks of an authorization server, by section, and that whatever
// the metadata says is so. Where Keydesk does otherwise on purpose, the title says "knowingly otherwise".

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { FORM, newJobToken, send, tokenForm } from '../token-request.ts';

const PATH = '/.well-known/oauth-authorization-server';
const HOST = 'keydesk.acme.example';

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterAll(async () => {
  expect(keydesk.google.unexpected).toEqual([]);
  await keydesk.close();
});

const look = (host: string, headers: Record<string, string> = {}) =>
  send(keydesk, { method: 'GET', path: PATH, headers: { host, ...headers } });
const metadata = async () => (await keydesk.call(`${keydesk.tokenUrl}${PATH}`)).json;
const post = (url: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  keydesk.call(url, { method: 'POST', headers, body: new URLSearchParams(form) });

describe('RFC 8414 section 2: the metadata', () => {
  it('names an issuer with https, without query or fragment', async () => {
    const { issuer } = (await look(HOST)).json;
    expect(issuer).toBe(`https://${HOST}`);
    expect(new URL(issuer)).toMatchObject({ protocol: 'https:', search: '', hash: '', pathname: '/' });
  });

  it('knowingly otherwise: names an issuer with http on loopback, where Keydesk is run for a try', async () => {
    for (const host of ['localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'LocalHost:8080'])
      expect((await look(host)).json.issuer).toBe(`http://${host.toLowerCase()}`);
  });

  it('names endpoints that all are of the issuer, and without fragments', async () => {
    const { json } = await look(HOST);
    const endpoints = Object.entries<string>(json).filter(([name]) => name.endsWith('_endpoint'));
    expect(endpoints.map(([name]) => name).sort()).toEqual([
      'introspection_endpoint',
      'revocation_endpoint',
      'token_endpoint',
    ]);
    for (const [, url] of endpoints) expect(url).toMatch(new RegExp(`^https://${HOST}/[a-z]+$`));
  });

  it('names a token endpoint that gives tokens', async () => {
    const { token_endpoint } = await metadata();
    const response = await post(token_endpoint, Object.fromEntries(tokenForm(await newJobToken(keydesk))));
    expect(response.json).toMatchObject({ token_type: 'Bearer' });
  });

  it('names endpoints that introspect and revoke such a token', async () => {
    const { introspection_endpoint, revocation_endpoint } = await metadata();
    const token = (await keydesk.requestByForm(await newJobToken(keydesk))).json.access_token;
    expect((await post(introspection_endpoint, { token })).json).toMatchObject({ active: true });
    expect((await post(revocation_endpoint, { token })).status).toBe(200);
    expect((await post(introspection_endpoint, { token })).json).toEqual({ active: false });
  });

  it('names exactly the grant types that work', async () => {
    const { grant_types_supported, token_endpoint } = await metadata();
    const others = ['authorization_code', 'implicit', 'password', 'client_credentials', 'refresh_token'];
    const urns = ['jwt-bearer', 'saml2-bearer', 'device_code'].map(
      (name) => `urn:ietf:params:oauth:grant-type:${name}`,
    );
    const work: string[] = [];
    for (const grant_type of [...grant_types_supported, ...others, ...urns]) {
      const form = Object.fromEntries(tokenForm(await newJobToken(keydesk)));
      const response = await post(token_endpoint, { ...form, grant_type });
      if (response.status === 200) work.push(grant_type);
      else expect(response.json.error).toBe('unsupported_grant_type');
    }
    expect(work).toEqual(grant_types_supported);
  });

  it.each(['token', 'revocation', 'introspection'])(
    'says that the %s endpoint authenticates no client',
    async (name) => {
      expect((await metadata())[`${name}_endpoint_auth_methods_supported`]).toEqual(['none']);
    },
  );

  it('says so truly: no client secret opens anything, and none is refused', async () => {
    const { token_endpoint, revocation_endpoint, introspection_endpoint } = await metadata();
    const jobToken = await newJobToken(keydesk);
    const good = Object.fromEntries(tokenForm(jobToken));
    for (const secret of [
      { headers: { authorization: 'Basic Y2xpZW50OnNlY3JldA==' }, form: {} },
      { headers: {}, form: { client_id: 'client', client_secret: 'secret' } },
    ]) {
      expect((await post(token_endpoint, { ...good, ...secret.form }, secret.headers)).status).toBe(200);
      const bad = { ...good, ...secret.form, subject_token: 'x' };
      expect((await post(token_endpoint, bad, secret.headers)).status).toBe(400);
      for (const url of [revocation_endpoint, introspection_endpoint])
        expect((await post(url, { token: 'x', ...secret.form }, secret.headers)).status).toBe(200);
    }
  });

  it('has no member for what there is not: authorization, keys, registration, PKCE, signatures', async () => {
    const { json } = await look(HOST);
    expect(Object.keys(json).sort()).toEqual([
      'grant_types_supported',
      'introspection_endpoint',
      'introspection_endpoint_auth_methods_supported',
      'issuer',
      'response_types_supported',
      'revocation_endpoint',
      'revocation_endpoint_auth_methods_supported',
      'token_endpoint',
      'token_endpoint_auth_methods_supported',
    ]);
    for (const path of ['/authorize', '/jwks', '/.well-known/jwks.json', '/register', '/userinfo'])
      expect((await send(keydesk, { method: 'GET', path })).status).toBe(404);
  });

  it('knowingly otherwise: does not advertise scopes, which are policy and nobody else needs to know', async () => {
    expect((await look(HOST)).json).not.toHaveProperty('scopes_supported');
  });
});

describe('RFC 8414 section 3: where it is', () => {
  it('is at the well-known path of an issuer that has no path of its own, and nowhere else', async () => {
    expect((await look(HOST)).status).toBe(200);
    for (const path of [`${PATH}/tenant`, `${PATH}/`, `/tenant${PATH}`, '/.well-known/openid-configuration'])
      expect((await send(keydesk, { method: 'GET', path, headers: { host: HOST } })).status).toBe(404);
  });
});

describe('RFC 8414 section 3.1: the request', () => {
  it('is GET, or HEAD for who wants the headers alone', async () => {
    const [got, head] = [
      await look(HOST),
      await send(keydesk, { method: 'HEAD', path: PATH, headers: { host: HOST } }),
    ];
    expect([got.status, head.status, head.text]).toEqual([200, 200, '']);
    expect(head.headers.get('content-length')).toBe(got.headers.get('content-length'));
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('is not %s', async (method) => {
    const response = await send(keydesk, { method, path: PATH, headers: { host: HOST, 'content-type': FORM } });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('needs no token and takes no notice of one', async () => {
    expect((await look(HOST, { authorization: 'Bearer wrong' })).text).toBe((await look(HOST)).text);
  });
});

describe('RFC 8414 section 3.2: the response', () => {
  it('is a JSON object with 200, kept by no cache', async () => {
    const response = await look(HOST);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.audit).toEqual([]);
  });

  it('has lists for what can be several', async () => {
    const lists = Object.entries((await look(HOST)).json).filter(([name]) => name.endsWith('_supported'));
    for (const [, list] of lists) expect(list).toBeInstanceOf(Array);
  });

  it('knowingly otherwise: has an empty list of response types, which section 2 requires and this one would leave out', async () => {
    const { json } = await look(HOST);
    expect(json.response_types_supported).toEqual([]);
    const others = Object.entries(json).filter(([name]) => name !== 'response_types_supported');
    for (const [, value] of others) expect(value).not.toEqual([]);
  });

  it.each([
    ['userinfo before the name', 'user@evil.example'],
    ['userinfo behind a name', `${HOST}@evil.example`],
    ['a path', `${HOST}/evil`],
    ['a backslash', `${HOST}\\evil`],
    ['a query', `${HOST}?evil`],
    ['a fragment', `${HOST}#evil`],
    ['a space', `${HOST} evil`],
    ['a tab', `${HOST}\tevil`],
    ['two names', `${HOST}, evil.example`],
    ['a scheme', `https://${HOST}`],
    ['percent signs', 'evil%2eexample'],
    ['a quote', `${HOST}"`],
    ['a tag', '<b>evil</b>'],
    ['a letter beyond ASCII', 'ev\u00efl.example'],
    ['a port that is none', `${HOST}:evil`],
    ['a port of six digits', `${HOST}:123456`],
    ['two ports', `${HOST}:80:80`],
    ['brackets around no address', '[evil]'],
    ['nothing', ''],
    ['a port alone', ':443'],
  ])('is 400 to a Host header with %s, which is not repeated', async (_, host) => {
    const response = await look(host);
    expect([response.status, response.json.error]).toEqual([400, 'invalid_request']);
    expect(response.text).not.toContain('evil');
  });

  it('holds no more than a name and a port of any Host header that it takes', async () => {
    for (const host of [
      'a'.repeat(8000),
      '-',
      '..',
      'x.example:0',
      '[::]:1',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
    ]) {
      const { status, json } = await look(host);
      expect([status, json.issuer]).toEqual([200, `https://${host}`]);
    }
  });
});

describe('RFC 8414 section 3.3: the issuer of the request', () => {
  it.each([HOST, 'keydesk-abc123-ew.a.run.app', 'xn--bcher-kva.example', `${HOST}:8443`, '[2001:db8::1]:8443'])(
    'is the issuer in the response: %s',
    async (host) => {
      expect((await look(host)).json.issuer).toBe(`https://${host}`);
    },
  );

  it('is the address itself where Keydesk is reached on loopback', async () => {
    expect((await metadata()).issuer).toBe(keydesk.tokenUrl);
  });

  it('is written in small letters, as clients write hosts', async () => {
    expect((await look('KeyDesk.Acme.Example')).json.issuer).toBe(`https://${HOST}`);
  });

  it('is not what a forwarding header says', async () => {
    const forwarded = {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      'x-forwarded-port': '80',
      forwarded: 'host=evil.example;proto=http',
      'x-original-host': 'evil.example',
    };
    expect((await look(HOST, forwarded)).text).toBe((await look(HOST)).text);
  });
});
