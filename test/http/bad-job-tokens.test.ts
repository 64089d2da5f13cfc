// The token endpoint against bad job tokens: only a verified job of the policy's organization learns what is wrong, everybody else gets
// the same response. The audit log gets the reason, and neither Google nor the ledger hears of it. What is just good enough stands at the end.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JOB_TOKEN_REASONS } from '../../shared/core/oauth/refusal.ts';
import {
  type Called,
  databaseOf,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { claimsMissing, JOB_TOKEN_NOT_ACCEPTED, NO_JOB_TOKEN } from '../fixtures/refusals.ts';
import {
  by,
  type ForgingIssuer,
  type Signing,
  startForgingIssuer,
  type ValidJobToken,
} from './bad-job-tokens.issuer.ts';
import { BAD_JOB_TOKENS, type BadJobToken } from './bad-job-tokens.table.ts';

const NOT_ACCEPTED = `${JOB_TOKEN_NOT_ACCEPTED} Request id: `;
const FORMS = ['path', 'form'] as const;
type Form = (typeof FORMS)[number];

/** The one answer of each form, to the byte. */
const UNIFORM_ANSWER = {
  path: answer(401, 'invalid_token', { 'www-authenticate': 'Bearer error="invalid_token"' }),
  form: answer(400, 'invalid_request', {}),
};

const NONE_SENT = answer(401, 'invalid_token', { 'www-authenticate': 'Bearer' }, `${NO_JOB_TOKEN} Request id: `);

/** Causes that a verified job of the policy's organization learns, with what it has and what is accepted. */
const EXPLAINED: Readonly<Record<string, RegExp>> = {
  job_token_audience_wrong:
    /audience [ -~]+ accepts https:\/\/keydesk\.acme\.example\. .*--audience https:\/\/keydesk\.acme\.example\./,
  job_token_expired: /(?:\d\dT[\d:]+Z.*){2}/,
  job_token_not_yet_valid: /(?:\d\dT[\d:]+Z.*){2}/,
  job_token_issued_in_future: /(?:\d\dT[\d:.]+Z.*){2}/,
  job_token_lifetime_too_long: / \d+ seconds.* 600\..* --lifetime 600 /,
};

const { job_token_missing: NO_JOB_TOKENS, ...BY_REASON } = BAD_JOB_TOKENS;
const BAD = Object.entries<readonly BadJobToken[]>(BY_REASON).flatMap(([reason, cases]) =>
  cases.map((bad) => ({ reason, ...bad })),
);

let keydesk: InProcessKeydesk;
let issuer: ForgingIssuer;
let valid: ValidJobToken;

beforeAll(async () => {
  issuer = await startForgingIssuer();
  keydesk = await openInProcessKeydesk({ settings: { KEYDESK_ISSUER: issuer.url } });
  valid = await validJobToken();
});
afterAll(async () => {
  await keydesk.close();
  await issuer.close();
});

describe('a bad job token', () => {
  it('has a case for every reason there is', () => {
    expect(new Set(Object.keys(BAD_JOB_TOKENS))).toEqual(new Set(JOB_TOKEN_REASONS));
  });

  it('is refused without a word to the issuer where no key is needed to see it', async () => {
    const before = JOB_TOKEN_REASONS.slice(0, JOB_TOKEN_REASONS.indexOf('job_token_key_unknown'));
    for (const { jobToken, reason } of BAD.filter(({ reason }) =>
      [...before, 'job_token_issuer_wrong'].includes(reason),
    ))
      expect((await requestAt(0, 'form', jobToken(valid))).audit[0].reason).toBe(reason);
    expect(issuer.keyRequests()).toBe(0);
  });

  describe.each(FORMS)('by %s', (form) => {
    for (const { title, reason, detail, jobToken, at = 0 } of BAD.filter(({ only = form }) => only === form))
      it(`${title} is refused as ${reason}`, async () => {
        const bad = jobToken(valid);
        const calls = keydesk.google.calls.length;
        const called = await requestAt(at, form, bad);
        const cause = EXPLAINED[reason];
        if (cause) {
          expect([called.status, called.json.error]).toEqual(
            form === 'path' ? [401, 'invalid_token'] : [400, 'invalid_request'],
          );
          expect(called.json.error_description).toMatch(cause);
          expect(called.json.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/);
        } else expect(asSent(called)).toEqual(UNIFORM_ANSWER[form]);
        expectRefused(called, reason, detail);
        expectNotLogged(bad);
        expect(keydesk.google.calls.length).toBe(calls);
      });
  });

  for (const { title, authorization } of NO_JOB_TOKENS)
    it(`${title} is refused as job_token_missing`, async () => {
      keydesk.clock.set(valid.iat * 1000);
      const value = authorization(valid.jobToken);
      const headers: Record<string, string> = value === undefined ? {} : { authorization: value };
      const called = await keydesk.call(`${keydesk.tokenUrl}/token/staging-config`, { method: 'POST', headers });
      expect(asSent(called)).toEqual(NONE_SENT);
      expectRefused(called, 'job_token_missing', undefined);
      expectNotLogged(valid.jobToken);
    });

  it.each(['', ' ', '\r\n'])('that is missing from a form (%j) is named as a missing parameter', async (blank) => {
    const { status, json, audit } = await requestAt(0, 'form', blank);
    expect({ status, error: json.error }).toEqual({ status: 400, error: 'invalid_request' });
    expect(json.error_description).toContain("subject_token is missing: send the job's OIDC token.");
    expect(audit).toMatchObject([{ event: 'grant.refused', reason: 'parameter_missing' }]);
  });

  it('gets the same response whether the credential exists or not', async () => {
    const bad = BAD_JOB_TOKENS.job_token_signature_invalid[0].jobToken(valid);
    for (const name of ['staging-config', 'production-config', 'no-such-credential', '__proto__', 'a%2Fb']) {
      expect(asSent(await keydesk.requestByPath(bad, name))).toEqual(UNIFORM_ANSWER.path);
      expect(asSent(await keydesk.requestByForm(bad, name))).toEqual(UNIFORM_ANSWER.form);
    }
  });

  it.each(Object.keys(EXPLAINED))('of another organization does not learn the cause: %s', async (reason) => {
    for (const { jobToken, at = 0 } of BAD.filter((bad) => bad.reason === reason)) {
      const [header = '', payload = ''] = jobToken(valid).split('.');
      if (reason === 'job_token_audience_wrong' && text(payload).includes('__proto__')) continue;
      const claims = { ...JSON.parse(text(payload)), organization_slug: 'evil' };
      const stranger = valid.signed({ header: JSON.parse(text(header)), payload: claims });
      const called = await requestAt(at, 'form', stranger);
      expect(asSent(called)).toEqual(UNIFORM_ANSWER.form);
      expect(called.audit).toMatchObject([{ reason }]);
      expect(called.audit[0]).not.toHaveProperty('received');
    }
  });

  it('of another organization does not learn which claims the policy needs', async () => {
    const claims = { organization_slug: 'evil', organization_id: undefined, pipeline_id: undefined };
    const stranger = valid.signed({ payload: { ...valid.payload, ...claims } });
    for (const form of FORMS) expect(asSent(await requestAt(0, form, stranger))).toEqual(UNIFORM_ANSWER[form]);
  });

  it('leaves nothing in the ledger, and unchanged it would have been accepted', async () => {
    const ledger = databaseOf(keydesk.project, 'ledger');
    expect(await ledger.listCollections()).toEqual([]);
    expect(keydesk.google.calls).toEqual([]);
    for (const form of FORMS) expectIssued(await requestAt(0, form, valid.jobToken), valid);
  });
});

describe('a job token of a key id that is not known', () => {
  const unknown = (kid: string) => valid.signed({ header: { ...valid.header, kid } });

  it.each(FORMS)('that came by %s gets 503 while the keys were requested recently, all alike', async (form) => {
    const start = form === 'path' ? 1_000 : 2_000;
    await requestAt(start, form, unknown('first'));
    const requests = issuer.keyRequests();
    const [first, second] = [
      await requestAt(start + 10, form, unknown('a')),
      await requestAt(start + 10, form, unknown('b')),
    ];
    expect(asSent(first)).toEqual(asSent(second));
    expect(first.status).toBe(503);
    expect(first.headers.get('retry-after')).toBe(String(first.json.retry_after));
    expect(first.json).toMatchObject({ error: 'temporarily_unavailable' });
    expect(first.json.retry_after).toBe(20);
    expect(first.audit).toMatchObject([{ severity: 'NOTICE', reason: 'job_token_key_not_looked_up' }]);
    expect(issuer.keyRequests()).toBe(requests);
    const later = await requestAt(start + 30, form, unknown('a'));
    expect(asSent(later)).toEqual(UNIFORM_ANSWER[form]);
    expectRefused(later, 'job_token_key_unknown', undefined);
    expect(issuer.keyRequests()).toBe(requests + 1);
  });
});

describe('a job token without a claim that policy needs', () => {
  const cases = [undefined, null].flatMap((value) => FORMS.map((form) => ({ form, value })));
  it.each(cases)('(organization_id $value, by $form) learns which claims to request', async ({ form, value }) => {
    const lacking = valid.signed({ payload: { ...valid.payload, organization_id: value } });
    const called = await requestAt(0, form, lacking);
    expect(called.status).toBe(400);
    expect(called.json).toEqual({
      error: 'invalid_request',
      request_id: expect.any(String),
      error_description: expect.stringContaining(`${claimsMissing(['organization_id'])} Request id: `),
      missing_claims: ['organization_id'],
    });
    expect(called.audit).toMatchObject([
      { event: 'grant.refused', reason: 'claims_missing', missing: ['organization_id'] },
    ]);
  });
});

describe('a job token that is just good enough', () => {
  const claims = (change: object) => (v: ValidJobToken) => ({ payload: { ...v.payload, ...change } });
  const header = (change: object) => (v: ValidJobToken) => ({ header: { ...v.header, ...change } });
  const times = (change: (iat: number) => object) => (v: ValidJobToken) => claims(change(v.iat))(v);
  const payloadText = (change: (json: string, jobId: string) => string) => (v: ValidJobToken) => ({
    payload: change(JSON.stringify(v.payload), String(v.payload.job_id)),
  });
  const elsewhere = '"organization_slug":"evil","job_id":"0184990a-0000-4000-8000-000000000000"';

  const good: readonly { title: string; change: (valid: ValidJobToken) => Signing; at?: number }[] = [
    { title: 'as Buildkite sends it', change: () => ({}) },
    { title: 'that expired 9 s ago', change: () => ({}), at: 309 },
    { title: 'that expired a millisecond less than 10 s ago', change: () => ({}), at: 309.999 },
    { title: 'issued by a clock 10 s ahead', change: () => ({}), at: -10 },
    { title: 'whose nbf is 10 s ahead', change: times((iat) => ({ nbf: iat + 10 })) },
    { title: 'whose iat is 10 s ahead', change: times((iat) => ({ iat: iat + 10 })) },
    { title: 'whose nbf is long ago', change: claims({ nbf: 0 }) },
    { title: 'that lives exactly 600 s', change: times((iat) => ({ exp: iat + 600 })) },
    { title: 'of type JWT', change: header({ typ: 'JWT' }) },
    { title: 'of type jwt', change: header({ typ: 'jwt' }) },
    {
      title: "signed by another of the issuer's keys",
      change: (v) => ({ ...header({ kid: 'next' })(v), signature: by('next') }),
    },
    {
      title: 'signed by the first of two keys with one id',
      change: (v) => ({ ...header({ kid: 'doubled' })(v), signature: by('doubled') }),
    },
    {
      title: 'signed by the second of two keys with one id',
      change: (v) => ({ ...header({ kid: 'doubled' })(v), signature: by('current') }),
    },
    { title: 'without a step key or a tag', change: claims({ step_key: null, build_tag: null }) },
    {
      title: 'whose optional claims are null',
      change: claims({
        build_id: null,
        cluster_id: null,
        cluster_name: null,
        queue_id: null,
        queue_key: null,
        build_source: null,
        runner_environment: null,
        'agent_tag:queue': null,
      }),
    },
    { title: 'with agent tags', change: claims({ 'agent_tag:queue': 'default', 'agent_tag:a b': 7 }) },
    { title: 'with claims nobody knows', change: claims({ constructor: 1, toString: null, 'https://x/': [{}] }) },
    { title: 'whose sub is anything', change: claims({ sub: ['organization:evil'], jti: null }) },
    {
      title: 'whose UUIDs are in upper case',
      change: (v) => claims({ job_id: String(v.payload.job_id).toUpperCase() })(v),
    },
    {
      title: 'whose first job_id is overruled by its last',
      change: payloadText((json) => `{${elsewhere},${json.slice(1)}`),
    },
    { title: 'whose first aud is overruled by its last', change: payloadText((json) => `{"aud":"x",${json.slice(1)}`) },
    {
      title: 'with claims in __proto__',
      change: payloadText((json) => `{"__proto__":{${elsewhere}},${json.slice(1)}`),
    },
    {
      title: 'with claims in constructor.prototype',
      change: payloadText((json) => `{"constructor":{"prototype":{${elsewhere}}},${json.slice(1)}`),
    },
    {
      title: 'whose payload is spread over lines',
      change: payloadText((json) => JSON.stringify(JSON.parse(json), null, 2)),
    },
  ];

  describe.each(FORMS)('by %s', (form) => {
    for (const { title, change, at = 0 } of good)
      it(`${title} is accepted`, async () => {
        const fresh = await validJobToken();
        expectIssued(await requestAt(at, form, fresh.signed(change(fresh)), fresh.iat), fresh);
      });
  });

  it.each(['\n', '\r\n', ' \t'])('is accepted with white space (%j) around it in a form', async (space) => {
    const fresh = await validJobToken();
    expectIssued(await requestAt(0, 'form', `${space}${fresh.jobToken}${space}`, fresh.iat), fresh);
  });

  it.each(['bearer', 'BEARER', 'Bearer   '])('is accepted after the scheme %j', async (scheme) => {
    const fresh = await validJobToken();
    keydesk.clock.set(fresh.iat * 1000);
    const headers = { authorization: `${scheme} ${fresh.jobToken}` };
    expectIssued(await keydesk.call(`${keydesk.tokenUrl}/token/staging-config`, { method: 'POST', headers }), fresh);
  });

  it('leaves the prototype of every object alone', () => {
    expect(Object.keys(Object.getPrototypeOf({}))).toEqual([]);
    expect('organization_slug' in {}).toBe(false);
  });
});

async function validJobToken(): Promise<ValidJobToken> {
  return issuer.valid(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob()));
}

/** Sends a request when Keydesk's clock is this many seconds after the token was issued. */
function requestAt(seconds: number, form: Form, jobToken: string, iat = valid.iat): Promise<Called> {
  keydesk.clock.set(Math.round((iat + seconds) * 1000));
  return form === 'path' ? keydesk.requestByPath(jobToken) : keydesk.requestByForm(jobToken);
}

const text = (part: string) => Buffer.from(part, 'base64url').toString();

function answer(status: number, error: string, more: Record<string, string>, description = NOT_ACCEPTED) {
  const text = JSON.stringify({ error, request_id: '', error_description: description });
  const headers = {
    'cache-control': 'no-store',
    'content-length': String(text.length + 2 * 36),
    'content-type': 'application/json; charset=utf-8',
    'x-content-type-options': 'nosniff',
    ...more,
  };
  return { status, headers, text };
}

/** Everything the caller can see but the request's id and what Node adds on its own. */
function asSent({ status, headers, text, json }: Called) {
  const seen = Object.fromEntries(headers);
  const id = seen['x-request-id'] ?? 'none';
  expect(json.request_id).toBe(id);
  for (const name of ['connection', 'date', 'keep-alive', 'x-request-id']) delete seen[name];
  return { status, headers: seen, text: text.replaceAll(id, '') };
}

function expectRefused({ audit }: Called, reason: string, detail: string | undefined): void {
  const [line, ...others] = audit;
  expect(others).toEqual([]);
  expect(line).toMatchObject({ event: 'grant.refused', severity: 'WARNING', credential: 'staging-config' });
  expect({ reason: line.reason, detail: line.detail }).toEqual({ reason, detail });
  expect(line.job).toBeUndefined();
}

function expectNotLogged(jobToken: string): void {
  const line = keydesk.lines.at(-1);
  for (const part of jobToken.split(/[^A-Za-z0-9_-]/)) if (part.length > 24) expect(line).not.toContain(part);
}

function expectIssued({ status, json, audit }: Called, { payload }: ValidJobToken): void {
  expect({ status, error: json.error_description }).toEqual({ status: 200, error: undefined });
  expect(audit).toMatchObject([{ event: 'grant.issued', job_id: payload.job_id, organization_slug: 'acme-inc' }]);
}
