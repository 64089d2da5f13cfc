// POST /kill/lost: a grant that the ledger lost is recorded and ended, and only while everything since then is blocked.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { responseProblems } from '../fixtures/openapi.ts';

const PERSON = 'alice@acme.example';

let keydesk: InProcessKeydesk;
let since: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
beforeEach(() => {
  keydesk.clock.advance(5 * 60_000);
  since = new Date(keydesk.clock.now()).toISOString();
});
afterAll(() => keydesk.close());

const ledger = () => databaseOf(keydesk.project, 'ledger');
const post = async (path: string, body: object) => {
  const response = await keydesk.asPerson(`${keydesk.adminUrl}${path}`, { email: PERSON, body });
  expect(responseProblems('POST', path, response.status, response.json)).toEqual([]);
  return response;
};
/** A grant whose line alone is left. */
const lose = async (credential = 'staging-admin') => {
  const job = keydesk.buildkite.startJob();
  const issuedAt = Math.floor(keydesk.clock.now() / 1000);
  const jobToken = await keydesk.buildkite.jobToken(job, { issuedAt });
  const { json, audit } = await keydesk.requestByPath(jobToken, credential);
  const [line] = audit;
  await ledger().doc(`grants/${json.grant_id}`).delete();
  await ledger().doc(`jobs/${job.id}`).delete();
  if (line.service_account) await ledger().doc(`service_accounts/${line.service_account}`).delete();
  return { job, jobToken, line, grant_id: json.grant_id as string, accessToken: json.access_token as string };
};
const hold = async (body: object = { selector: { issued_since: since }, block: true }) => {
  const id = crypto.randomUUID();
  await post('/kill', { id, reason: 'INC-9', ...body });
  return id;
};
const removeBlock = (id: string) => post(`/blocks/${id}/remove`, {});

describe('POST /kill/lost', () => {
  it('records the grant and ends it, with the name of who did it', async () => {
    const { line, grant_id, accessToken } = await lose();
    const id = await hold();
    const { status, json, audit } = await post('/kill/lost', { id, grants: [line] });
    expect([status, json.recorded, json.refused, json.counts.disabled]).toEqual([200, [grant_id], [], 1]);
    expect(audit).toMatchObject([
      { event: 'kill_switch.activated', actor: PERSON, kill_switch_id: id },
      { event: 'grant.revoked', grant_id, kill_switch_id: id },
    ]);
    expect(await keydesk.gate(accessToken)).toBe(401);
    const account = (await ledger().doc(`service_accounts/${line.service_account}`).get()).data();
    expect(account).toMatchObject({ state: 'cooling_down', grant_id });
    await removeBlock(id);
  });

  it('records the end of a job that has ended', async () => {
    const { job, jobToken, line } = await lose('staging-export');
    const ended = { ...line, ended_at: line.issued_at, ended_by: 'job.finished', job_ended_at: line.issued_at };
    const id = await hold();
    expect((await post('/kill/lost', { id, grants: [ended] })).status).toBe(200);
    await removeBlock(id);
    expect((await ledger().doc(`jobs/${job.id}`).get()).data()).toMatchObject({ ended_by: 'job.finished' });
    const refused = await keydesk.requestByPath(jobToken, 'staging-cache');
    expect(refused.audit).toMatchObject([{ reason: 'job_ended' }]);
  });

  it('does not believe that access ended, and ends it', async () => {
    const { line, grant_id, accessToken } = await lose();
    const claimed = {
      state: 'revoked',
      ended_at: line.issued_at,
      ended_by: 'released',
      access_ended_at: line.issued_at,
    };
    const id = await hold();
    const { json } = await post('/kill/lost', { id, grants: [{ ...line, ...claimed }] });
    expect(json).toMatchObject({ recorded: [grant_id], counts: { disabled: 1 } });
    expect(await keydesk.gate(accessToken)).toBe(401);
    await removeBlock(id);
  });

  it.each<[string, () => Promise<string>]>([
    ['no act', async () => crypto.randomUUID()],
    ['an act that blocks nothing', () => hold({ selector: { issued_since: since } })],
    [
      'an act that blocks only some',
      () => hold({ selector: { issued_since: since, credential: 'staging-export' }, block: true }),
    ],
    [
      'a block that was removed',
      async () => {
        const id = await hold();
        await removeBlock(id);
        return id;
      },
    ],
  ])('records nothing with %s', async (_, act) => {
    const { line, grant_id } = await lose('staging-export');
    // For acts that end something.
    const live = await keydesk.requestByPath(
      await keydesk.buildkite.jobToken(keydesk.buildkite.startJob(), {
        issuedAt: Math.floor(keydesk.clock.now() / 1000),
      }),
      'staging-export',
    );
    expect(live.status).toBe(200);
    const id = await act();
    expect(await post('/kill/lost', { id, grants: [line] })).toMatchObject({
      status: 409,
      json: { error: 'not_held' },
    });
    expect((await ledger().doc(`grants/${grant_id}`).get()).exists).toBe(false);
    for (const block of (await keydesk.asPerson(`${keydesk.readerUrl}/blocks`)).json.blocks)
      await removeBlock(block.id);
  });

  it('refuses a grant that the log cannot have', async () => {
    const { line, grant_id } = await lose('staging-export');
    const id = await hold();
    const { json } = await post('/kill/lost', { id, grants: [{ ...line, credential: 'production-config' }] });
    expect([json.recorded, json.refused]).toEqual([[], [{ grant_id, problem: expect.stringContaining('grant_id') }]]);
    await removeBlock(id);
  });
});
