// The token endpoint against bad tokens of machines, of every identity provider: the table of bad job tokens, which a machine's token is
// held to as well, and each claim that the policy declares in forms that no provider gives it. Only a token that the provider signed
// learns what is wrong.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AGENT_TOKEN_REASONS } from '../../shared/core/oauth/refusal.ts';
import {
  AGENT_PROVIDERS,
  type AgentProvider,
  providerData,
  type StartedProvider,
  withAgent,
} from '../fixtures/agent-providers.ts';
import { type Called, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { AGENT_TOKEN_NOT_ACCEPTED } from '../fixtures/refusals.ts';
import { type ForgingIssuer, startForgingIssuer, type ValidJobToken } from './bad-job-tokens.issuer.ts';
import { BAD_JOB_TOKENS, type BadJobToken } from './bad-job-tokens.table.ts';
import { newJobToken, TOKEN_TYPE } from './token-request.ts';

const FORMS = ['path', 'form'] as const;
type Form = (typeof FORMS)[number];
const EXPLAINED: Readonly<Record<string, RegExp>> = {
  agent_token_audience_wrong: /audience [ -~]+ accepts https:\/\/keydesk\.acme\.example\. /,
  agent_token_expired: /(?:\d\dT[\d:]+Z.*){2}/,
  agent_token_not_yet_valid: /(?:\d\dT[\d:]+Z.*){2}/,
  agent_token_issued_in_future: /(?:\d\dT[\d:.]+Z.*){2}/,
  agent_token_lifetime_too_long: / \d+ seconds.* 600\./,
};
/** They are about the job, or about its request. */
const OF_JOBS = ['job_token_missing', 'job_token_claim_invalid', 'job_token_organization_wrong'];
const TABLE = Object.entries(BAD_JOB_TOKENS).flatMap(([reason, cases]) =>
  OF_JOBS.includes(reason) ? [] : [[reason.replace('job', 'agent'), cases as readonly BadJobToken[]] as const],
);

/** What a claim can have in place of one value that can be shown. */
const NO_VALUES = [
  undefined,
  null,
  '',
  [],
  ['x'],
  {},
  { x: 'y' },
  1.5,
  2 ** 53,
  'a\n',
  'a\u001b[2K',
  'a\u2028',
  '\ud800',
];
const TOO_LONG = 'x'.repeat(1025);

describe('the table of bad tokens', () => {
  it('and the test of claims have every reason for which a token of a machine is refused', () => {
    expect(new Set([...TABLE.map(([reason]) => reason), 'agent_token_claim_invalid'])).toEqual(
      new Set(AGENT_TOKEN_REASONS),
    );
  });
});

describe.each(AGENT_PROVIDERS)('a token of $name', (provider) => {
  let keydesk: InProcessKeydesk;
  let forger: ForgingIssuer;
  let fake: StartedProvider;
  let valid: ValidJobToken;
  beforeAll(async () => {
    forger = await startForgingIssuer(provider.algorithm);
    const keysUrl = `${forger.url}/.well-known/jwks`;
    const data = providerData(provider, { issuer: forger.url, keysUrl }, { maxTokenLifetime: '10m' });
    keydesk = await openInProcessKeydesk({ policy: (project) => withAgent(project, provider, data) });
    fake = await provider.start(keydesk.clock);
    const iat = Math.floor(keydesk.clock.now() / 1000);
    valid = forger.valid(fake.token(), { exp: iat + 300 });
  });
  afterAll(async () => {
    await keydesk.close();
    await forger.close();
    await fake.close();
  });

  /** Sends a request when Keydesk's clock is this many seconds after the machine's token was issued. */
  async function requestAt(seconds: number, form: Form, agentToken: string): Promise<Called> {
    keydesk.clock.set(Math.round((valid.iat + seconds) * 1000));
    return send(keydesk, form, agentToken);
  }

  it('is refused without a word to its issuer where no key is needed to see it', async () => {
    const reasons = TABLE.map(([reason]) => reason);
    const withoutKey = [...reasons.slice(0, reasons.indexOf('agent_token_key_unknown')), 'agent_token_issuer_wrong'];
    for (const [reason, cases] of TABLE.filter(([reason]) => withoutKey.includes(reason)))
      for (const { jobToken } of cases)
        expect((await requestAt(0, 'form', jobToken(valid))).audit[0].reason).toBe(reason);
    expect(forger.keyRequests()).toBe(0);
  });

  for (const [reason, cases] of TABLE)
    it(`is refused as ${reason} in each of ${cases.length} cases, in one way`, async () => {
      for (const form of FORMS)
        for (const { title, jobToken, detail, at = 0, only = form, of } of cases) {
          if (only !== form || of === 'job') continue;
          const bad = jobToken(valid);
          const minted = keydesk.google.calls.length;
          const called = await requestAt(at, form, bad);
          expectRefused(called, { title, reason, detail });
          expectNotLogged(keydesk, bad);
          expect(keydesk.google.calls.length).toBe(minted);
        }
    });

  it('is refused when a declared claim is absent, or no single value that can be shown', async () => {
    for (const [name, { at = [name] }] of Object.entries(provider.claims))
      for (const value of [...NO_VALUES, TOO_LONG]) {
        const changed = valid.signed({ payload: replaced(valid.payload, at, value) });
        expectRefused(await requestAt(0, 'form', changed), {
          ...{ title: `${name} ${JSON.stringify(value)}`, reason: 'agent_token_claim_invalid', detail: name },
        });
      }
  });

  it('is refused when the way to a declared claim leads through something else than members', async () => {
    for (const [name, { at = [name] }] of Object.entries(provider.claims))
      for (const instead of at.length > 1 ? [null, 'text', 7, [{ [at[1] ?? '']: 'x' }], [], true] : []) {
        const changed = valid.signed({ payload: replaced(valid.payload, at.slice(0, 1), instead) });
        const { audit } = await requestAt(0, 'form', changed);
        expect(audit[0].reason).toBe('agent_token_claim_invalid');
      }
  });

  it('has its claims nowhere but in members of its own', async () => {
    const [first] = Object.entries(provider.claims).map(([name, { at = [name] }]) => at);
    const [outer = ''] = first ?? [];
    const text = JSON.stringify(valid.payload);
    const inPrototype = text.replace(`"${outer}":`, '"__proto__":{').replace(/\}$/, '}}');
    for (const payload of [inPrototype, text.replace(`"${outer}":`, '"constructor":')]) {
      if (payload === text || !canParse(payload)) continue;
      const { audit } = await requestAt(0, 'form', valid.signed({ payload }));
      expect(audit[0].reason).toBe('agent_token_claim_invalid');
    }
  });

  it('is no proof when a claim has another value, and the response does not say which', async () => {
    const responses = new Set<string>();
    for (const [name, { at = [name], value }] of Object.entries(provider.claims)) {
      const other = [
        `${value}x`,
        value.toUpperCase() === value ? `${value} ` : value.toUpperCase(),
        value.slice(1) || 'x',
      ];
      for (const changed of other) {
        const called = await requestAt(0, 'form', valid.signed({ payload: replaced(valid.payload, at, changed) }));
        expect(called.audit).toMatchObject([{ reason: 'no_matching_rule' }]);
        responses.add(called.text.replaceAll(called.json.request_id, 'ID'));
      }
    }
    expect(responses.size).toBe(1);
  });

  it('is accepted as it is, and when it is just good enough', async () => {
    const claims = (change: object) => valid.signed({ payload: { ...valid.payload, ...change } });
    const header = (change: object) => valid.signed({ header: { ...valid.header, ...change } });
    const { iat } = valid;
    const good: readonly (readonly [token: string, at: number])[] = [
      [valid.jobToken, 0],
      [valid.jobToken, 309],
      [valid.jobToken, -90],
      [claims({ exp: iat + 600 }), 0],
      [claims({ nbf: iat }), 0],
      [claims({ aud: [valid.payload.aud].flat() }), 0],
      [claims({ aud: [valid.payload.aud].flat()[0] }), 0],
      [claims({ constructor: 1, toString: null, __proto__x: {} }), 0],
      [header({ typ: 'JWT' }), 0],
    ];
    for (const form of FORMS)
      for (const [token, at] of good) {
        const called = await requestAt(at, form, token);
        expect([called.status, called.json.error_description]).toEqual([200, undefined]);
        expect(called.audit).toMatchObject([{ event: 'grant.issued' }]);
        expectNotLogged(keydesk, token);
      }
  });

  it('gets 503 for an unknown key while the keys were requested recently, whichever key it is', async () => {
    const unknown = (kid: string) => valid.signed({ header: { ...valid.header, kid } });
    await requestAt(200, 'form', unknown('first'));
    const requests = forger.keyRequests();
    const [one, other] = [await requestAt(210, 'form', unknown('a')), await requestAt(210, 'path', unknown('b'))];
    for (const { status, headers, json, audit } of [one, other]) {
      expect([status, json.error, headers.get('retry-after')]).toEqual([503, 'temporarily_unavailable', '20']);
      expect(audit).toMatchObject([{ reason: 'agent_token_key_not_looked_up' }]);
    }
    expect(one.json.error_description.slice(0, -36)).toBe(other.json.error_description.slice(0, -36));
    expect(forger.keyRequests()).toBe(requests);
  });
});

describe('a token of another provider than the rule names', () => {
  it('is refused though the policy has that provider too, and its keys are not requested', async () => {
    const [aws, google] = AGENT_PROVIDERS as readonly [AgentProvider, AgentProvider];
    const forgers = [await startForgingIssuer(aws.algorithm), await startForgingIssuer(google.algorithm)] as const;
    const [ofAws, ofGoogle] = forgers;
    const data = (provider: AgentProvider, { url }: ForgingIssuer) =>
      providerData(provider, { issuer: url, keysUrl: `${url}/.well-known/jwks` });
    const keydesk = await openInProcessKeydesk({
      policy: (project) => {
        const policy = JSON.parse(withAgent(project, aws, data(aws, ofAws)));
        policy.identityProviders.google = data(google, ofGoogle);
        return JSON.stringify(policy);
      },
    });
    const fake = await google.start(keydesk.clock);
    try {
      const valid = ofGoogle.valid(fake.token());
      const called = await send(keydesk, 'form', valid.jobToken);
      expectRefused(called, { title: 'Google', reason: 'agent_token_algorithm_not_allowed', detail: undefined });
      expect(ofGoogle.keyRequests()).toBe(0);
      // The issuer of the one, signed by the key of the other, under a key ID that both have.
      const header = { alg: ofAws.algorithm, kid: 'current' };
      const awsKeys = { ...valid.payload, iss: ofGoogle.url };
      const crossed = ofAws.valid(fake.token()).signed({ header, payload: awsKeys });
      expectRefused(await send(keydesk, 'form', crossed), {
        ...{ title: 'crossed', reason: 'agent_token_issuer_wrong', detail: undefined },
      });
    } finally {
      await keydesk.close();
      await fake.close();
      for (const forger of forgers) await forger.close();
    }
  });
});

async function send(keydesk: InProcessKeydesk, form: Form, agentToken: string): Promise<Called> {
  const jobToken = await newJobToken(keydesk);
  if (form === 'form')
    return keydesk.requestByForm(jobToken, 'staging-config', {
      ...{ actor_token: agentToken, actor_token_type: `${TOKEN_TYPE}jwt` },
    });
  const headers = { authorization: `Bearer ${jobToken}`, 'keydesk-actor-token': agentToken };
  return keydesk.call(`${keydesk.tokenUrl}/token/staging-config`, { method: 'POST', headers });
}

function expectRefused(
  { status, json, audit, headers }: Called,
  { title, reason, detail }: { readonly title: string; readonly reason: string; readonly detail: string | undefined },
): void {
  const [line, ...others] = audit;
  expect({ title, reason: line.reason, detail: line.detail }).toEqual({ title, reason, detail });
  expect(others).toEqual([]);
  expect([status, json.error, headers.get('www-authenticate')]).toEqual([400, 'invalid_request', null]);
  const cause = EXPLAINED[reason];
  if (cause) expect(json.error_description).toMatch(cause);
  else expect(json.error_description).toBe(`${AGENT_TOKEN_NOT_ACCEPTED} Request id: ${json.request_id}`);
  expect(json.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/);
  expect(Object.keys(json)).toEqual(['error', 'request_id', 'error_description']);
}

function expectNotLogged(keydesk: InProcessKeydesk, token: string): void {
  const line = keydesk.lines.at(-1);
  for (const part of token.split(/[^A-Za-z0-9_-]/)) if (part.length > 24) expect(line).not.toContain(part);
}

/** The payload with another value where the path leads; undefined removes it. */
function replaced(payload: object, [member = '', ...rest]: readonly string[], value: unknown): Record<string, unknown> {
  const inner = (payload as Record<string, object>)[member] ?? {};
  return { ...payload, [member]: rest.length === 0 ? value : replaced(inner, rest, value) };
}

function canParse(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}
