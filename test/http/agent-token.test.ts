// A rule that demands a token of the machine: a job token alone gets nothing, and with it the job gets its credential. The token is kept
// nowhere.

import type { Firestore } from '@google-cloud/firestore';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jsonServer, type LocalReply, type LocalServer } from '../../sandbox/local-server.ts';
import {
  AGENT_PROVIDERS,
  type AgentProvider,
  providerData,
  type StartedProvider,
  withAgent,
} from '../fixtures/agent-providers.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { callRaw, type RawRequest } from '../fixtures/raw-request.ts';
import { FORM, newJobToken, TOKEN_TYPE, tokenForm } from './token-request.ts';

const [AWS] = AGENT_PROVIDERS as readonly [AgentProvider];
const KIB = 1024;

let keydesk: InProcessKeydesk;
let fake: StartedProvider;
let keyServer: LocalServer;
let requestedKeys: string[];
let keysReply: LocalReply | undefined;
beforeAll(async () => {
  // The fake's clock is not Keydesk's, which starts at the next minute: a difference that is allowed.
  keyServer = await jsonServer('keys', async ({ path }) => {
    requestedKeys.push(path);
    return keysReply ?? { status: 200, json: await (await fetch(fake.keysUrl)).json() };
  });
  requestedKeys = [];
  let open: InProcessKeydesk | undefined;
  fake = await AWS.start({ now: () => open?.clock.now() ?? 0, random: () => 0, sleep: async () => {} });
  open = await openInProcessKeydesk({
    policy: (project) =>
      withAgent(project, AWS, providerData(AWS, { issuer: fake.issuer, keysUrl: `${keyServer.url}/jwks` })),
  });
  keydesk = open;
});
beforeEach(() => {
  requestedKeys = [];
  keysReply = undefined;
  // Beyond the age of keys that are used without a request.
  keydesk.clock.advance(2 * 24 * 3_600_000);
});
afterAll(async () => {
  await keydesk.close();
  await fake.close();
  await keyServer.close();
});

const actor = (actor_token: string) => ({ actor_token, actor_token_type: `${TOKEN_TYPE}jwt` });
const byForm = async (more: Record<string, string> = {}) =>
  keydesk.requestByForm(await newJobToken(keydesk), 'staging-config', more);
const byPath = async (headers: RawRequest['headers'] = {}) =>
  callRaw(keydesk, keydesk.tokenUrl, {
    path: '/token/staging-config',
    headers: { authorization: `Bearer ${await newJobToken(keydesk)}`, ...headers },
  });

describe('a job token without a token of the machine', () => {
  it('gets nothing, and the response says what is missing', async () => {
    for (const called of [await byForm(), await byPath(), await byPath({ 'keydesk-actor-token': '  ' })]) {
      expect([called.status, called.json.error]).toEqual([400, 'invalid_request']);
      expect(called.json.error_description).toContain('from the identity provider aws');
      expect(called.audit).toMatchObject([{ reason: 'agent_token_missing', providers: ['aws'] }]);
    }
    expect(requestedKeys).toEqual([]);
  });

  it('gets nothing either when it is sent in place of one', async () => {
    const jobToken = await newJobToken(keydesk);
    const called = await keydesk.requestByForm(jobToken, 'staging-config', actor(jobToken));
    expect(called.audit).toMatchObject([{ reason: 'agent_token_algorithm_not_allowed' }]);
  });

  it('is refused before anything is read of the machine when it is bad itself', async () => {
    const called = await keydesk.requestByForm('no-token', 'staging-config', actor(fake.token()));
    expect(called.audit).toMatchObject([{ reason: 'job_token_malformed' }]);
    expect(requestedKeys).toEqual([]);
  });
});

describe('a token of the machine', () => {
  it.each(['form', 'header'])('gets the credential by %s, and what proved the machine is on record', async (way) => {
    const agentToken = fake.token();
    const called =
      way === 'form' ? await byForm(actor(agentToken)) : await byPath({ 'keydesk-actor-token': agentToken });
    expect([called.status, called.json.error_description]).toEqual([200, undefined]);
    const claims = {
      role: 'arn:aws:iam::123456789012:role/buildkite-agents',
      account: '123456789012',
      queue: 'deploy',
    };
    const grant = await databaseOf(keydesk.project, 'ledger').collection('grants').doc(called.json.grant_id).get();
    expect(grant.get('conditions').agent).toEqual({ provider: 'aws', claims });
    const [, payload = '', signature = ''] = agentToken.split('.');
    const kept = JSON.stringify(await dump(databaseOf(keydesk.project, 'ledger')));
    for (const text of [kept, keydesk.lines.join(''), called.text, JSON.stringify([...called.headers])])
      for (const secret of [payload, signature]) expect(text).not.toContain(secret);
  });

  it('is of no use in a form when it comes in the header', async () => {
    const called = await callRaw(keydesk, keydesk.tokenUrl, {
      path: '/token',
      headers: { 'content-type': FORM, 'keydesk-actor-token': fake.token() },
      body: String(tokenForm(await newJobToken(keydesk))),
    });
    expect(called.audit).toMatchObject([{ reason: 'agent_token_missing' }]);
  });

  it('is refused when the header is repeated', async () => {
    const called = await byPath({ 'keydesk-actor-token': [fake.token(), fake.token()] });
    expect(called.audit).toMatchObject([{ reason: 'agent_token_malformed' }]);
  });

  it('is refused beyond 8 KiB, and is not echoed', async () => {
    const large = 'x'.repeat(8 * KIB + 1);
    for (const called of [await byForm(actor(large)), await byPath({ 'keydesk-actor-token': large })]) {
      expect([called.status, called.audit[0].reason]).toEqual([413, 'request_too_large']);
      expect(called.text).not.toContain('xxxx');
    }
    const just = `${fake.token()}x`.padEnd(8 * KIB, 'x');
    expect((await byForm(actor(just))).audit).toMatchObject([{ reason: 'agent_token_signature_invalid' }]);
  });
});

describe('the keys of an identity provider', () => {
  it('are requested once, and again after ten minutes', async () => {
    for (let i = 0; i < 3; i += 1) expect((await byForm(actor(fake.token()))).status).toBe(200);
    expect(requestedKeys).toEqual(['/jwks']);
    keydesk.clock.advance(10 * 60_000);
    expect((await byForm(actor(fake.token()))).status).toBe(200);
    expect(requestedKeys).toEqual(['/jwks', '/jwks']);
  });

  it.each<[string, LocalReply]>([
    ['are behind a redirect', { status: 302, headers: { location: '/elsewhere' } }],
    ['are an error', { status: 500 }],
    ['are a page', { status: 200, text: '<html>' }],
    ['are none', { status: 200, json: { keys: [] } }],
    ['come over a connection that is cut', 'cut'],
  ])('that %s let nobody in, and the response is 503', async (_, reply) => {
    keysReply = reply;
    const called = await byForm(actor(fake.token()));
    expect([called.status, called.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(called.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(called.audit).toMatchObject([{ reason: 'dependency_unavailable', dependency: 'keys of aws' }]);
    expect(called.text).not.toContain('aws');
    expect(requestedKeys).not.toContain('/elsewhere');
  });

  it('that come too late let nobody in: the request ends at its deadline', async () => {
    keysReply = 'hang';
    const pending = byForm(actor(fake.token()));
    while (requestedKeys.length === 0 || keydesk.clock.deadlines === 0) await new Promise(setImmediate);
    keydesk.clock.advance(60_000);
    expect((await pending).audit).toMatchObject([{ reason: 'dependency_unavailable', code: 'timed_out' }]);
  });
});

async function dump(database: Firestore): Promise<Record<string, unknown[]>> {
  const collections = await database.listCollections();
  const entries = collections.map(async (collection) => {
    const { docs } = await collection.get();
    return [collection.id, docs.map((one) => one.data())] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
