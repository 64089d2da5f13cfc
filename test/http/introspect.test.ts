// Who holds a token, for what, until when (RFC 7662), and that of a token which is not accepted nothing at all is told.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/buildkite.ts';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import { databaseOf, failQueries, type InProcessDesk, openInProcessDesk } from '../fixtures/in-process-keydesk.ts';
import { FORM, send } from './token-request.ts';

const MINUTE = 60_000;
const INACTIVE = '{"active":false}';

describe('POST /introspect', () => {
  let desk: InProcessDesk;
  let startedAt: number;
  beforeEach(async () => {
    desk = await openInProcessDesk();
    startedAt = Math.ceil(desk.clock.now() / MINUTE) * MINUTE;
    desk.clock.set(startedAt);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    expect(desk.google.unexpected).toEqual([]);
    await desk.close();
  });

  async function held(job: Job, credential: string) {
    const issuedAt = Math.floor(desk.clock.now() / 1000);
    const { status, json, audit } = await desk.askByPath(await desk.buildkite.jobToken(job, { issuedAt }), credential);
    expect(status).toBe(200);
    const [{ service_account }] = audit as [{ service_account: string | undefined }];
    return { accessToken: json.access_token as string, grant_id: json.grant_id as string, service_account };
  }
  const introspected = async (accessToken: string) => (await desk.introspect(accessToken)).json;
  async function expectInactive(accessToken: string) {
    const answer = await desk.introspect(accessToken);
    expect([answer.status, answer.text]).toEqual([200, INACTIVE]);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.audit).toEqual([]);
  }

  it.each([
    ['staging-config', 'immediate', 900],
    ['staging-admin', 'propagating', 900],
    ['staging-export', 'expiry', 600],
  ] as const)('tells of %s who holds it, for what and until when', async (credential, revocation, lifetime) => {
    const job = desk.buildkite.startJob({ pipeline_slug: 'shop', build_number: 7 });
    const token = await held(job, credential);
    const answer = await desk.introspect(token.accessToken);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.json).toEqual({
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
    expect(answer.audit).toEqual([]);
  });

  it.each([
    ['staging-config', 900],
    ['staging-admin', 900],
    ['staging-export', 600],
  ] as const)('says until the last millisecond of %s that it is active', async (credential, lifetime) => {
    const { accessToken } = await held(desk.buildkite.startJob(), credential);
    desk.clock.set(startedAt + lifetime * 1000 - 1);
    expect(await introspected(accessToken)).toMatchObject({ active: true, exp: startedAt / 1000 + lifetime });
    desk.clock.advance(1);
    await expectInactive(accessToken);
    desk.clock.advance(2 * MINUTE);
    await desk.sweep();
    await expectInactive(accessToken);
  });

  it('tells the end of the very token that was asked about', async () => {
    const job = desk.buildkite.startJob();
    const asked = ['staging-admin', 'staging-export', 'staging-config'];
    const [admin, exported, config] = await Promise.all(asked.map((credential) => held(job, credential)));
    desk.clock.set(startedAt + 5 * MINUTE);
    const renewed = await Promise.all(asked.map((credential) => held(job, credential)));
    const ends = async (tokens: (typeof renewed)[number][]) =>
      Promise.all(tokens.map(async ({ accessToken }) => (await introspected(accessToken)).exp - startedAt / 1000));
    expect(await ends(renewed)).toEqual([1200, 900, 1200]);
    // A token that rules judge lives as long as its grant; Google's own end at its own time.
    const first = [admin, exported, config] as typeof renewed;
    expect(await ends(first)).toEqual([900, 600, 1200]);
    desk.clock.set(startedAt + 10 * MINUTE);
    await expectInactive(exported?.accessToken ?? '');
    expect(await introspected(renewed[1]?.accessToken ?? '')).toMatchObject({ active: true });
  });

  it('says of what was taken away, by whichever way, that it is not active', async () => {
    const [job, other] = [desk.buildkite.startJob(), desk.buildkite.startJob()];
    const finished = [await held(job, 'staging-config'), await held(job, 'staging-admin')];
    const returned = [await held(other, 'staging-config'), await held(other, 'staging-admin')];
    await desk.notify(desk.buildkite.event(job));
    for (const { accessToken } of finished) await expectInactive(accessToken);
    for (const { accessToken } of returned) {
      expect(await introspected(accessToken)).toMatchObject({ active: true, sub: other.id });
      await desk.revoke(accessToken);
      await expectInactive(accessToken);
    }
  });

  it('says of a shared account whose job has ended that it is active and not renewable', async () => {
    const job = desk.buildkite.startJob();
    const { accessToken } = await held(job, 'staging-export');
    await desk.notify(desk.buildkite.event(job));
    expect(await introspected(accessToken)).toMatchObject({ active: true, revocation: 'expiry', renewable: false });
    expect(await desk.gate(accessToken)).toBe(200);
    desk.clock.set(startedAt + 10 * MINUTE);
    expect(await desk.gate(accessToken)).toBe(401);
    await expectInactive(accessToken);
  });

  it('says the same of everything that never was a token of this desk', async () => {
    const job = desk.buildkite.startJob();
    const live = await held(job, 'staging-export');
    const foreign = await openInProcessDesk();
    const theirs = await foreign.askByPath(await foreign.buildkite.jobToken(foreign.buildkite.startJob()));
    await foreign.close();
    const own = `http://${desk.google.metadataHost}/computeMetadata/v1/instance/service-accounts/default/token`;
    const ours = await fetch(own, { headers: { 'metadata-flavor': 'Google' } });
    for (const token of [
      theirs.json.access_token as string,
      ((await ours.json()) as { access_token: string }).access_token,
      await desk.buildkite.jobToken(job),
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

  it('changes nothing and asks nobody but the ledger', async () => {
    const { accessToken, grant_id } = await held(desk.buildkite.startJob(), 'staging-admin');
    const grant = databaseOf(desk.project, 'ledger').collection('grants').doc(grant_id);
    const [before, calls] = [(await grant.get()).updateTime, desk.google.calls.length];
    for (let time = 0; time < 3; time += 1) await introspected(accessToken);
    expect((await grant.get()).updateTime).toEqual(before);
    expect(desk.google.calls).toHaveLength(calls);
  });

  it('takes a token with the white space of a file around it, and whatever hint', async () => {
    const { accessToken, grant_id } = await held(desk.buildkite.startJob(), 'staging-config');
    const form = new URLSearchParams({ token_type_hint: 'access_token', token: `\t${accessToken}\r\n` });
    const answer = await desk.call(`${desk.tokenUrl}/introspect`, { method: 'POST', body: form });
    expect(answer.json).toMatchObject({ active: true, grant_id });
  });

  it('is 503 when the ledger cannot be asked, and does not say that a token is dead', async () => {
    const { accessToken } = await held(desk.buildkite.startJob(), 'staging-config');
    const down = failQueries();
    const answer = await desk.introspect(accessToken);
    down.mockRestore();
    expect([answer.status, answer.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(answer.json).not.toHaveProperty('active');
    expect(answer.audit).toMatchObject([
      { event: 'grant.refused', reason: 'dependency_unavailable', dependency: 'ledger' },
    ]);
    expect(await introspected(accessToken)).toMatchObject({ active: true });
  });

  it('puts no token into any log, whatever comes of the request', async () => {
    const job = desk.buildkite.startJob();
    const tokens: string[] = [];
    for (const credential of ['staging-config', 'staging-admin', 'staging-export'])
      tokens.push((await held(job, credential)).accessToken);
    for (const token of [...tokens, 'garbage-of-the-test']) {
      await desk.introspect(token);
      await send(desk, { path: '/introspect', headers: { 'content-type': FORM }, body: `token=${token}&token=b` });
      await send(desk, { path: '/introspect', headers: { 'content-type': 'text/plain' }, body: token });
      await send(desk, { path: `/introspect?token=${token}`, method: 'GET' });
      await send(desk, { path: `/introspect/${token}`, headers: { 'content-type': FORM }, body: `token=${token}` });
    }
    const log = desk.lines.join('');
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
    const answer = await send(desk, { path: '/introspect', headers: { 'content-type': FORM, ...headers }, body });
    expect([answer.status, answer.json.error]).toEqual([status, 'invalid_request']);
    expect(answer.audit).toMatchObject([reason]);
  });

  it.each(['GET', 'PUT', 'DELETE', 'HEAD'])('by %s is refused: a token does not belong into a URL', async (method) => {
    const answer = await send(desk, { path: '/introspect?token=a', method });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });
});
