// GET /review and GET /policies/SHA256: acts, policies and the first grant, as the ledger was when the grants were read.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';

const MINUTE = 60_000;
const iso = (time: number) => new Date(time).toISOString();

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk({ records: true });
});
afterAll(() => keydesk.close());

const ledger = () => databaseOf(keydesk.project, 'ledger');
const issue = async () => {
  const job = keydesk.buildkite.startJob();
  const issuedAt = Math.floor(keydesk.clock.now() / 1000);
  const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }));
  return { job, ...json } as { job: { id: string }; grant_id: string; access_token: string };
};
/** Ends the grant of a job of its own. */
const kill = async (reason: string, block = false) => {
  const { job } = await issue();
  return await keydesk.asPerson(`${keydesk.adminUrl}/kill`, {
    email: 'bob@acme.example',
    body: { id: crypto.randomUUID(), reason, block, selector: { job_id: job.id } },
  });
};
const asOf = async () => (await keydesk.asPerson(`${keydesk.readerUrl}/grants`)).json.as_of as string;
const review = (query: Record<string, string>) =>
  keydesk.asPerson(`${keydesk.readerUrl}/review?${new URLSearchParams(query)}`);
const ever = { from: iso(0), to: '2999-01-01T00:00:00Z' };

describe('GET /review', () => {
  it('has the acts of the period, and those whose block was in force in it', async () => {
    const ids: string[] = [];
    for (const [reason, block] of [
      ['ended before', false],
      ['blocks since before', true],
      ['in the period', false],
      ['after', false],
    ] as const) {
      const { json } = await kill(reason, block);
      ids.push(json.id);
      keydesk.clock.advance(MINUTE);
    }
    const [, , third = 0, fourth = 0] = await Promise.all(
      ids.map(async (id) => (await ledger().doc(`kill_switches/${id}`).get()).get('activated_at').toMillis()),
    );
    const { json, audit } = await review({ as_of: await asOf(), from: iso(third), to: iso(fourth) });
    expect(json.acts).toMatchObject([
      { id: ids[1], reason: 'blocks since before', actor: 'bob@acme.example', blocks_new: true, deactivated_at: null },
      { id: ids[2], reason: 'in the period', selector: { job_id: expect.any(String) } },
    ]);
    expect(audit).toMatchObject([
      { event: 'operator.read', operation: 'getReview', about: `from ${iso(third)}, to ${iso(fourth)}` },
    ]);
    await keydesk.asPerson(`${keydesk.adminUrl}/blocks/${ids[1]}/remove`, { body: {} });
    keydesk.clock.advance(MINUTE);
    const later = await review({ as_of: await asOf(), from: iso(keydesk.clock.now()), to: ever.to });
    expect(later.json.acts).toEqual([]);
  });

  it('shows the ledger as of the time that is given, whatever was written since', async () => {
    const as_of = await asOf();
    const before = await review({ as_of, ...ever });
    await kill('written later');
    const { access_token } = await issue();
    await keydesk.revoke(access_token);
    await ledger()
      .doc(`policies/${'0'.repeat(64)}`)
      .set({ first_used_at: new Date(keydesk.clock.now()), last_started_at: new Date(keydesk.clock.now()) });
    expect((await review({ as_of, ...ever })).json).toEqual(before.json);
    expect((await review({ as_of: await asOf(), ...ever })).json).not.toEqual(before.json);
    await ledger()
      .doc(`policies/${'0'.repeat(64)}`)
      .delete();
  });

  it('says when the first grant on record began, and when which policy started', async () => {
    const began = keydesk.clock.now();
    const { grant_id } = await issue();
    const { sha256 } = keydesk.tokenDeps.policy;
    await expect.poll(async () => (await ledger().doc(`policies/${sha256}`).get()).exists).toBe(true);
    const { json } = await review({ as_of: await asOf(), ...ever });
    expect(json.policies).toEqual([{ sha256, first_used_at: expect.any(String), last_started_at: expect.any(String) }]);
    expect(json.unreadable_policies).toEqual([]);
    const grants = await ledger().collection('grants').get();
    const ended = grants.docs.filter((grant) => grant.get('access_ended_at') !== null);
    expect(ended.map(({ id }) => id)).not.toContain(grant_id);
    const [first] = ended.sort((one, other) => one.get('access_ended_at') - other.get('access_ended_at'));
    expect(json.first_grant_at).toBe(first ? iso(first.get('created_at').toMillis()) : null);
    expect(Date.parse(json.first_grant_at)).toBeLessThan(began);
  });

  it('lists acts and policies that cannot be read', async () => {
    const { json: act } = await kill('unreadable');
    await ledger().doc(`kill_switches/${act.id}`).update({ actor: 7 });
    await ledger().doc('policies/abc').set({ first_used_at: 'yesterday' });
    const { json } = await review({ as_of: await asOf(), ...ever });
    expect(json.unreadable_acts).toEqual([{ id: act.id, error: expect.stringContaining('actor') }]);
    expect(json.unreadable_policies).toEqual([{ id: 'abc', error: expect.stringContaining('first_used_at') }]);
    await ledger().doc('policies/abc').delete();
  });

  it.each<[string, Record<string, string>]>([
    ['as_of', { as_of: 'now' }],
    ['from', { from: '2026-11-24' }],
    ['from', { from: ever.to }],
    ['environment', { environment: 'production' }],
  ])('refuses a wrong %s: %j', async (name, wrong) => {
    const { status, json } = await review({ as_of: await asOf(), ...ever, ...wrong });
    expect([status, json.error]).toEqual([400, 'invalid_request']);
    expect(json.error_description).toContain(name);
  });

  it('says so when the ledger does not have the state of that time', async () => {
    const { status, json } = await review({ as_of: '2998-01-01T00:00:00Z', ...ever });
    expect([status, json.error]).toEqual([400, 'as_of_refused']);
  });
});

describe('GET /policies/SHA256', () => {
  const policy = (sha256: string) => keydesk.asPerson(`${keydesk.readerUrl}/policies/${sha256}`);

  it('has the text of the policy, and logs who read it', async () => {
    const { sha256 } = keydesk.tokenDeps.policy;
    await issue();
    await expect.poll(async () => (await policy(sha256)).status).toBe(200);
    const { json, audit } = await policy(sha256);
    expect(json).toMatchObject({ sha256, text: expect.stringContaining('credentials') });
    expect(audit).toMatchObject([{ event: 'operator.read', operation: 'getPolicy', about: sha256 }]);
  });

  it('has no text that is not on record, or whose SHA-256 differs', async () => {
    const [missing, changed] = ['1'.repeat(64), '2'.repeat(64)];
    await ledger()
      .doc(`policies/${changed}`)
      .set({
        ...{ text: 'version: 1', text_gzip: null },
        ...{
          first_used_at: new Date(keydesk.clock.now()),
          last_started_at: new Date(keydesk.clock.now()),
          delete_at: new Date(keydesk.clock.now()),
          schema_version: 1,
        },
      });
    expect(await policy(missing)).toMatchObject({ status: 404, json: { error: 'not_found' } });
    expect(await policy(changed)).toMatchObject({ status: 409, json: { error: 'unreadable_record' } });
    expect(await policy('main')).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
  });

  it('is for people alone', async () => {
    for (const path of [`policies/${'1'.repeat(64)}`, 'review'])
      expect((await keydesk.call(`${keydesk.readerUrl}/${path}`)).status).toBe(401);
  });
});
