// A job gives its credential back before it ends (RFC 7009): what 200 promises for each kind of credential, what it leaves
// alone, and that a token which is not known looks like one that never was.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import { grantEndMark } from '../../shared/core/grant/end.ts';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import { CLOCK_MARGIN_MS, MINT_MARGIN_MS } from '../../shared/core/timing.ts';
import { toStored } from '../../shared/firestore/stored-record.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import {
  type Called,
  databaseOf,
  failQueries,
  firestoreAs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { FORM, send } from './token-request.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KINDS = ['staging-config', 'staging-admin', 'staging-export'] as const;
type Kind = (typeof KINDS)[number];

describe('POST /revoke', () => {
  let keydesk: InProcessKeydesk;
  beforeEach(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    expect(keydesk.google.unexpected).toEqual([]);
    await keydesk.close();
  });

  const requestToken = async (job: Job, credential: Kind) =>
    keydesk.requestByPath(await keydesk.buildkite.jobToken(job), credential);
  async function newHolder(job: Job, credential: Kind) {
    const { status, json } = await requestToken(job, credential);
    expect(status).toBe(200);
    return { credential, accessToken: json.access_token as string, grant_id: json.grant_id as string };
  }
  type Held = Awaited<ReturnType<typeof newHolder>>;

  /** What its holder is answered where the credential is used. */
  const used = ({ credential, accessToken }: Held) =>
    credential === 'staging-config'
      ? firestoreAs(keydesk, accessToken, 'config/web', { method: 'PATCH' })
      : keydesk.gate(accessToken);
  const record = async ({ grant_id }: Held) =>
    (await databaseOf(keydesk.project, 'ledger').collection('grants').doc(grant_id).get()).data();
  const events = ({ audit }: Called) => audit.map(({ event }) => event);
  const failDisabling = () => {
    keydesk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 503 } : undefined);
  };

  it('is finished by the sweep when it was cut off after its first write', async () => {
    const token = await newHolder(keydesk.buildkite.startJob(), 'staging-config');
    const grant = databaseOf(keydesk.project, 'ledger').collection('grants').doc(token.grant_id);
    await grant.update(toStored(grantEndMark({ by: 'released' }, keydesk.clock.now())));
    expect(await used(token)).toBe(200);
    expect((await keydesk.sweep()).json).toMatchObject({ revoked: 1, failed: 0 });
    expect(await used(token)).toBe(403);
    expect(await record(token)).toMatchObject({ state: 'revoked', ended_by: 'released', ending_since: null });
  });

  it.each([
    ['staging-config', 403],
    ['staging-admin', 401],
  ] as const)('has taken the access of %s away by the time of its 200', async (credential, refusedWith) => {
    const token = await newHolder(keydesk.buildkite.startJob(), credential);
    expect(await used(token)).toBe(200);
    const response = await keydesk.revoke(token.accessToken);
    expect(await used(token)).toBe(refusedWith);
    expect([response.status, Object.keys(response.json)]).toEqual([200, ['request_id']]);
    expect(response.audit).toMatchObject([
      { event: 'grant.released', severity: 'INFO', grant_id: token.grant_id, failures: [] },
      {
        event: 'grant.revoked',
        grant_id: token.grant_id,
        state: 'revoked',
        ended_by: 'released',
        access_ended_at: expect.any(String),
      },
    ]);
    expect(response.audit).toHaveLength(2);
    expect(await record(token)).toMatchObject({ state: 'revoked', ended_by: 'released', job_ended_at: null });
    expect((await keydesk.introspect(token.accessToken)).json).toEqual({ active: false });
  });

  it('ends the renewal of a shared account, takes nothing away, and claims nothing else', async () => {
    const token = await newHolder(keydesk.buildkite.startJob(), 'staging-export');
    const response = await keydesk.revoke(token.accessToken);
    expect(response.status).toBe(200);
    expect(response.json).toEqual({ request_id: expect.anything(), revocation: 'expiry', expires_in: 600 });
    expect(await used(token)).toBe(200);
    expect(events(response)).toEqual(['grant.released', 'grant.ended']);
    expect(response.audit[1]).toMatchObject({ state: 'active', ended_by: 'released', access_ended_at: null });
    const active = { active: true, revocation: 'expiry', renewable: false };
    expect((await keydesk.introspect(token.accessToken)).json).toMatchObject(active);
    expect(await record(token)).toMatchObject({ state: 'active', ended_by: 'released', access_ended_at: null });
    expect(keydesk.google.changes).toEqual([]);

    keydesk.clock.advance(10 * MINUTE - 1);
    expect((await keydesk.introspect(token.accessToken)).json).toMatchObject(active);
    keydesk.clock.advance(1);
    expect(await used(token)).toBe(401);
    expect((await keydesk.introspect(token.accessToken)).json).toEqual({ active: false });
    // Google's clock may be behind: until that cannot be any more the answer does not say that the token has ended.
    const again = await keydesk.revoke(token.accessToken);
    expect(again.json).toEqual({ request_id: expect.anything(), revocation: 'expiry', expires_in: 1 });
    keydesk.clock.advance(MINT_MARGIN_MS + CLOCK_MARGIN_MS);
    expect((await keydesk.sweep()).json).toMatchObject({ expired: 1, ended_by_expiry: 0 });
    expect(await record(token)).toMatchObject({ state: 'expired', ended_by: 'released' });
  });

  it.each(KINDS)('of %s ends that grant for its job for good, and nothing else', async (credential) => {
    const [job, another] = [keydesk.buildkite.startJob(), keydesk.buildkite.startJob()];
    const token = await newHolder(job, credential);
    const others = [await newHolder(another, credential)];
    for (const other of KINDS) if (other !== credential) others.push(await newHolder(job, other));
    await keydesk.revoke(token.accessToken);

    const refused = await requestToken(job, credential);
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_grant']);
    expect(refused.audit).toMatchObject([{ reason: 'grant_revoked', grant_id: token.grant_id }]);
    for (const other of others) {
      expect(await used(other)).toBe(200);
      expect(await record(other)).toMatchObject({ state: 'active', ended_by: null });
    }
    await newHolder(job, credential === 'staging-config' ? 'staging-export' : 'staging-config');
    await newHolder(another, credential);
    keydesk.clock.advance(20 * MINUTE);
    await keydesk.sweep();
    expect((await requestToken(job, credential)).json).toMatchObject({ error: 'invalid_grant' });
  });

  it.each(['staging-config', 'staging-admin'] as const)(
    'of one token ends every token of its grant: %s',
    async (credential) => {
      const job = keydesk.buildkite.startJob();
      const tokens = [await newHolder(job, credential)];
      keydesk.clock.advance(5_000);
      tokens.push(await newHolder(job, credential), await newHolder(job, credential));
      await keydesk.revoke(tokens[1]?.accessToken ?? '');
      for (const token of tokens) {
        expect(await used(token)).toBe(credential === 'staging-config' ? 403 : 401);
        expect((await keydesk.introspect(token.accessToken)).json).toEqual({ active: false });
      }
      expect((await record(tokens[0] as Held))?.tokens_issued).toBe(3);
    },
  );

  it('responds alike to each token that it does not know or no longer knows, and changes nothing', async () => {
    const job = keydesk.buildkite.startJob();
    const [ended, live] = [await newHolder(job, 'staging-config'), await newHolder(job, 'staging-export')];
    await keydesk.revoke(ended.accessToken);
    const foreign = await openInProcessKeydesk();
    const theirs = await foreign.requestByPath(await foreign.buildkite.jobToken(foreign.buildkite.startJob()));
    await foreign.close();
    const grants = databaseOf(keydesk.project, 'ledger').collection('grants');
    const before = (await grants.get()).docs.map((grant) => [grant.id, grant.updateTime]);
    const tokens = [
      ended.accessToken,
      theirs.json.access_token as string,
      await keydesk.buildkite.jobToken(job),
      live.accessToken.slice(0, -1),
      tokenSha256(live.accessToken),
      live.grant_id,
      'garbage',
      '\u0000🔑\n%00',
      "x' or '1'='1",
      'x'.repeat(15_000),
    ];
    for (const token of tokens) {
      const response = await keydesk.revoke(token);
      expect([response.status, Object.keys(response.json)]).toEqual([200, ['request_id']]);
      expect(response.json.request_id).toBe(response.headers.get('x-request-id'));
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(response.audit).toEqual([]);
    }
    expect((await grants.get()).docs.map((grant) => [grant.id, grant.updateTime])).toEqual(before);
    expect(await used(live)).toBe(200);
  });

  it('takes a token with the white space of a file around it, and whatever hint', async () => {
    const token = await newHolder(keydesk.buildkite.startJob(), 'staging-config');
    const form = new URLSearchParams({ token: ` ${token.accessToken}\n`, token_type_hint: 'refresh_token' });
    expect((await keydesk.call(`${keydesk.tokenUrl}/revoke`, { method: 'POST', body: form })).status).toBe(200);
    expect(await used(token)).toBe(403);
  });

  it('is unfinished with 503 while IAM fails, and finished with 200 when it is repeated', async () => {
    const token = await newHolder(keydesk.buildkite.startJob(), 'staging-admin');
    failDisabling();
    const unfinished = await keydesk.revoke(token.accessToken);
    expect([unfinished.status, unfinished.json.error]).toEqual([503, 'temporarily_unavailable']);
    expect(Number(unfinished.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(events(unfinished)).toEqual(['grant.refused', 'grant.released']);
    expect(unfinished.audit).toMatchObject([
      { reason: 'dependency_unavailable', dependency: 'revocation', error: expect.stringContaining('returned 503') },
      { severity: 'WARNING', failures: [{ grant_id: token.grant_id }] },
    ]);
    expect(await record(token)).toMatchObject({ state: 'revoking', ended_by: 'released', access_ended_at: null });
    expect(await used(token)).toBe(200);

    keydesk.google.fault = undefined;
    const finished = await keydesk.revoke(token.accessToken);
    expect(finished.status).toBe(200);
    expect(events(finished)).toEqual(['grant.released', 'grant.revoked']);
    expect(await used(token)).toBe(401);
    expect(await record(token)).toMatchObject({ state: 'revoked', ended_by: 'released' });
    expect((await keydesk.revoke(token.accessToken)).audit).toEqual([]);
  });

  it('that is unfinished is finished by the sweep when nobody repeats it', async () => {
    const token = await newHolder(keydesk.buildkite.startJob(), 'staging-admin');
    failDisabling();
    expect((await keydesk.revoke(token.accessToken)).status).toBe(503);
    keydesk.google.fault = undefined;
    expect((await keydesk.sweep()).json).toMatchObject({ revoked: 1, failed: 0 });
    expect(await used(token)).toBe(401);
    expect((await keydesk.revoke(token.accessToken)).status).toBe(200);
  });

  it('is 503 and ends nothing when the ledger cannot be read, or not be written', async () => {
    const token = await newHolder(keydesk.buildkite.startJob(), 'staging-config');
    const down = failQueries();
    const unread = await keydesk.revoke(token.accessToken);
    down.mockRestore();
    const { ledger } = keydesk.sweepDeps;
    keydesk.sweepDeps.ledger = {
      ...ledger,
      endGrant: () => Promise.reject(new DependencyError('ledger', 'call_failed', 'the test broke it')),
    };
    const unwritten = await keydesk.revoke(token.accessToken);
    keydesk.sweepDeps.ledger = ledger;
    for (const response of [unread, unwritten]) {
      expect([response.status, response.json.error]).toEqual([503, 'temporarily_unavailable']);
      expect(response.headers.get('retry-after')).toBe('2');
      expect(response.audit).toMatchObject([
        { event: 'grant.refused', reason: 'dependency_unavailable', dependency: 'ledger' },
      ]);
    }
    expect(await used(token)).toBe(200);
    expect(await record(token)).toMatchObject({ state: 'active' });
  });

  it('is followed by the end of the job as by any other', async () => {
    const job = keydesk.buildkite.startJob();
    const tokens: Held[] = [];
    for (const credential of KINDS) tokens.push(await newHolder(job, credential));
    for (const { accessToken } of tokens) await keydesk.revoke(accessToken);
    const ended = await keydesk.notify(keydesk.buildkite.event(job));
    expect(ended.status).toBe(200);
    expect(ended.json).toMatchObject({ result: 'job_ended', revoked: 0, pending: 0 });
    for (const token of tokens) {
      expect(await record(token)).toMatchObject({ ended_by: 'released' });
      expect((await requestToken(job, token.credential)).audit).toMatchObject([{ reason: 'job_ended' }]);
      expect((await keydesk.revoke(token.accessToken)).status).toBe(200);
    }
  });

  it('stores and returns no secret', async () => {
    const job = keydesk.buildkite.startJob();
    const tokens: string[] = [];
    for (const credential of KINDS) tokens.push((await newHolder(job, credential)).accessToken);
    for (const token of [...tokens, 'garbage-of-the-test']) await keydesk.revoke(token);
    const ledger = databaseOf(keydesk.project, 'ledger');
    const kept = await Promise.all((await ledger.listCollections()).map((collection) => collection.get()));
    const text = `${keydesk.lines.join('')}${JSON.stringify(kept.map(({ docs }) => docs.map((read) => read.data())))}`;
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
    const response = await send(keydesk, { path: '/revoke', headers: { 'content-type': FORM }, body });
    expect([response.status, response.json.error]).toEqual([status, 'invalid_request']);
    expect(response.audit).toMatchObject([reason]);
  });

  it('takes nothing but a form by POST', async () => {
    const { accessToken } = await newHolder(keydesk.buildkite.startJob(), 'staging-config');
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ token: accessToken });
    expect((await send(keydesk, { path: '/revoke', headers: json, body })).status).toBe(415);
    const got = await send(keydesk, { path: `/revoke?token=${accessToken}`, method: 'GET' });
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await keydesk.introspect(accessToken)).json).toMatchObject({ active: true });
    expect(keydesk.lines.join('')).not.toContain(accessToken.slice(-40));
  });
});
