// RFC 7662, OAuth 2.0 Token Introspection: what it asks of an authorization server, by section. Where Keydesk does otherwise
// on purpose, the title says "knowingly otherwise" and the test holds it to what it does instead.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../../sandbox/fakes/buildkite/buildkite.ts';
import { failQueries, type InProcessDesk, openInProcessDesk } from '../../fixtures/in-process-keydesk.ts';
import { FORM, send } from '../token-request.ts';

const CREDENTIALS = ['staging-config', 'staging-export', 'staging-cache'] as const;
const MINUTE = 60_000;

let desk: InProcessDesk;
beforeAll(async () => {
  desk = await openInProcessDesk();
});
afterEach(() => {
  vi.restoreAllMocks();
  desk.clock.reset();
});
afterAll(async () => {
  expect(desk.google.unexpected).toEqual([]);
  await desk.close();
});

async function held(credential: string = 'staging-config', job: Job = desk.buildkite.startJob()): Promise<string> {
  const { status, json } = await desk.askByPath(await desk.buildkite.jobToken(job), credential);
  expect(status).toBe(200);
  return json.access_token;
}
const introspect = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  desk.call(`${desk.tokenUrl}/introspect`, { method: 'POST', headers, body: new URLSearchParams(form) });
const introspected = async (token: string) => (await desk.introspect(token)).json;

describe('RFC 7662 section 2: the endpoint', () => {
  it('tells in JSON of each kind of token that it is active', async () => {
    for (const credential of [...CREDENTIALS, 'staging-admin', 'staging-artifacts']) {
      const answer = await desk.introspect(await held(credential));
      expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(answer.json).toMatchObject({ active: true, credential });
    }
  });
});

describe('RFC 7662 section 2.1: the request', () => {
  it('needs a token, and takes an empty one for none', async () => {
    for (const body of ['', 'token=', 'token_type_hint=access_token']) {
      const answer = await send(desk, { path: '/introspect', headers: { 'content-type': FORM }, body });
      expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request']);
    }
  });

  it('is a form, sent by POST', async () => {
    const token = await held();
    const json = { 'content-type': 'application/json' };
    expect((await send(desk, { path: '/introspect', headers: json, body: `{"token":"${token}"}` })).status).toBe(415);
  });

  it.each(['access_token', 'refresh_token', 'pct', '', '🔑'])(
    'finds a token under the hint %j',
    async (token_type_hint) => {
      expect((await introspect({ token: await held(), token_type_hint })).json).toMatchObject({ active: true });
    },
  );

  it('knows the names of its parameters by their case', async () => {
    const answer = await introspect({ Token: await held() });
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request']);
  });

  it('knowingly otherwise: asks for no authorization, because a token that nobody can guess is the proof', async () => {
    const token = await held();
    const told = await introspected(token);
    for (const authorization of ['Basic d3Jvbmc6d3Jvbmc=', 'Bearer wrong', `Bearer ${token}`])
      expect((await introspect({ token }, { authorization })).json).toEqual(told);
  });

  it('finds nothing by anything but a whole token, so that none can be fished for', async () => {
    const token = await held();
    for (const part of [
      token.slice(0, -1),
      token.slice(1),
      `${token}x`,
      token.toUpperCase(),
      `${token.slice(0, 8)}*`,
      '%',
    ])
      expect(await introspected(part)).toEqual({ active: false });
  });
});

describe('RFC 7662 section 2.2: the answer', () => {
  it.each(CREDENTIALS)('has for %s members of their types, under their standard names', async (credential) => {
    const job = desk.buildkite.startJob();
    expect(await introspected(await held(credential, job))).toMatchObject({
      active: true,
      token_type: 'Bearer',
      exp: expect.any(Number),
      sub: job.id,
      username: expect.any(String),
    });
  });

  it('has the end of the token in whole seconds since 1970, and is true to it', async () => {
    const token = await held();
    const { exp } = await introspected(token);
    expect(exp).toBe(desk.clock.now() / 1000 + 900);
    desk.clock.set(exp * 1000 - 1);
    expect(await introspected(token)).toMatchObject({ active: true, exp });
    desk.clock.set(exp * 1000);
    expect(await introspected(token)).toEqual({ active: false });
  });

  it('has members of its own beside them, and no others that are registered for another thing', async () => {
    const standard = ['active', 'token_type', 'exp', 'sub', 'username'];
    const own = ['grant_id', 'credential', 'environment', 'revocation', 'renewable'];
    const claims = ['job_id', 'organization_slug', 'pipeline_slug', 'build_number'];
    expect(Object.keys(await introspected(await held())).sort()).toEqual([...standard, ...own, ...claims].sort());
  });

  it('knowingly otherwise: names a service account or the grant where the RFC has a person', async () => {
    const [ruled, shared] = [await introspected(await held()), await introspected(await held('staging-export'))];
    expect(ruled.username).toBe(ruled.grant_id);
    expect(shared.username).toBe(`export@${desk.project}.iam.gserviceaccount.com`);
  });

  it.each(CREDENTIALS)(
    'knowingly otherwise: leaves scope, client_id, iat, aud and iss out of %s',
    async (credential) => {
      const told = await introspected(await held(credential));
      for (const name of ['scope', 'client_id', 'iat', 'nbf', 'aud', 'iss', 'jti', 'act', 'may_act'])
        expect(told).not.toHaveProperty(name);
    },
  );

  it('says of a token that is unknown, expired or revoked that it is not active, in the same words', async () => {
    const revoked = await held();
    await desk.revoke(revoked);
    const expired = await held('staging-export');
    desk.clock.advance(11 * MINUTE);
    const foreign = await openInProcessDesk();
    const theirs = await foreign.askByPath(await foreign.buildkite.jobToken(foreign.buildkite.startJob()));
    await foreign.close();
    for (const token of [revoked, expired, theirs.json.access_token, 'unknown', '\u0000🔑']) {
      const answer = await desk.introspect(token);
      expect([answer.status, answer.text]).toEqual([200, '{"active":false}']);
      expect(Object.fromEntries(answer.headers)).toMatchObject({ 'cache-control': 'no-store', 'content-length': '16' });
    }
  });

  it('is kept by no cache, also where it tells of a live token', async () => {
    expect((await desk.introspect(await held())).headers.get('cache-control')).toBe('no-store');
  });
});

describe('RFC 7662 section 2.3: the refusal', () => {
  it('is never the answer to a well-formed question about a token that is not active', async () => {
    expect((await desk.introspect('unknown')).status).toBe(200);
  });

  it('is 503 and says nothing of the token when the ledger cannot be asked', async () => {
    const token = await held();
    failQueries();
    const answer = await desk.introspect(token);
    expect([answer.status, answer.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/);
    expect(answer.json).not.toHaveProperty('active');
  });

  it('knowingly otherwise: is no 401 for credentials that are wrong, since it reads none', async () => {
    for (const authorization of ['Basic d3Jvbmc6d3Jvbmc=', 'Bearer expired']) {
      const answer = await introspect({ token: 'unknown' }, { authorization });
      expect([answer.status, answer.json]).toEqual([200, { active: false }]);
    }
  });
});

describe('RFC 7662 section 4: security', () => {
  it('takes no token from a URL', async () => {
    const token = await held();
    for (const method of ['GET', 'HEAD']) {
      const answer = await send(desk, { method, path: `/introspect?token=${token}` });
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
    }
    expect(desk.lines.join('')).not.toContain(token.slice(-40));
  });

  it('knows of a revocation at once, by whichever way it came', async () => {
    const job = desk.buildkite.startJob();
    const [returned, ended] = [await held(), await held('staging-config', job)];
    await desk.revoke(returned);
    await desk.notify(desk.buildkite.event(job));
    expect([await introspected(returned), await introspected(ended)]).toEqual([{ active: false }, { active: false }]);
  });

  it.each(['staging-export', 'staging-cache'])(
    'knowingly otherwise: says of %s that it is active after its grant has ended, since Google still accepts it',
    async (credential) => {
      const token = await held(credential);
      await desk.revoke(token);
      expect(await introspected(token)).toMatchObject({ active: true, revocation: 'expiry', renewable: false });
    },
  );
});

describe('RFC 7662 section 5: privacy', () => {
  it('tells whoever holds a token of the job alone, and of no person', async () => {
    const job = desk.buildkite.startJob();
    const told = JSON.stringify(await introspected(await held('staging-config', job)));
    expect(told).not.toMatch(/build_creator|build_author|agent_id|branch|commit/);
    expect(told).toContain(job.id);
  });
});
