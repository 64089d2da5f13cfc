// RFC 7662, OAuth 2.0 Token Introspection: what it asks of an authorization server, by section. Where Keydesk does otherwise
// on purpose, the title says "knowingly otherwise" and the test holds it to what it does instead.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../../sandbox/fakes/buildkite/job.ts';
import { failQueries, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { FORM, send } from '../token-request.ts';

const CREDENTIALS = ['staging-config', 'staging-export', 'staging-cache'] as const;
const MINUTE = 60_000;

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterEach(() => {
  vi.restoreAllMocks();
  keydesk.clock.reset();
});
afterAll(async () => {
  expect(keydesk.google.unexpected).toEqual([]);
  await keydesk.close();
});

async function newHolder(
  credential: string = 'staging-config',
  job: Job = keydesk.buildkite.startJob(),
): Promise<string> {
  const { status, json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), credential);
  expect(status).toBe(200);
  return json.access_token;
}
const introspect = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  keydesk.call(`${keydesk.tokenUrl}/introspect`, { method: 'POST', headers, body: new URLSearchParams(form) });
const introspected = async (token: string) => (await keydesk.introspect(token)).json;

describe('RFC 7662 section 2: the endpoint', () => {
  it('returns in JSON that a token of each kind is active', async () => {
    for (const credential of [...CREDENTIALS, 'staging-admin', 'staging-artifacts']) {
      const response = await keydesk.introspect(await newHolder(credential));
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(response.json).toMatchObject({ active: true, credential });
    }
  });
});

describe('RFC 7662 section 2.1: the request', () => {
  it('needs a token, and takes an empty one for none', async () => {
    for (const body of ['', 'token=', 'token_type_hint=access_token']) {
      const response = await send(keydesk, { path: '/introspect', headers: { 'content-type': FORM }, body });
      expect([response.status, response.json.error]).toEqual([400, 'invalid_request']);
    }
  });

  it('is a form, sent by POST', async () => {
    const token = await newHolder();
    const json = { 'content-type': 'application/json' };
    expect((await send(keydesk, { path: '/introspect', headers: json, body: `{"token":"${token}"}` })).status).toBe(
      415,
    );
  });

  it.each(['access_token', 'refresh_token', 'pct', '', '🔑'])(
    'finds a token under the hint %j',
    async (token_type_hint) => {
      expect((await introspect({ token: await newHolder(), token_type_hint })).json).toMatchObject({ active: true });
    },
  );

  it('knows the names of its parameters by their case', async () => {
    const response = await introspect({ Token: await newHolder() });
    expect([response.status, response.json.error]).toEqual([400, 'invalid_request']);
  });

  it('knowingly otherwise: requires no authorization, because a token that nobody can guess is the proof', async () => {
    const token = await newHolder();
    const reported = await introspected(token);
    for (const authorization of ['Basic d3Jvbmc6d3Jvbmc=', 'Bearer wrong', `Bearer ${token}`])
      expect((await introspect({ token }, { authorization })).json).toEqual(reported);
  });

  it('finds nothing by anything but a whole token, so that none can be fished for', async () => {
    const token = await newHolder();
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

describe('RFC 7662 section 2.2: the response', () => {
  it.each(CREDENTIALS)('has for %s members of their types, under their standard names', async (credential) => {
    const job = keydesk.buildkite.startJob();
    expect(await introspected(await newHolder(credential, job))).toMatchObject({
      active: true,
      token_type: 'Bearer',
      exp: expect.any(Number),
      sub: job.id,
      username: expect.any(String),
    });
  });

  it('has the end of the token in whole seconds since 1970, and is true to it', async () => {
    const token = await newHolder();
    const { exp } = await introspected(token);
    expect(exp).toBe(keydesk.clock.now() / 1000 + 900);
    keydesk.clock.set(exp * 1000 - 1);
    expect(await introspected(token)).toMatchObject({ active: true, exp });
    keydesk.clock.set(exp * 1000);
    expect(await introspected(token)).toEqual({ active: false });
  });

  it('has members of its own in addition, and no others that are registered for another thing', async () => {
    const standard = ['active', 'token_type', 'exp', 'sub', 'username'];
    const own = ['grant_id', 'credential', 'environment', 'revocation', 'renewable'];
    const claims = ['job_id', 'organization_slug', 'pipeline_slug', 'build_number'];
    expect(Object.keys(await introspected(await newHolder())).sort()).toEqual([...standard, ...own, ...claims].sort());
  });

  it('knowingly otherwise: names a service account or the grant where the RFC has a person', async () => {
    const [ruled, shared] = [
      await introspected(await newHolder()),
      await introspected(await newHolder('staging-export')),
    ];
    expect(ruled.username).toBe(ruled.grant_id);
    expect(shared.username).toBe(`export@${keydesk.project}.iam.gserviceaccount.com`);
  });

  it.each(CREDENTIALS)(
    'knowingly otherwise: leaves scope, client_id, iat, aud and iss out of %s',
    async (credential) => {
      const reported = await introspected(await newHolder(credential));
      for (const name of ['scope', 'client_id', 'iat', 'nbf', 'aud', 'iss', 'jti', 'act', 'may_act'])
        expect(reported).not.toHaveProperty(name);
    },
  );

  it('says of a token that is unknown, expired or revoked that it is not active, in the same words', async () => {
    const revoked = await newHolder();
    await keydesk.revoke(revoked);
    const expired = await newHolder('staging-export');
    keydesk.clock.advance(11 * MINUTE);
    const foreign = await openInProcessKeydesk();
    const theirs = await foreign.requestByPath(await foreign.buildkite.jobToken(foreign.buildkite.startJob()));
    await foreign.close();
    for (const token of [revoked, expired, theirs.json.access_token, 'unknown', '\u0000🔑']) {
      const response = await keydesk.introspect(token);
      expect([response.status, response.text]).toEqual([200, '{"active":false}']);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'cache-control': 'no-store',
        'content-length': '16',
      });
    }
  });

  it('is kept by no cache, also for a live token', async () => {
    expect((await keydesk.introspect(await newHolder())).headers.get('cache-control')).toBe('no-store');
  });
});

describe('RFC 7662 section 2.3: the refusal', () => {
  it('is never the response to a well-formed request about a token that is not active', async () => {
    expect((await keydesk.introspect('unknown')).status).toBe(200);
  });

  it('is 503 and has nothing about the token when the ledger cannot be read', async () => {
    const token = await newHolder();
    failQueries();
    const response = await keydesk.introspect(token);
    expect([response.status, response.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(response.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/);
    expect(response.json).not.toHaveProperty('active');
  });

  it('knowingly otherwise: is no 401 for credentials that are wrong, since it reads none', async () => {
    for (const authorization of ['Basic d3Jvbmc6d3Jvbmc=', 'Bearer expired']) {
      const response = await introspect({ token: 'unknown' }, { authorization });
      expect([response.status, response.json]).toEqual([200, { active: false }]);
    }
  });
});

describe('RFC 7662 section 4: security', () => {
  it('takes no token from a URL', async () => {
    const token = await newHolder();
    for (const method of ['GET', 'HEAD']) {
      const response = await send(keydesk, { method, path: `/introspect?token=${token}` });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    }
    expect(keydesk.lines.join('')).not.toContain(token.slice(-40));
  });

  it('knows of a revocation at once, by whichever way it came', async () => {
    const job = keydesk.buildkite.startJob();
    const [returned, ended] = [await newHolder(), await newHolder('staging-config', job)];
    await keydesk.revoke(returned);
    await keydesk.notify(keydesk.buildkite.event(job));
    expect([await introspected(returned), await introspected(ended)]).toEqual([{ active: false }, { active: false }]);
  });

  it.each(['staging-export', 'staging-cache'])(
    'knowingly otherwise: says of %s that it is active after its grant has ended, since Google still accepts it',
    async (credential) => {
      const token = await newHolder(credential);
      await keydesk.revoke(token);
      expect(await introspected(token)).toMatchObject({ active: true, revocation: 'expiry', renewable: false });
    },
  );
});

describe('RFC 7662 section 5: privacy', () => {
  it('returns facts about the job to the holder of a token, and none about a person', async () => {
    const job = keydesk.buildkite.startJob();
    const reported = JSON.stringify(await introspected(await newHolder('staging-config', job)));
    expect(reported).not.toMatch(/build_creator|build_author|agent_id|branch|commit/);
    expect(reported).toContain(job.id);
  });
});
