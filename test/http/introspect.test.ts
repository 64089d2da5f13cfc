// Who holds a token, for what, until when (RFC 7662), and that the response for a token which is not accepted reveals nothing.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import {
  databaseOf,
  failQueries,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { FORM, send } from './token-request.ts';

const MINUTE = 60_000;
const INACTIVE = '{"active":false}';

describe('POST /introspect', () => {
  let keydesk: InProcessKeydesk;
  let startedAt: number;
  beforeEach(async () => {
    keydesk = await openInProcessKeydesk();
    startedAt = Math.ceil(keydesk.clock.now() / MINUTE) * MINUTE;
    keydesk.clock.set(startedAt);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    expect(keydesk.google.unexpected).toEqual([]);
    await keydesk.close();
  });

  async function newHolder(job: Job, credential: string) {
    const issuedAt = Math.floor(keydesk.clock.now() / 1000);
    const { status, json, audit } = await keydesk.requestByPath(
      await keydesk.buildkite.jobToken(job, { issuedAt }),
      credential,
    );
    expect(status).toBe(200);
    const [{ service_account }] = audit as [{ service_account: string | undefined }];
    return { accessToken: json.access_token as string, grant_id: json.grant_id as string, service_account };
  }
  const introspected = async (accessToken: string) => (await keydesk.introspect(accessToken)).json;
  async function expectInactive(accessToken: string) {
    const response = await keydesk.introspect(accessToken);
    expect([response.status, response.text]).toEqual([200, INACTIVE]);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.audit).toEqual([]);
  }

  it.each([
    ['staging-config', 'immediate', 900],
    ['staging-admin', 'propagating', 900],
    ['staging-export', 'expiry', 600],
  ] as const)('returns the holder, the credential and the expiry of %s', async (credential, revocation, lifetime) => {
    const job = keydesk.buildkite.startJob({ pipeline_slug: 'shop', build_number: 7 });
    const token = await newHolder(job, credential);
    const response = await keydesk.introspect(token.accessToken);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.json).toEqual({
      active: true,
      token_type: 'Bearer',
      exp: startedAt / 1000 + lifetime,
      sub: job.id,
      username: token.service_account ?? token.grant_id,
      grant_id: token.grant_id,
      credential,
      environment: 'staging',
      revocation,
      renewable: true,
      job_id: job.id,
      organization_slug: 'acme-inc',
      pipeline_slug: 'shop',
      build_number: 7,
    });
    expect(token.service_account).toEqual(
      credential === 'staging-config' ? undefined : expect.stringMatching(/^(ci-00\d|export)@.*gserviceaccount\.com$/),
    );
    expect(response.audit).toEqual([]);
  });

  it.each([
    ['staging-config', 900],
    ['staging-admin', 900],
    ['staging-export', 600],
  ] as const)('says until the last millisecond of %s that it is active', async (credential, lifetime) => {
    const { accessToken } = await newHolder(keydesk.buildkite.startJob(), credential);
    keydesk.clock.set(startedAt + lifetime * 1000 - 1);
    expect(await introspected(accessToken)).toMatchObject({ active: true, exp: startedAt / 1000 + lifetime });
    keydesk.clock.advance(1);
    await expectInactive(accessToken);
    keydesk.clock.advance(2 * MINUTE);
    await keydesk.sweep();
    await expectInactive(accessToken);
  });

  it('returns the expiry of the token in the request', async () => {
    const job = keydesk.buildkite.startJob();
    const requested = ['staging-admin', 'staging-export', 'staging-config'];
    const [admin, exported, config] = await Promise.all(requested.map((credential) => newHolder(job, credential)));
    keydesk.clock.set(startedAt + 5 * MINUTE);
    const renewed = await Promise.all(requested.map((credential) => newHolder(job, credential)));
    const ends = async (tokens: (typeof renewed)[number][]) =>
      Promise.all(tokens.map(async ({ accessToken }) => (await introspected(accessToken)).exp - startedAt / 1000));
    expect(await ends(renewed)).toEqual([1200, 900, 1200]);
    // A token that rules judge lives as long as its grant; Google's own end at its own time.
    const first = [admin, exported, config] as typeof renewed;
    expect(await ends(first)).toEqual([900, 600, 1200]);
    keydesk.clock.set(startedAt + 10 * MINUTE);
    await expectInactive(exported?.accessToken ?? '');
    expect(await introspected(renewed[1]?.accessToken ?? '')).toMatchObject({ active: true });
  });

  it('says of what was taken away, by whichever way, that it is not active', async () => {
    const [job, other] = [keydesk.buildkite.startJob(), keydesk.buildkite.startJob()];
    const finished = [await newHolder(job, 'staging-config'), await newHolder(job, 'staging-admin')];
    const released = [await newHolder(other, 'staging-config'), await newHolder(other, 'staging-admin')];
    await keydesk.notify(keydesk.buildkite.event(job));
    for (const { accessToken } of finished) await expectInactive(accessToken);
    for (const { accessToken } of released) {
      expect(await introspected(accessToken)).toMatchObject({ active: true, sub: other.id });
      await keydesk.revoke(accessToken);
      await expectInactive(accessToken);
    }
  });

  it('says of a shared account whose job has ended that it is active and not renewable', async () => {
    const job = keydesk.buildkite.startJob();
    const { accessToken } = await newHolder(job, 'staging-export');
    await keydesk.notify(keydesk.buildkite.event(job));
    expect(await introspected(accessToken)).toMatchObject({ active: true, revocation: 'expiry', renewable: false });
    expect(await keydesk.gate(accessToken)).toBe(200);
    keydesk.clock.set(startedAt + 10 * MINUTE);
    expect(await keydesk.gate(accessToken)).toBe(401);
    await expectInactive(accessToken);
  });

  it('says the same of everything that never was a token of this Keydesk', async () => {
    const job = keydesk.buildkite.startJob();
    const live = await newHolder(job, 'staging-export');
    const foreign = await openInProcessKeydesk();
    const theirs = await foreign.requestByPath(await foreign.buildkite.jobToken(foreign.buildkite.startJob()));
    await foreign.close();
    const own = `http://${keydesk.google.metadataHost}/computeMetadata/v1/instance/service-accounts/default/token`;
    const ours = await fetch(own, { headers: { 'metadata-flavor': 'Google' } });
    for (const token of [
      theirs.json.access_token as string,
      ((await ours.json()) as { access_token: string }).access_token,
      await keydesk.buildkite.jobToken(job),
      live.accessToken.slice(0, -1),
      `${live.accessToken}x`,
      `Bearer ${live.accessToken}`,
      tokenSha256(live.accessToken),
      live.grant_id,
      job.id,
      'garbage',
      '\u0000\uffff🔑%00',
      '{"token":"x"}',
      'x'.repeat(15_000),
    ])
      await expectInactive(token);
    expect(await introspected(live.accessToken)).toMatchObject({ active: true });
  });

  it('changes nothing and uses only the ledger', async () => {
    const { accessToken, grant_id } = await newHolder(keydesk.buildkite.startJob(), 'staging-admin');
    const grant = databaseOf(keydesk.project, 'ledger').collection('grants').doc(grant_id);
    const [before, calls] = [(await grant.get()).updateTime, keydesk.google.calls.length];
    for (let time = 0; time < 3; time += 1) await introspected(accessToken);
    expect((await grant.get()).updateTime).toEqual(before);
    expect(keydesk.google.calls).toHaveLength(calls);
  });

  it('takes a token with the white space of a file around it, and whatever hint', async () => {
    const { accessToken, grant_id } = await newHolder(keydesk.buildkite.startJob(), 'staging-config');
    const form = new URLSearchParams({ token_type_hint: 'access_token', token: `\t${accessToken}\r\n` });
    const response = await keydesk.call(`${keydesk.tokenUrl}/introspect`, { method: 'POST', body: form });
    expect(response.json).toMatchObject({ active: true, grant_id });
  });

  it('is 503 when the ledger cannot be read, and does not say that a token has ended', async () => {
    const { accessToken } = await newHolder(keydesk.buildkite.startJob(), 'staging-config');
    const down = failQueries();
    const response = await keydesk.introspect(accessToken);
    down.mockRestore();
    expect([response.status, response.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(response.json).not.toHaveProperty('active');
    expect(response.audit).toMatchObject([
      { event: 'grant.refused', reason: 'dependency_unavailable', dependency: 'ledger' },
    ]);
    expect(await introspected(accessToken)).toMatchObject({ active: true });
  });

  it('puts no token into any log, whatever comes of the request', async () => {
    const job = keydesk.buildkite.startJob();
    const tokens: string[] = [];
    for (const credential of ['staging-config', 'staging-admin', 'staging-export'])
      tokens.push((await newHolder(job, credential)).accessToken);
    for (const token of [...tokens, 'garbage-of-the-test']) {
      await keydesk.introspect(token);
      await send(keydesk, { path: '/introspect', headers: { 'content-type': FORM }, body: `token=${token}&token=b` });
      await send(keydesk, { path: '/introspect', headers: { 'content-type': 'text/plain' }, body: token });
      await send(keydesk, { path: `/introspect?token=${token}`, method: 'GET' });
      await send(keydesk, { path: `/introspect/${token}`, headers: { 'content-type': FORM }, body: `token=${token}` });
    }
    const log = keydesk.lines.join('');
    for (const token of tokens) expect(log).not.toContain(token);
    expect(log).not.toMatch(/ya29\.[A-Za-z0-9]|eyJ[A-Za-z0-9_-]{8}/);
  });

  it.each([
    ['without a token', {}, 'token_type_hint=access_token', 400, { reason: 'parameter_missing' }],
    ['with an empty token', {}, 'token=', 400, { reason: 'parameter_missing' }],
    ['with two tokens', {}, 'token=a&token=a', 400, { reason: 'parameter_repeated' }],
    ['in JSON', { 'content-type': 'application/json' }, '{"token":"a"}', 415, { reason: 'content_type_not_supported' }],
    ['compressed', { 'content-encoding': 'gzip' }, 'token=a', 415, { reason: 'content_type_not_supported' }],
    ['with more than 16 KiB', {}, `token=${'x'.repeat(16_400)}`, 413, { reason: 'request_too_large' }],
  ])('%s is refused', async (_, headers, body, status, reason) => {
    const response = await send(keydesk, { path: '/introspect', headers: { 'content-type': FORM, ...headers }, body });
    expect([response.status, response.json.error]).toEqual([status, 'invalid_request']);
    expect(response.audit).toMatchObject([reason]);
  });

  it.each(['GET', 'PUT', 'DELETE', 'HEAD'])('by %s is refused: a token does not belong into a URL', async (method) => {
    const response = await send(keydesk, { path: '/introspect?token=a', method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });
});
