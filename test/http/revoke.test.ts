// A job gives its credential back before it ends (RFC 7009): what 200 promises for each kind of credential, what it leaves
// alone, and that a token which is not known looks like one that never was.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/buildkite.ts';
import { CLOCK_MARGIN_MS } from '../../shared/core/clock-margin.ts';
import { MINT_MARGIN_MS } from '../../shared/core/deadlines.ts';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import { grantEndingMark } from '../../shared/core/grant/lifecycle.ts';
import { toStored } from '../../shared/ledger/client.ts';
import { Unavailable } from '../../shared/runtime/errors.ts';
import {
  type Called,
  databaseOf,
  failQueries,
  firestoreAs,
  type InProcessDesk,
  openInProcessDesk,
} from '../fixtures/in-process-keydesk.ts';
import { FORM, send } from './token-request.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KINDS = ['staging-config', 'staging-admin', 'staging-export'] as const;
type Kind = (typeof KINDS)[number];

describe('POST /revoke', () => {
  let desk: InProcessDesk;
  beforeEach(async () => {
    desk = await openInProcessDesk();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    expect(desk.google.unexpected).toEqual([]);
    await desk.close();
  });

  const ask = async (job: Job, credential: Kind) => desk.askByPath(await desk.buildkite.jobToken(job), credential);
  async function held(job: Job, credential: Kind) {
    const { status, json } = await ask(job, credential);
    expect(status).toBe(200);
    return { credential, accessToken: json.access_token as string, grant_id: json.grant_id as string };
  }
  type Held = Awaited<ReturnType<typeof held>>;

  /** What its holder is answered where the credential is used. */
  const used = ({ credential, accessToken }: Held) =>
    credential === 'staging-config'
      ? firestoreAs(desk, accessToken, 'config/web', { method: 'PATCH' })
      : desk.gate(accessToken);
  const record = async ({ grant_id }: Held) =>
    (await databaseOf(desk.project, 'ledger').collection('grants').doc(grant_id).get()).data();
  const events = ({ audit }: Called) => audit.map(({ event }) => event);
  const failDisabling = () => {
    desk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 503 } : undefined);
  };

  it('is finished by the sweep when it was cut off after its first write', async () => {
    const token = await held(desk.buildkite.startJob(), 'staging-config');
    const grant = databaseOf(desk.project, 'ledger').collection('grants').doc(token.grant_id);
    await grant.update(toStored(grantEndingMark({ by: 'released' }, desk.clock.now())));
    expect(await used(token)).toBe(200);
    expect((await desk.sweep()).json).toMatchObject({ revoked: 1, failed: 0 });
    expect(await used(token)).toBe(403);
    expect(await record(token)).toMatchObject({ state: 'revoked', ended_by: 'released', ending_since: null });
  });

  it.each([
    ['staging-config', 403],
    ['staging-admin', 401],
  ] as const)('has taken the access of %s away by the time of its 200', async (credential, refusedWith) => {
    const token = await held(desk.buildkite.startJob(), credential);
    expect(await used(token)).toBe(200);
    const answer = await desk.revoke(token.accessToken);
    expect(await used(token)).toBe(refusedWith);
    expect([answer.status, Object.keys(answer.json)]).toEqual([200, ['request_id']]);
    expect(answer.audit).toMatchObject([
      { event: 'grant.released', severity: 'INFO', grant_id: token.grant_id, failures: [] },
      {
        event: 'grant.revoked',
        grant_id: token.grant_id,
        state: 'revoked',
        ended_by: 'released',
        access_ended_at: expect.any(String),
      },
    ]);
    expect(answer.audit).toHaveLength(2);
    expect(await record(token)).toMatchObject({ state: 'revoked', ended_by: 'released', job_ended_at: null });
    expect((await desk.introspect(token.accessToken)).json).toEqual({ active: false });
  });

  it('ends the renewal of a shared account, takes nothing away, and claims nothing else', async () => {
    const token = await held(desk.buildkite.startJob(), 'staging-export');
    const answer = await desk.revoke(token.accessToken);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ request_id: expect.anything(), revocation: 'expiry', expires_in: 600 });
    expect(await used(token)).toBe(200);
    expect(events(answer)).toEqual(['grant.released', 'grant.ended']);
    expect(answer.audit[1]).toMatchObject({ state: 'active', ended_by: 'released', access_ended_at: null });
    const active = { active: true, revocation: 'expiry', renewable: false };
    expect((await desk.introspect(token.accessToken)).json).toMatchObject(active);
    expect(await record(token)).toMatchObject({ state: 'active', ended_by: 'released', access_ended_at: null });
    expect(desk.google.changes).toEqual([]);

    desk.clock.advance(10 * MINUTE - 1);
    expect((await desk.introspect(token.accessToken)).json).toMatchObject(active);
    desk.clock.advance(1);
    expect(await used(token)).toBe(401);
    expect((await desk.introspect(token.accessToken)).json).toEqual({ active: false });
    // Google's clock may be behind: until that cannot be any more the answer does not say that the token has ended.
    const again = await desk.revoke(token.accessToken);
    expect(again.json).toEqual({ request_id: expect.anything(), revocation: 'expiry', expires_in: 1 });
    desk.clock.advance(MINT_MARGIN_MS + CLOCK_MARGIN_MS);
    expect((await desk.sweep()).json).toMatchObject({ expired: 1, ended_by_expiry: 0 });
    expect(await record(token)).toMatchObject({ state: 'expired', ended_by: 'released' });
  });

  it.each(KINDS)('of %s ends that grant for its job for good, and nothing else', async (credential) => {
    const [job, another] = [desk.buildkite.startJob(), desk.buildkite.startJob()];
    const token = await held(job, credential);
    const others = [await held(another, credential)];
    for (const other of KINDS) if (other !== credential) others.push(await held(job, other));
    await desk.revoke(token.accessToken);

    const refused = await ask(job, credential);
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_grant']);
    expect(refused.audit).toMatchObject([{ reason: 'grant_revoked', grant_id: token.grant_id }]);
    for (const other of others) {
      expect(await used(other)).toBe(200);
      expect(await record(other)).toMatchObject({ state: 'active', ended_by: null });
    }
    await held(job, credential === 'staging-config' ? 'staging-export' : 'staging-config');
    await held(another, credential);
    desk.clock.advance(20 * MINUTE);
    await desk.sweep();
    expect((await ask(job, credential)).json).toMatchObject({ error: 'invalid_grant' });
  });

  it.each(['staging-config', 'staging-admin'] as const)(
    'of one token ends every token of its grant: %s',
    async (credential) => {
      const job = desk.buildkite.startJob();
      const tokens = [await held(job, credential)];
      desk.clock.advance(5_000);
      tokens.push(await held(job, credential), await held(job, credential));
      await desk.revoke(tokens[1]?.accessToken ?? '');
      for (const token of tokens) {
        expect(await used(token)).toBe(credential === 'staging-config' ? 403 : 401);
        expect((await desk.introspect(token.accessToken)).json).toEqual({ active: false });
      }
      expect((await record(tokens[0] as Held))?.tokens_issued).toBe(3);
    },
  );

  it('answers any token that it does not know, or no longer, alike, and changes nothing', async () => {
    const job = desk.buildkite.startJob();
    const [dead, live] = [await held(job, 'staging-config'), await held(job, 'staging-export')];
    await desk.revoke(dead.accessToken);
    const foreign = await openInProcessDesk();
    const theirs = await foreign.askByPath(await foreign.buildkite.jobToken(foreign.buildkite.startJob()));
    await foreign.close();
    const grants = databaseOf(desk.project, 'ledger').collection('grants');
    const before = (await grants.get()).docs.map((grant) => [grant.id, grant.updateTime]);
    const tokens = [
      dead.accessToken,
      theirs.json.access_token as string,
      await desk.buildkite.jobToken(job),
      live.accessToken.slice(0, -1),
      tokenSha256(live.accessToken),
      live.grant_id,
      'garbage',
      '\u0000🔑\n%00',
      "x' or '1'='1",
      'x'.repeat(15_000),
    ];
    for (const token of tokens) {
      const answer = await desk.revoke(token);
      expect([answer.status, Object.keys(answer.json)]).toEqual([200, ['request_id']]);
      expect(answer.json.request_id).toBe(answer.headers.get('x-request-id'));
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.audit).toEqual([]);
    }
    expect((await grants.get()).docs.map((grant) => [grant.id, grant.updateTime])).toEqual(before);
    expect(await used(live)).toBe(200);
  });

  it('takes a token with the white space of a file around it, and whatever hint', async () => {
    const token = await held(desk.buildkite.startJob(), 'staging-config');
    const form = new URLSearchParams({ token: ` ${token.accessToken}\n`, token_type_hint: 'refresh_token' });
    expect((await desk.call(`${desk.tokenUrl}/revoke`, { method: 'POST', body: form })).status).toBe(200);
    expect(await used(token)).toBe(403);
  });

  it('is unfinished with 503 while IAM fails, and finished with 200 when it is repeated', async () => {
    const token = await held(desk.buildkite.startJob(), 'staging-admin');
    failDisabling();
    const unfinished = await desk.revoke(token.accessToken);
    expect([unfinished.status, unfinished.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(Number(unfinished.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(events(unfinished)).toEqual(['grant.refused', 'grant.released']);
    expect(unfinished.audit).toMatchObject([
      { reason: 'dependency_unavailable', dependency: 'revocation', error: expect.stringContaining('answered 503') },
      { severity: 'WARNING', failures: [{ grant_id: token.grant_id }] },
    ]);
    expect(await record(token)).toMatchObject({ state: 'revoking', ended_by: 'released', access_ended_at: null });
    expect(await used(token)).toBe(200);

    desk.google.fault = undefined;
    const finished = await desk.revoke(token.accessToken);
    expect(finished.status).toBe(200);
    expect(events(finished)).toEqual(['grant.released', 'grant.revoked']);
    expect(await used(token)).toBe(401);
    expect(await record(token)).toMatchObject({ state: 'revoked', ended_by: 'released' });
    expect((await desk.revoke(token.accessToken)).audit).toEqual([]);
  });

  it('that is unfinished is finished by the sweep when nobody repeats it', async () => {
    const token = await held(desk.buildkite.startJob(), 'staging-admin');
    failDisabling();
    expect((await desk.revoke(token.accessToken)).status).toBe(503);
    desk.google.fault = undefined;
    expect((await desk.sweep()).json).toMatchObject({ revoked: 1, failed: 0 });
    expect(await used(token)).toBe(401);
    expect((await desk.revoke(token.accessToken)).status).toBe(200);
  });

  it('is 503 and ends nothing when the ledger cannot be asked, or not be written', async () => {
    const token = await held(desk.buildkite.startJob(), 'staging-config');
    const down = failQueries();
    const unread = await desk.revoke(token.accessToken);
    down.mockRestore();
    const { ledger } = desk.ending;
    desk.ending.ledger = { ...ledger, endGrant: () => Promise.reject(new Unavailable('ledger', 'the test broke it')) };
    const unwritten = await desk.revoke(token.accessToken);
    desk.ending.ledger = ledger;
    for (const answer of [unread, unwritten]) {
      expect([answer.status, answer.json.error]).toEqual([503, 'temporarily_unavailable']);
      expect(answer.headers.get('retry-after')).toBe('2');
      expect(answer.audit).toMatchObject([
        { event: 'grant.refused', reason: 'dependency_unavailable', dependency: 'ledger' },
      ]);
    }
    expect(await used(token)).toBe(200);
    expect(await record(token)).toMatchObject({ state: 'active' });
  });

  it('is followed by the end of the job as by any other', async () => {
    const job = desk.buildkite.startJob();
    const tokens: Held[] = [];
    for (const credential of KINDS) tokens.push(await held(job, credential));
    for (const { accessToken } of tokens) await desk.revoke(accessToken);
    const ended = await desk.notify(desk.buildkite.event(job));
    expect(ended.status).toBe(200);
    expect(ended.json).toMatchObject({ result: 'job_ended', revoked: 0, pending: 0 });
    for (const token of tokens) {
      expect(await record(token)).toMatchObject({ ended_by: 'released' });
      expect((await ask(job, token.credential)).audit).toMatchObject([{ reason: 'job_ended' }]);
      expect((await desk.revoke(token.accessToken)).status).toBe(200);
    }
  });

  it('keeps and tells nothing secret', async () => {
    const job = desk.buildkite.startJob();
    const tokens: string[] = [];
    for (const credential of KINDS) tokens.push((await held(job, credential)).accessToken);
    for (const token of [...tokens, 'garbage-of-the-test']) await desk.revoke(token);
    const ledger = databaseOf(desk.project, 'ledger');
    const kept = await Promise.all((await ledger.listCollections()).map((collection) => collection.get()));
    const text = `${desk.lines.join('')}${JSON.stringify(kept.map(({ docs }) => docs.map((read) => read.data())))}`;
    expect(text).toContain('released');
    for (const token of [...tokens, 'garbage-of-the-test']) expect(text).not.toContain(token);
    expect(text).not.toMatch(/ya29\.|eyJ/);
  });

  it.each([
    ['without a token', '', 400, { reason: 'parameter_missing' }],
    ['with an empty token', 'token=%20%0A', 400, { reason: 'parameter_missing' }],
    ['with two tokens', 'token=a&token=b', 400, { reason: 'parameter_repeated' }],
    ['with more than 16 KiB', `token=${'x'.repeat(16_400)}`, 413, { reason: 'request_too_large' }],
  ])('%s is refused', async (_, body, status, reason) => {
    const answer = await send(desk, { path: '/revoke', headers: { 'content-type': FORM }, body });
    expect([answer.status, answer.json.error]).toEqual([status, 'invalid_request']);
    expect(answer.audit).toMatchObject([reason]);
  });

  it('takes nothing but a form by POST', async () => {
    const { accessToken } = await held(desk.buildkite.startJob(), 'staging-config');
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ token: accessToken });
    expect((await send(desk, { path: '/revoke', headers: json, body })).status).toBe(415);
    const got = await send(desk, { path: `/revoke?token=${accessToken}`, method: 'GET' });
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await desk.introspect(accessToken)).json).toMatchObject({ active: true });
    expect(desk.lines.join('')).not.toContain(accessToken.slice(-40));
  });
});
