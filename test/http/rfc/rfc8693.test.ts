// RFC 8693, OAuth 2.0 Token Exchange: what it asks of an authorization server, by section. Where Keydesk does otherwise on
// purpose, the title says "knowingly otherwise" and the test holds it to what it does instead.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { firestoreAs, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import {
  grantsOf,
  newJobToken,
  send,
  sendByPath,
  sendForm,
  TOKEN_TYPE,
  tokenForm,
  withoutRequestId,
} from '../token-request.ts';

const GOOGLE = 'https://www.googleapis.com/auth/';
const [DATASTORE, READ_ONLY] = [`${GOOGLE}datastore`, `${GOOGLE}devstorage.read_only`];
const CREDENTIALS = ['staging-config', 'staging-export', 'staging-cache'] as const;

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

type Values = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The valid form but for what is given: a list repeats a parameter, undefined leaves it out. */
function formWith(values: Values, token = jobToken): URLSearchParams {
  const form = tokenForm(token);
  for (const [name, value] of Object.entries(values)) {
    form.delete(name);
    for (const each of [value ?? []].flat()) form.append(name, each);
  }
  return form;
}
const exchange = (values: Values, token = jobToken) => sendForm(keydesk, formWith(values, token));

async function expectRefused(values: Values, error: string, token = jobToken) {
  const response = await exchange(values, token);
  expect([response.status, response.json.error]).toEqual([400, error]);
  return response;
}

describe('RFC 8693 section 2.1: the request', () => {
  it('takes its parameters from a form sent by POST and from nowhere else', async () => {
    const form = tokenForm(jobToken);
    const got = await send(keydesk, { method: 'GET', path: `/token?${form}` });
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    const inQuery = await send(keydesk, {
      path: `/token?${form}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(inQuery.json.error_description).toMatch(/^grant_type is missing/);
    expect((await keydesk.call(`${keydesk.tokenUrl}/token`, { method: 'POST', body: form })).status).toBe(200);
  });

  it.each(['grant_type', 'subject_token', 'subject_token_type'])('cannot do without %s', async (name) => {
    for (const value of [undefined, ''])
      expect((await expectRefused({ [name]: value }, 'invalid_request')).json.error_description).toContain(name);
  });

  it('can do without each of the optional ones, which an empty value leaves out', async () => {
    const empty = { scope: '', requested_token_type: '', resource: '', actor_token: '', actor_token_type: '' };
    for (const values of [{}, empty]) expect((await exchange(values)).status).toBe(200);
  });

  it('knowingly otherwise: cannot do without an audience, for nothing else says which credential is meant', async () => {
    for (const audience of [undefined, ''])
      expect((await expectRefused({ audience }, 'invalid_request')).json.error_description).toMatch(
        /^audience is missing/,
      );
  });

  it('knowingly otherwise: is for one audience at a time, and calls several an invalid request, not an invalid target', async () => {
    const token = await newJobToken(keydesk);
    const response = await expectRefused({ audience: ['staging-config', 'staging-export'] }, 'invalid_request', token);
    expect(response.json.error_description).toMatch(/^audience is repeated/);
    expect(await grantsOf(keydesk, token)).toEqual([]);
  });

  it('takes an audience for the one credential of exactly that name', async () => {
    for (const audience of ['Staging-Config', 'staging-config ', 'staging', 'https://keydesk.acme.example'])
      await expectRefused({ audience }, 'invalid_target');
  });

  it('knowingly otherwise: reads no resource, be it one it could never serve or no absolute URI', async () => {
    for (const resource of ['https://elsewhere.example/api', 'https://elsewhere.example/#part', 'no uri'])
      expect((await exchange({ resource })).json).toMatchObject({ credential: 'staging-config' });
  });

  it('knowingly otherwise: refuses a resource that is repeated like any other parameter', async () => {
    await expectRefused({ resource: ['https://a.example', 'https://b.example'] }, 'invalid_request');
  });

  it('gives an access token when no type is requested, or when that one is', async () => {
    for (const requested_token_type of [undefined, `${TOKEN_TYPE}access_token`])
      expect((await exchange({ requested_token_type })).json.issued_token_type).toBe(`${TOKEN_TYPE}access_token`);
  });

  it.each(['jwt', 'id_token', 'refresh_token', 'saml1', 'saml2'])(
    'gives nothing when %s is requested',
    async (type) => {
      await expectRefused({ requested_token_type: `${TOKEN_TYPE}${type}` }, 'invalid_request');
    },
  );

  it('judges the job token as the JWT it is, under either name that it may be given', async () => {
    const expired = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob(), {
      issuedAt: Math.floor(keydesk.clock.now() / 1000) - 3600,
    });
    const forged = `${jobToken.slice(0, -8)}AAAAAAAA`;
    for (const subject_token_type of [`${TOKEN_TYPE}jwt`, `${TOKEN_TYPE}id_token`]) {
      expect((await exchange({ subject_token_type })).status).toBe(200);
      for (const token of [expired, forged]) await expectRefused({ subject_token_type }, 'invalid_request', token);
    }
  });

  it('needs the type of an actor token, and refuses it without one', async () => {
    const [type, token] = [`${TOKEN_TYPE}jwt`, { actor_token: jobToken }];
    expect((await expectRefused(token, 'invalid_request')).json.error_description).toMatch(
      /^actor_token_type is missing/,
    );
    for (const actor_token of [undefined, '', ' '])
      expect(
        (await expectRefused({ actor_token, actor_token_type: type }, 'invalid_request')).json.error_description,
      ).toMatch(/^actor_token is missing/);
  });

  it.each(['access_token', 'refresh_token', 'saml1', 'saml2', 'JWT'])('takes no actor token for %s', async (type) => {
    const values = { actor_token: jobToken, actor_token_type: `${TOKEN_TYPE}${type}` };
    expect((await expectRefused(values, 'invalid_request')).json.error_description).toMatch(
      /^actor_token_type must be/,
    );
  });

  it('knowingly otherwise: reads no actor token where no rule demands one, be it good or not', async () => {
    for (const actor_token of [jobToken, 'no token'])
      expect((await exchange({ actor_token, actor_token_type: `${TOKEN_TYPE}jwt` })).status).toBe(200);
  });

  it('refuses an actor token that is repeated', async () => {
    const values = { actor_token: [jobToken, jobToken], actor_token_type: `${TOKEN_TYPE}jwt` };
    expect((await expectRefused(values, 'invalid_request')).json.error_description).toMatch(/^actor_token is repeated/);
  });

  it('leaves the job token as good as it was', async () => {
    const token = await newJobToken(keydesk);
    const first = await exchange({}, token);
    const second = await exchange({}, token);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.json.grant_id).toBe(first.json.grant_id);
  });
});

describe('RFC 8693 section 2.1.1: the requested credential and its target', () => {
  const WIDER = {
    scope: `${GOOGLE}cloud-platform ${GOOGLE}devstorage.full_control`,
    options: '{"accessBoundary":{"accessBoundaryRules":[]}}',
    resource: '//storage.googleapis.com/projects/_/buckets/another',
    authorization_details: '[{"type":"everything"}]',
    service_account: 'owner@acme.iam.gserviceaccount.com',
    role: 'roles/owner',
    lifetime: '3600',
  };

  it('lets a wish for scopes take some of them away', async () => {
    expect((await exchange({ audience: 'staging-export', scope: READ_ONLY })).json.scope).toBe(READ_ONLY);
  });

  it('lets no wish add to the scopes of policy', async () => {
    const { json } = await exchange({ audience: 'staging-export', scope: `${WIDER.scope} ${DATASTORE}` });
    expect(json.scope).toBe(DATASTORE);
    expect(keydesk.google.calls.at(-1)?.body).toMatchObject({ scope: [DATASTORE] });
  });

  it('issues and names the scopes of policy when the request has none of them', async () => {
    const { json } = await exchange({ audience: 'staging-export', scope: `${GOOGLE}spanner.admin` });
    expect(json.scope).toBe(`${DATASTORE} ${READ_ONLY}`);
  });

  it.each(CREDENTIALS)('lets no parameter widen %s or make it last longer', async (audience) => {
    const token = await newJobToken(keydesk);
    const plain = await exchange({ audience }, token);
    const plainly = keydesk.google.exchanges.at(-1);
    const wished = await exchange({ audience, ...WIDER }, token);
    const requested = keydesk.google.exchanges.at(-1);
    expect([plain.status, wished.status]).toEqual([200, 200]);
    expect(wished.json.expires_in).toBeLessThanOrEqual(audience === 'staging-config' ? 900 : 600);
    expect(wished.json.scope).toBe(plain.json.scope);
    expect(wished.json.grant_id).toBe(plain.json.grant_id);
    expect(requested?.boundary).toEqual(plainly?.boundary);
    expect(new URLSearchParams(requested?.form).get('options')).toBe(new URLSearchParams(plainly?.form).get('options'));
  });
});

describe('RFC 8693 section 2.2.1: the successful response', () => {
  it.each(CREDENTIALS)(
    'has for %s the members that every exchange has, each of its type, at the top',
    async (audience) => {
      const response = await exchange({ audience });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(response.json).toMatchObject({
        access_token: expect.stringMatching(/^[\x21-\x7e]+$/),
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: expect.any(Number),
      });
      expect(Number.isInteger(response.json.expires_in)).toBe(true);
    },
  );

  it('says Bearer of what is used as a bearer token', async () => {
    const { access_token } = (await exchange({ audience: 'staging-export' })).json;
    expect(await keydesk.gate(access_token)).toBe(200);
    const write = { method: 'PATCH' } as const;
    expect(await firestoreAs(keydesk, (await exchange({})).json.access_token, 'config/web', write)).toBe(200);
  });

  it('counts the seconds from its own time, and not beyond the end of the token', async () => {
    const before = keydesk.clock.now();
    const { json, audit } = await exchange({ audience: 'staging-export' });
    const left = (Date.parse(audit[0].token_expires_at) - before) / 1000;
    expect(json.expires_in).toBeLessThanOrEqual(600);
    expect(json.expires_in).toBeGreaterThan(590);
    expect(json.expires_in).toBeLessThanOrEqual(left);
  });

  it.each([
    ['other scopes than it has', `${GOOGLE}cloud-platform`],
    ['more scopes than it has', `${DATASTORE} ${READ_ONLY} ${GOOGLE}cloud-platform`],
    ['the very scopes it has', `${DATASTORE} ${READ_ONLY}`],
    ['no scopes', undefined],
  ])('names the scopes of a token for which the request had %s', async (_, scope) => {
    const { json } = await exchange({ audience: 'staging-export', scope });
    expect(json.scope).toBe(`${DATASTORE} ${READ_ONLY}`);
  });

  it.each(['staging-config', 'staging-cache'])(
    'knowingly otherwise: names no scope for %s even when the request had some, since no scope narrows it',
    async (audience) => {
      const response = await exchange({ audience, scope: `${GOOGLE}cloud-platform` });
      expect(response.status).toBe(200);
      expect(response.json).not.toHaveProperty('scope');
    },
  );

  it.each(CREDENTIALS)(
    'never has a refresh token for %s: the job token is what one comes back with',
    async (audience) => {
      expect((await exchange({ audience })).json).not.toHaveProperty('refresh_token');
    },
  );

  it('knowingly otherwise: is the bare token for who prefers text to JSON', async () => {
    const response = await sendForm(keydesk, tokenForm(jobToken), { accept: 'text/plain' });
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.text).toMatch(/^[\x21-\x7e]+$/);
    for (const accept of ['application/json', '*/*', 'application/json, text/plain'])
      expect((await sendForm(keydesk, tokenForm(jobToken), { accept })).json).toMatchObject({ token_type: 'Bearer' });
  });
});

describe('RFC 8693 section 2.2.2: the refusal', () => {
  it('calls a job token that is not acceptable an invalid request, and says why to verified jobs of the organization', async () => {
    const job = keydesk.buildkite.startJob();
    const overrides = { organization_slug: 'other' };
    const strangers = [
      'no token',
      `${jobToken.slice(0, -8)}AAAAAAAA`,
      await keydesk.buildkite.jobToken(job, { overrides }),
      await keydesk.buildkite.jobToken(job, { overrides, audience: 'https://elsewhere.example' }),
    ];
    const own = [
      await keydesk.buildkite.jobToken(job, { issuedAt: Math.floor(keydesk.clock.now() / 1000) - 3600 }),
      await keydesk.buildkite.jobToken(job, { audience: 'https://elsewhere.example' }),
    ];
    const responses = new Set<string>();
    for (const token of strangers) responses.add(withoutRequestId(await expectRefused({}, 'invalid_request', token)));
    expect(responses.size).toBe(1);
    for (const token of own) responses.add(withoutRequestId(await expectRefused({}, 'invalid_request', token)));
    expect(responses.size).toBe(3);
  });

  it('calls a target for which it will not give a token an invalid target, whether there is such a one or not', async () => {
    const responses = new Set<string>();
    for (const audience of ['production-config', 'no-such-credential'])
      responses.add(withoutRequestId(await expectRefused({ audience }, 'invalid_target')));
    expect(responses.size).toBe(1);
  });

  it('describes what to fix without repeating what was sent', async () => {
    const secret = 'ya29.secret-of-the-test';
    for (const name of [
      'grant_type',
      'subject_token',
      'subject_token_type',
      'audience',
      'requested_token_type',
      'lifetime',
    ])
      expect((await exchange({ [name]: secret })).text).not.toContain('secret-of-the-test');
  });

  it('knowingly otherwise: calls it an invalid grant when the job token is good and its job has ended', async () => {
    const job = keydesk.buildkite.startJob();
    const token = await keydesk.buildkite.jobToken(job);
    expect((await exchange({}, token)).status).toBe(200);
    await keydesk.notify(keydesk.buildkite.event(job));
    await expectRefused({}, 'invalid_grant', token);
  });

  it('knowingly otherwise: calls it an invalid grant when the job token is good and the grant was released', async () => {
    const token = await newJobToken(keydesk);
    await keydesk.revoke((await exchange({}, token)).json.access_token);
    await expectRefused({}, 'invalid_grant', token);
  });

  it('knowingly otherwise: returns 401 where the job token was in the Authorization header', async () => {
    const response = await sendByPath(keydesk, 'no-job-token', 'staging-config');
    expect([response.status, response.json.error]).toEqual([401, 'invalid_token']);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  it('knowingly otherwise: says with 503 that it could not, when Google fails', async () => {
    keydesk.google.fault = () => ({ kind: 'status', status: 503 });
    const response = await exchange({ audience: 'staging-export' });
    expect([response.status, response.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('RFC 8693 section 3: token type identifiers', () => {
  it.each(['access_token', 'refresh_token', 'saml1', 'saml2'])(
    'takes no job token for %s, not even one that is good',
    async (type) => {
      await expectRefused({ subject_token_type: `${TOKEN_TYPE}${type}` }, 'invalid_request');
    },
  );

  it.each(['jwt', `${TOKEN_TYPE}JWT`, `${TOKEN_TYPE}jwt `, `${TOKEN_TYPE.toUpperCase()}jwt`])(
    'compares them as they are written: %j is none',
    async (type) => {
      await expectRefused({ subject_token_type: type }, 'invalid_request');
    },
  );

  it('takes none of its own access tokens for a job token', async () => {
    const own = (await exchange({})).json.access_token;
    await expectRefused({}, 'invalid_request', own);
  });
});

describe('RFC 8693 section 4: claims of delegation', () => {
  it('gives a job token that has any of them what it gives one without', async () => {
    const job = keydesk.buildkite.startJob();
    const plain = await exchange({ audience: 'staging-export' }, await keydesk.buildkite.jobToken(job));
    const overrides = {
      act: { sub: 'owner@acme.example' },
      may_act: { sub: 'nobody@acme.example' },
      scope: `${GOOGLE}cloud-platform`,
      client_id: 'owner',
    };
    const claimed = await exchange(
      { audience: 'staging-export' },
      await keydesk.buildkite.jobToken(job, { overrides }),
    );
    const { grant_id, scope, credential } = plain.json;
    expect(claimed.json).toMatchObject({ grant_id, scope, credential });
    expect(claimed.json).not.toHaveProperty('act');
  });
});
