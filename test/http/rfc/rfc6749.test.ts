// RFC 6749, OAuth 2.0: what it asks of a token endpoint that has an extension grant and no registered clients, by section.
// Where Keydesk does otherwise on purpose, the title says "knowingly otherwise" and the test holds it to what it does.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Called, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { FORM, grantsOf, newJobToken, send, sendByPath, sendForm, tokenForm } from '../token-request.ts';

const GOOGLE = 'https://www.googleapis.com/auth/';
const [DATASTORE, READ_ONLY] = [`${GOOGLE}datastore`, `${GOOGLE}devstorage.read_only`];
const BASIC = `Basic ${Buffer.from('client:secret').toString('base64')}`;
/** What section 5.2 lets `error` and `error_description` hold. */
const TEXT = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/;

let keydesk: InProcessKeydesk;
let jobToken: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
beforeEach(async () => {
  jobToken = await newJobToken(keydesk);
});
afterEach(() => {
  keydesk.google.fault = undefined;
});
afterAll(async () => {
  expect(keydesk.google.unexpected).toEqual([]);
  await keydesk.close();
});

function formWith(values: Readonly<Record<string, string>>): URLSearchParams {
  const form = tokenForm(jobToken);
  for (const [name, value] of Object.entries(values)) form.set(name, value);
  return form;
}
const exchange = (values: Readonly<Record<string, string>>) => sendForm(keydesk, formWith(values));
const sendRaw = (path: string, method: string, body = '', headers: Record<string, string> = {}) =>
  send(keydesk, { path, method, body, headers: { 'content-type': FORM, ...headers } });

describe('RFC 6749 sections 2.3, 2.4 and 3.2.1: client authentication', () => {
  it.each([
    ['Basic with a password', BASIC],
    ['Basic without one', `Basic ${Buffer.from('client:').toString('base64')}`],
    ['Basic that is form-encoded inside', `Basic ${Buffer.from('a%20b:c%3Ad').toString('base64')}`],
    ['Basic that is no Base64', 'Basic ???'],
    ['Basic with nothing', 'Basic'],
    ['a bearer token', 'Bearer of-another-service'],
    ['a scheme nobody knows', 'Mystery 1'],
  ])(
    'takes a client that has no secret here by what it sends in the form: %s says nothing',
    async (_, authorization) => {
      const response = await sendForm(keydesk, tokenForm(jobToken), { authorization });
      expect(response.json).toMatchObject({ token_type: 'Bearer', credential: 'staging-config' });
    },
  );

  it('ignores a client id and secret in the form', async () => {
    expect((await exchange({ client_id: 'client', client_secret: 'secret' })).status).toBe(200);
    expect((await exchange({ client_id: 'client' })).status).toBe(200);
  });

  it('ignores an assertion of a client with any signature', async () => {
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    expect((await exchange({ client_assertion_type, client_assertion: 'a.b.c' })).status).toBe(200);
  });

  it('takes no client authentication for a job token', async () => {
    for (const authorization of [
      BASIC,
      `Basic ${Buffer.from(`:${jobToken}`).toString('base64')}`,
      `Bearer ${jobToken}`,
    ]) {
      const form = tokenForm(jobToken);
      form.delete('subject_token');
      const response = await sendForm(keydesk, form, { authorization });
      expect([response.status, response.json.error]).toEqual([400, 'invalid_request']);
    }
  });

  it('gives an authenticated client nothing that policy gives nobody', async () => {
    const response = await sendForm(keydesk, formWith({ audience: 'production-config' }), { authorization: BASIC });
    expect([response.status, response.json.error]).toEqual([400, 'invalid_target']);
  });

  it('knowingly otherwise: lets a client authenticate in several ways at once, and reads none of them', async () => {
    const form = formWith({ client_id: 'client', client_secret: 'other' });
    expect((await sendForm(keydesk, form, { authorization: BASIC })).status).toBe(200);
  });

  it('never speaks of an invalid client, so that none is made to log in', async () => {
    const refused = formWith({ subject_token: 'no token', client_id: 'nobody', client_secret: 'wrong' });
    const response = await sendForm(keydesk, refused, { authorization: 'Basic d3Jvbmc6d3Jvbmc=' });
    expect([response.status, response.json.error]).toEqual([400, 'invalid_request']);
    expect(response.headers.has('www-authenticate')).toBe(false);
  });

  it('puts what a client authenticates with into no log', async () => {
    await sendForm(keydesk, formWith({ client_secret: 'hush-in-the-form' }), { authorization: 'Basic aHVzaDpodXNo' });
    expect(keydesk.lines.join('')).not.toMatch(/hush-in-the-form|aHVzaDpodXNo/);
  });
});

describe('RFC 6749 section 3.2: the token endpoint', () => {
  it('accepts only POST, and says so', async () => {
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const response = await sendRaw('/token', method);
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    }
  });

  it('takes nothing from the query, be it a secret, a scope or another audience', async () => {
    const query = new URLSearchParams({
      audience: 'production-config',
      scope: 'all',
      client_secret: 's',
      lifetime: '1',
    });
    const response = await sendRaw(`/token?${query}`, 'POST', String(tokenForm(jobToken)));
    expect(response.json).toMatchObject({ credential: 'staging-config' });
    expect(response.json.expires_in).toBeGreaterThan(800);
  });

  it.each(['grant_type', 'subject_token', 'subject_token_type', 'audience'])(
    'takes an empty %s for one that was left out',
    async (name) => {
      const without = tokenForm(jobToken);
      without.delete(name);
      const [empty, none] = [await exchange({ [name]: '' }), await sendForm(keydesk, without)];
      expect(empty.json.error).toBe('invalid_request');
      expect(empty.json.error_description.split(' Request id')[0]).toBe(
        none.json.error_description.split(' Request id')[0],
      );
    },
  );

  it('ignores parameters that it does not know, whatever they are called', async () => {
    const unknown = {
      code: 'x',
      redirect_uri: 'https://x.example',
      username: 'u',
      ['__proto__']: 'x',
      'a b': '',
      '🔑': '1',
    };
    expect((await exchange(unknown)).status).toBe(200);
  });

  it('knows its parameters by their exact names', async () => {
    const form = tokenForm(jobToken);
    form.delete('audience');
    for (const name of ['Audience', 'audience ', 'audience[]']) {
      const response = await sendForm(keydesk, `${form}&${new URLSearchParams({ [name]: 'staging-config' })}`);
      expect(response.json.error_description).toMatch(/^audience is missing/);
    }
  });

  it('lets no parameter stand twice, known or not', async () => {
    const token = await newJobToken(keydesk);
    for (const name of ['grant_type', 'subject_token', 'audience', 'scope', 'client_id', 'whatever']) {
      const response = await sendForm(keydesk, `${tokenForm(token)}&${name}=a&${name}=a`);
      expect([response.status, response.json.error]).toEqual([400, 'invalid_request']);
    }
    expect(await grantsOf(keydesk, token)).toEqual([]);
  });

  it('knowingly otherwise: counts an empty parameter when it looks for one that stands twice', async () => {
    const response = await sendForm(keydesk, `${tokenForm(jobToken)}&audience=`);
    expect(response.json.error_description).toMatch(/^audience is repeated/);
  });
});

describe('RFC 6749 section 3.3: scope', () => {
  const scopeFor = async (scope: string) => (await exchange({ audience: 'staging-export', scope })).json.scope;

  it('gives who names none a set that is fixed beforehand', async () => {
    expect(await scopeFor('')).toBe(`${DATASTORE} ${READ_ONLY}`);
  });

  it('does not mind the order of those that are named', async () => {
    expect(await scopeFor(`${READ_ONLY} ${DATASTORE}`)).toBe(await scopeFor(`${DATASTORE} ${READ_ONLY}`));
  });

  it('distinguishes capitals and splits scopes only at spaces', async () => {
    expect(await scopeFor(`${DATASTORE.toUpperCase()} ${READ_ONLY}`)).toBe(READ_ONLY);
    for (const joint of [',', '\t', '\n', '\u00a0'])
      expect(await scopeFor(`${DATASTORE}${joint}x ${READ_ONLY}`)).toBe(READ_ONLY);
  });

  it('names the scopes of a token when they differ from the requested ones', async () => {
    expect(await scopeFor(`${GOOGLE}cloud-platform ${DATASTORE}`)).toBe(DATASTORE);
  });

  it('ignores one that could not stand in a scope at all', async () => {
    for (const odd of ['"', '\\', 'ключ', '\u0000', 'x'.repeat(4000)])
      expect(await scopeFor(`${odd} ${DATASTORE}`)).toBe(DATASTORE);
  });
});

describe('RFC 6749 section 4.5: extension grants', () => {
  it.each([
    'authorization_code',
    'password',
    'client_credentials',
    'refresh_token',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:device_code',
  ])('has but the one: %s is not supported', async (grantType) => {
    const response = await sendForm(keydesk, formWith({ grant_type: grantType }), { authorization: BASIC });
    expect([response.status, response.json.error]).toEqual([400, 'unsupported_grant_type']);
  });
});

describe('RFC 6749 section 5.1: the successful response', () => {
  it('is JSON with 200, and each value in it is of the form that it must have', async () => {
    const response = await exchange({ audience: 'staging-export' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const { access_token, token_type, expires_in, scope } = response.json;
    expect(access_token).toMatch(/^[\x20-\x7e]+$/);
    expect(token_type).toMatch(/^[A-Za-z0-9._-]+$/);
    expect(String(expires_in)).toMatch(/^[0-9]+$/);
    expect(scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/);
    expect(typeof expires_in).toBe('number');
  });

  it('is kept by no cache, old or new, in either form of request', async () => {
    for (const response of [await exchange({}), await sendByPath(keydesk, jobToken, 'staging-config')]) {
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(response.headers.get('pragma')).toBe('no-cache');
    }
  });

  it('is kept by no cache when it is the bare token', async () => {
    const response = await sendByPath(keydesk, jobToken, 'staging-config', { accept: 'text/plain' });
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(response.headers.get('pragma')).toBe('no-cache');
  });

  it('has more members than the standard, and none of its names for another thing', async () => {
    const { json } = await exchange({ audience: 'staging-export' });
    const standard = ['access_token', 'issued_token_type', 'token_type', 'expires_in', 'scope'];
    const own = ['grant_id', 'credential', 'environment', 'revocation', 'request_id'];
    expect(Object.keys(json).sort()).toEqual([...standard, ...own].sort());
  });
});

describe('RFC 6749 section 5.2: the refusal', () => {
  const requested: Record<string, () => Promise<Called>> = {
    'a parameter that is missing': () => exchange({ audience: '' }),
    'a parameter that is repeated': () => sendForm(keydesk, `${tokenForm(jobToken)}&scope=a&scope=b`),
    'a value that it does not support': () => exchange({ requested_token_type: 'urn:x' }),
    'a body that is no form at all': () => sendRaw('/token', 'POST', '{"grant_type":'),
    'a job token that is none': () => exchange({ subject_token: 'x' }),
    'another grant type': () => exchange({ grant_type: 'password' }),
    'a credential that it does not give': () => exchange({ audience: 'production-config' }),
  };
  it.each([
    ['a parameter that is missing', 'invalid_request'],
    ['a parameter that is repeated', 'invalid_request'],
    ['a value that it does not support', 'invalid_request'],
    ['a body that is no form at all', 'invalid_request'],
    ['a job token that is none', 'invalid_request'],
    ['another grant type', 'unsupported_grant_type'],
    ['a credential that it does not give', 'invalid_target'],
  ])('to %s is 400 %s in JSON, kept by no cache', async (what, error) => {
    const response = await (requested[what] as () => Promise<Called>)();
    expect([response.status, response.json.error]).toEqual([400, error]);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  it('holds no character that it may not hold, whatever was sent', async () => {
    const odd = '"\\\r\n\u0000\u007f\u00e9<b>🔑';
    for (const name of ['grant_type', 'subject_token', 'subject_token_type', 'audience', 'lifetime', odd]) {
      const form = tokenForm(jobToken);
      form.append(name, odd);
      form.append(odd, odd);
      for (const response of [await sendForm(keydesk, form), await exchange({ [name]: odd })]) {
        if (response.status === 200) continue;
        expect(response.json.error).toMatch(TEXT);
        expect(response.json.error_description).toMatch(TEXT);
      }
    }
  });

  it('knowingly otherwise: has the status that says it best where a request is none for this endpoint', async () => {
    const json = { 'content-type': 'application/json' };
    const seen = [
      await sendRaw('/token', 'POST', '{}', json),
      await sendRaw('/token', 'POST', `a=${'x'.repeat(17 * 1024)}`),
      await sendRaw('/token', 'GET'),
      await sendRaw('/tokens', 'POST'),
    ];
    expect(seen.map(({ status, json: { error } }) => [status, error])).toEqual([
      [415, 'invalid_request'],
      [413, 'invalid_request'],
      [405, 'invalid_request'],
      [404, 'not_found'],
    ]);
  });

  it('knowingly otherwise: has 503 and a code of the authorization endpoint for a request that can be retried', async () => {
    keydesk.google.fault = () => ({ kind: 'status', status: 503 });
    const response = await exchange({ audience: 'staging-export' });
    expect([response.status, response.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(response.headers.get('retry-after')).toMatch(/^[0-9]+$/);
  });

  it('has the standard members and the id of the request, which is in the description too', async () => {
    const { json } = await exchange({ audience: '' });
    expect(Object.keys(json)).toEqual(['error', 'request_id', 'error_description']);
    expect(json.error_description).toContain(`Request id: ${json.request_id}`);
  });
});

describe('RFC 6749 appendix B: the form', () => {
  /** Which credential it understood to be asked for. */
  const understood = async (audience: string) => {
    const form = tokenForm(jobToken);
    form.delete('audience');
    const response = await sendForm(keydesk, `${form}&audience=${audience}`);
    return response.audit[0].credential;
  };

  it('is decoded as UTF-8, plus and percent signs and all', async () => {
    expect(await understood('+%25%26%2B%C2%A3%E2%82%AC')).toBe(' %&+£€');
    expect(await understood('%F0%9F%94%91')).toBe('🔑');
  });

  it('may encode what need not be, in capitals or not, in names too', async () => {
    expect(await understood('%73taging%2dconfig')).toBe('staging-config');
    const form = String(tokenForm(jobToken)).replace('audience=', '%61udienc%65=');
    expect((await sendForm(keydesk, form)).json).toMatchObject({ credential: 'staging-config' });
  });

  it('is parted at ampersands only, and its order says nothing', async () => {
    expect(await understood('staging-config;scope=x')).toBe('staging-config;scope=x');
    const reversed = String(tokenForm(jobToken)).split('&').reverse().join('&');
    expect((await sendForm(keydesk, `&&${reversed}&`)).status).toBe(200);
  });

  it('does not let octets that are no UTF-8 pass for others', async () => {
    for (const audience of ['staging-config%ff', 'staging%C0%ADconfig', 'staging-config%00', 'staging-config%zz']) {
      const form = String(tokenForm(jobToken)).replace('staging-config', audience);
      expect((await sendForm(keydesk, form)).json.error).toBe('invalid_target');
    }
  });

  it('is UTF-8 also where its header names another charset', async () => {
    const headers = { 'content-type': `${FORM}; charset=utf-16` };
    expect((await sendForm(keydesk, tokenForm(jobToken), headers)).status).toBe(200);
  });
});
