// reader and admin over HTTP: who is let in, what a route accepts, what is logged.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namedTeams } from '../../shared/core/policy/named-teams.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { responseProblems } from '../fixtures/openapi.ts';
import { everyKindPolicyText } from '../fixtures/policies.ts';

const PERSON = 'alice@acme.example';

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterAll(() => keydesk.close());

const issue = async () => {
  const job = keydesk.buildkite.startJob();
  const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job));
  return { job, ...json } as { job: { id: string }; grant_id: string; access_token: string };
};
/** As keydesk.asPerson; each response is as docs/openapi.json describes it. */
const asPerson: InProcessKeydesk['asPerson'] = async (url, options) => {
  const response = await keydesk.asPerson(url, options);
  const method = options?.body === undefined ? 'GET' : 'POST';
  expect(responseProblems(method, new URL(url).pathname, response.status, response.json)).toEqual([]);
  return response;
};
const bothUrls = () => [`${keydesk.readerUrl}/blocks`, `${keydesk.adminUrl}/blocks/x/remove`];

describe('a private function', () => {
  it.each([
    ['no token', async () => ({}), 'missing'],
    [
      'a token of nobody, although no invoker check was made',
      async () => ({ authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFAYi5jIn0.x' }),
      'not_verified',
    ],
    [
      'a token in X-Serverless-Authorization alone',
      async () => ({ 'x-serverless-authorization': `Bearer ${await keydesk.google.idToken(PERSON)}` }),
      'missing',
    ],
    [
      'a token for another function',
      async () => ({
        authorization: `Bearer ${await keydesk.google.idToken(PERSON, { audience: 'https://other.example' })}`,
      }),
      'audience_wrong',
    ],
  ])('refuses %s', async (_, headers, problem) => {
    for (const url of bothUrls()) {
      const { status, json, audit } = await keydesk.call(url, { headers: await headers() });
      expect([status, json.error]).toEqual([401, 'invalid_token']);
      expect(audit).toMatchObject([{ event: 'operator.refused', severity: 'WARNING', problem }]);
    }
  });

  const withoutSignature = (token: string) => token.replace(/[^.]*$/, 'SIGNATURE_REMOVED_BY_GOOGLE');

  it('lets in a token whose copy, which Cloud Run checked, lost its signature', async () => {
    const authorization = `Bearer ${await keydesk.google.idToken(PERSON)}`;
    const headers = { authorization, 'x-serverless-authorization': withoutSignature(authorization) };
    expect(await keydesk.call(`${keydesk.readerUrl}/blocks`, { headers })).toMatchObject({
      status: 200,
      audit: [{ actor: PERSON }],
    });
  });

  it('says the same about every token that Google did not sign, and of two tokens', async () => {
    const other = `Bearer ${withoutSignature(await keydesk.google.idToken('mallory@acme.example'))}`;
    const cases = [
      ['x'],
      ['a.b.c'],
      [await keydesk.buildkite.jobToken(keydesk.buildkite.startJob())],
      [await keydesk.google.idToken(PERSON), other],
      [await keydesk.google.idToken(PERSON), 'Basic x'],
    ] as const;
    const bodies = cases.map(async ([token, second]) => {
      const { status, json } = await keydesk.call(`${keydesk.readerUrl}/blocks`, {
        headers: {
          authorization: `Bearer ${token}`,
          ...(second === undefined ? {} : { 'x-serverless-authorization': second }),
        },
      });
      expect(status).toBe(401);
      return { ...json, request_id: '' };
    });
    expect(new Set((await Promise.all(bodies)).map((body) => JSON.stringify(body))).size).toBe(1);
  });

  it('knows its paths, methods, queries and bodies', async () => {
    expect(await asPerson(`${keydesk.readerUrl}/nothing`)).toMatchObject({ status: 404 });
    const wrongMethod = await asPerson(`${keydesk.readerUrl}/blocks`, { body: {} });
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'GET']);
    const wrongQuery = await asPerson(`${keydesk.readerUrl}/blocks?state=all`);
    expect(wrongQuery).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
    const wrongBody = await asPerson(`${keydesk.adminUrl}/kill`, { body: { id: 'x', reason: '' } });
    expect(wrongBody).toMatchObject({
      status: 400,
      json: { error_description: expect.stringMatching(/body\. .*id: .*; reason: /) },
    });
  });
});

describe('GET /grants/ID', () => {
  it('shows a grant and the hashes of its tokens, and no token', async () => {
    const { grant_id, job, access_token } = await issue();
    const { status, json, text, audit } = await asPerson(`${keydesk.readerUrl}/grants/${grant_id}`);
    expect(status).toBe(200);
    expect(json).toMatchObject({ grant_id, state: 'active', job: { job_id: job.id }, tokens: [{}] });
    expect(text).not.toContain(access_token);
    expect(audit).toMatchObject([{ event: 'operator.read', actor: PERSON, operation: 'getGrant', about: grant_id }]);
  });

  it('responds with 404 about an id that is not on record', async () => {
    for (const id of ['none', 'a%2Fb', '__x__', '%00', 'a'.repeat(1501)])
      expect(await asPerson(`${keydesk.readerUrl}/grants/${id}`), id).toMatchObject({
        status: 404,
        json: { error: 'not_found' },
      });
    for (const id of ['a%2Fb', '__x__'])
      expect(await asPerson(`${keydesk.adminUrl}/blocks/${id}/remove`, { body: {} }), id).toMatchObject({
        status: 404,
      });
  });
});

describe('POST /kill', () => {
  const kill = (body: object, email = PERSON) =>
    asPerson(`${keydesk.adminUrl}/kill`, {
      email,
      body: { id: crypto.randomUUID(), reason: 'INC-7', ...body },
    });

  it('records the verified address as the actor, and ends the grant', async () => {
    const { job, grant_id } = await issue();
    const { status, json, audit } = await kill({ selector: { job_id: job.id } }, 'bob@acme.example');
    expect([status, json.counts.revoked]).toEqual([200, 1]);
    expect(audit).toMatchObject([
      { event: 'kill_switch.activated', actor: 'bob@acme.example', reason: 'INC-7', blocks_new: false },
      { event: 'grant.revoked', grant_id },
    ]);
  });

  it('leaves an account alone that serves another job by the time its turn comes', async () => {
    const MINUTE = 60_000;
    const requestToken = async () => {
      const issuedAt = Math.floor(keydesk.clock.now() / 1000);
      const jobToken = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob(), { issuedAt });
      return (await keydesk.requestByPath(jobToken, 'staging-admin')).json;
    };
    const leaked = await requestToken();
    const { ledger } = keydesk.adminDeps;
    const others: string[] = [];
    let ends = 0;
    keydesk.adminDeps.ledger = {
      ...ledger,
      endGrant: async (grant, cause) => {
        ends += 1;
        if (ends === 2) {
          for (let minutes = 0; minutes < 30; minutes += 1) {
            keydesk.clock.advance(MINUTE);
            await keydesk.sweep();
          }
          for (let jobs = 0; jobs < 3; jobs += 1) others.push((await requestToken()).access_token);
        }
        return ledger.endGrant(grant, cause);
      },
    };
    const { json } = await kill({ selector: { credential: 'staging-admin' } });
    keydesk.adminDeps.ledger = ledger;
    expect(json.counts).toEqual({
      selected: 1,
      revoked: 0,
      disabled: 0,
      still_accepted: 0,
      expired: 0,
      ended_before: 1,
      unfinished: 0,
      ambiguous: 0,
    });
    expect(await keydesk.gate(leaked.access_token)).toBe(401);
    expect(await Promise.all(others.map(keydesk.gate))).toEqual([200, 200, 200]);
  });

  it.each([
    [false, ['grants', 'act']],
    [true, ['act', 'grants']],
  ])('looks through the live grants once, and after a block is on record: --block is %s', async (block, order) => {
    const { killSwitchLedger } = keydesk.adminDeps;
    const done: string[] = [];
    const { job, grant_id } = await issue();
    keydesk.adminDeps.killSwitchLedger = {
      ...killSwitchLedger,
      liveGrants: () => {
        done.push('grants');
        return killSwitchLedger.liveGrants();
      },
      record: async (...act) => {
        await killSwitchLedger.record(...act);
        done.push('act');
      },
    };
    const { json } = await kill({ selector: { job_id: job.id }, block });
    keydesk.adminDeps.killSwitchLedger = killSwitchLedger;
    expect([done, json.selected, json.counts.revoked]).toMatchObject([order, [{ grant_id }], 1]);
    if (block) await keydesk.asPerson(`${keydesk.adminUrl}/blocks/${json.block_id}/remove`, { body: {} });
  });

  it('writes nothing in a dry run', async () => {
    const { job, grant_id } = await issue();
    const { json, audit } = await kill({ selector: { job_id: job.id }, dry_run: true, block: true });
    expect(json).toMatchObject({ dry_run: true, selected: [{ grant_id, state: 'active' }], block_id: null });
    expect(audit).toMatchObject([{ event: 'operator.read', operation: 'kill' }]);
    const after = await asPerson(`${keydesk.readerUrl}/grants/${grant_id}`);
    expect(after.json).toMatchObject({ state: 'active', ended_at: null });
    expect((await asPerson(`${keydesk.readerUrl}/blocks`)).json).toEqual({ blocks: [] });
  });

  it.each([
    ['nothing selected', {}],
    ['two ways to select', { all: true, selector: { credential: 'x' } }],
    ['an empty selector', { selector: {} }],
  ])('refuses %s', async (_, body) => {
    expect(await kill(body)).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
  });

  it('knows the names of the policy and of grants on record, also where nothing is live, and blocks them', async () => {
    const { grant_id } = await issue();
    await keydesk.adminDeps.deploymentLedger.recordToken(
      { version: '0.2.0', revision: null, started_at: keydesk.clock.now() },
      {
        ...{ sha256: keydesk.tokenDeps.policy.sha256, text: everyKindPolicyText(keydesk.project) },
        teams: namedTeams(keydesk.tokenDeps.policy.policy),
      },
    );
    await kill({ all: true });
    for (const [selector, message] of [
      [
        { credential: 'stagin-config' },
        /no grant on record has credential=stagin-config.*Did you mean staging-config\?/,
      ],
      [{ environment: 'production ' }, /Did you mean production\?/],
      [{ pipeline_slug: 'ap' }, /no grant on record has pipeline_slug=ap/],
    ] as const) {
      const { status, json, audit } = await kill({ selector, block: true });
      expect([status, json.error, audit]).toEqual([404, 'nothing_selected', []]);
      expect(json.error_description).toMatch(message);
    }
    expect(await kill({ pipeline: 'nothing' })).toMatchObject({ status: 404 });
    expect(await kill({ selector: { pipeline_slug: 'app' } })).toMatchObject({
      status: 404,
      json: { error_description: expect.stringContaining('no live grant matches pipeline_slug=app') },
    });
    const { status, json } = await kill({
      selector: { pipeline_slug: 'app', credential: 'staging-admin' },
      block: true,
    });
    expect([status, json.counts.selected]).toEqual([200, 0]);
    expect((await keydesk.asPerson(`${keydesk.readerUrl}/blocks`)).json.blocks).toMatchObject([
      { id: json.block_id, actor: PERSON, reason: 'INC-7', selector: { pipeline_slug: 'app' } },
    ]);
    const removed = await keydesk.asPerson(`${keydesk.adminUrl}/blocks/${json.block_id}/remove`, { body: {} });
    expect(removed).toMatchObject({ status: 200, audit: [{ event: 'kill_switch.deactivated', actor: PERSON }] });
    expect((await keydesk.asPerson(`${keydesk.readerUrl}/grants/${grant_id}`)).json).toMatchObject({
      state: 'revoked',
    });
  });

  it('refuses what fits nothing, and a token that is not on record, and records no act', async () => {
    for (const body of [{ selector: { credential: 'stagin-config' } }, { token_sha256: 'a'.repeat(64) }]) {
      const { status, json, audit } = await kill(body);
      expect([status, json.error, audit]).toEqual([404, 'nothing_selected', []]);
    }
  });

  it('responds with 503 when the ledger fails, and has blocked nothing that it does not say', async () => {
    const { killSwitchLedger } = keydesk.adminDeps;
    keydesk.adminDeps.killSwitchLedger = {
      ...killSwitchLedger,
      liveGrants: () => {
        throw Object.assign(new Error('ledger: no response within 5000 ms'), {
          name: 'DependencyError',
          dependency: 'ledger',
          code: 'timed_out',
          retryAfter: 2,
        });
      },
    };
    const selector = { credential: 'staging-config' };
    const plain = await kill({ selector });
    expect([plain.status, plain.headers.get('retry-after')]).toEqual([503, '2']);
    expect((await asPerson(`${keydesk.readerUrl}/blocks`)).json).toEqual({ blocks: [] });
    const { status, headers, json } = await kill({ selector, block: true });
    keydesk.adminDeps.killSwitchLedger = killSwitchLedger;
    expect([status, headers.get('retry-after')]).toEqual([503, '2']);
    const { blocks } = (await asPerson(`${keydesk.readerUrl}/blocks`)).json;
    expect(blocks).toMatchObject([{ selector }]);
    expect(json.error_description).toContain(
      `The block is on record, and not all grants were ended. Run it again with --resume ${blocks[0].id}`,
    );
    expect(await kill({ id: blocks[0].id, selector, block: true })).toMatchObject({ status: 200 });
  });
});
