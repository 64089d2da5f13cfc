// Grants by rules with conditions: what is on record of the approval, what renewals judge again, what the kill switch ends by the person
// who approved, and what an emergency leaves in the log and the review. What Buildkite says is written to the ledger here.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Unblock } from '../../shared/core/conditions/build-record.ts';
import { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { createBuildLedger, createTeamLedger } from '../../shared/ledger/conditions.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { PIPELINE_ID, policyData, policyText } from '../fixtures/policies.ts';
import { ledgerOf } from './recorded-requests/requests.ts';

const MINUTE = 60_000;
const TEAM = '0184990d-55aa-4c1b-8e21-0a9b8c7d6e5f';
const ALICE = '0184990d-0000-4000-8000-00000000a11c';
const BOB = '0184990d-0000-4000-8000-000000000b0b';
const APPROVAL = { step: 'approve', by: 'release-managers', within: '1h', not: 'creator' };

const config = (environment: string) => ({
  environment,
  ttl: '15m',
  firestore: { database: 'data', allow: [{ path: 'config/{document=**}', verbs: ['read'] }] },
});
const textOf = (project: string) =>
  policyText(
    policyData(
      project,
      { approved: config('production'), emergency: config('production'), free: config('staging') },
      {
        teams: { 'release-managers': TEAM },
        pipelines: { app: PIPELINE_ID },
        rules: [
          { name: 'approved', match: { pipeline: 'app' }, approval: APPROVAL, grants: ['approved'] },
          {
            name: 'glass',
            match: { pipeline: 'app' },
            approval: { ...APPROVAL, use: 'break-glass' },
            grants: ['emergency'],
          },
          { name: 'free', match: { pipeline: 'app' }, grants: ['free'] },
        ],
      },
    ),
  );

describe('a grant by a rule with an approval', () => {
  let keydesk: InProcessKeydesk;
  beforeEach(async () => {
    keydesk = await openInProcessKeydesk({ policy: textOf });
    await haveTeam([ALICE, BOB]);
  });
  afterEach(() => keydesk.close());

  const haveTeam = (members: string[]) =>
    createTeamLedger(ledgerOf(keydesk), keydesk.clock).record(TEAM, {
      ...{ members, pipelines: {}, read_at: keydesk.clock.now(), read_again: false, failure: null, failed_at: null },
      delete_at: keydesk.clock.now() + 40 * 86_400_000,
    });
  /** Bob started the build, and Alice unblocked its step. */
  const approve = async (
    job: ReturnType<InProcessKeydesk['buildkite']['startJob']>,
    more: Partial<Unblock> & { reason?: string } = {},
  ) => {
    const { reason, ...unblock } = more;
    const { build_number } = z.object({ build_number: z.number() }).parse(keydesk.buildkite.claimsOf(job));
    const step = { job_id: '0184990a-477b-4fa8-9968-496074483c00', step_key: 'approve', step_id: null };
    await createBuildLedger(ledgerOf(keydesk), keydesk.clock).addNews({
      ...{ pipeline_id: PIPELINE_ID, build_number, creator: BOB, reason },
      unblocks: [{ ...step, unblocked_by: ALICE, unblocked_at: keydesk.clock.now(), ...unblock }],
    });
  };
  const request = async (job: ReturnType<InProcessKeydesk['buildkite']['startJob']>, credential = 'approved') =>
    keydesk.requestByPath(await keydesk.buildkite.jobToken(job), credential);
  const kill = (selector: object, block = false) =>
    keydesk.asPerson(`${keydesk.adminUrl}/kill`, {
      body: { id: crypto.randomUUID(), selector, reason: 'a test', block },
    });

  it('waits for the approval, and is then issued to the same job, without a restart', async () => {
    const job = keydesk.buildkite.startJob();
    const before = await request(job);
    expect([before.status, before.json.error, before.json.step]).toEqual([400, 'authorization_pending', 'approve']);
    expect(before.headers.get('retry-after')).toBe('10');
    await approve(job);
    expect((await request(job)).status).toBe(200);
  });

  it('has the approval on record, in the log, and for people', async () => {
    const job = keydesk.buildkite.startJob();
    const approvedAt = new Date(keydesk.clock.now()).toISOString();
    await approve(job);
    const { json, audit } = await request(job);
    const approval = {
      ...{ step_key: 'approve', job_id: '0184990a-477b-4fa8-9968-496074483c00', approved_by: ALICE },
      ...{ approved_at: approvedAt, team_id: TEAM, read_at: approvedAt, reason: null, break_glass: false },
    };
    const conditions = { team: null, created_by: null, approval, agent: null };
    expect(audit.find(({ event }) => event === 'grant.issued')).toMatchObject({ conditions });
    const shown = await keydesk.asPerson(
      `${keydesk.readerUrl}${READER_ROUTES.getGrant.path.replace('{id}', json.grant_id)}`,
    );
    expect(shown.json.conditions).toEqual(conditions);
    const listed = await keydesk.asPerson(`${keydesk.readerUrl}/grants?approver=${ALICE}`);
    expect(listed.json.grants).toHaveLength(1);
    expect((await keydesk.asPerson(`${keydesk.readerUrl}/grants?approver=${BOB}`)).json.grants).toEqual([]);
  });

  it.each([
    ['by the person who started the build', { unblocked_by: BOB }, 'approver_is_creator'],
    ['by a stranger', { unblocked_by: '0184990d-0000-4000-8000-0000000000ff' }, 'approver_not_in_team'],
    ['by nobody whom Buildkite names', { unblocked_by: null }, 'approver_unknown'],
  ])('is refused when the step was unblocked %s', async (_, unblock, problem) => {
    const job = keydesk.buildkite.startJob();
    await approve(job, unblock);
    const { status, json, audit } = await request(job);
    expect([status, json.error]).toEqual([400, 'access_denied']);
    expect(audit[0]).toMatchObject({ reason: 'approval_not_accepted', problem });
  });

  it('is not renewed once the approver has left the team, and ends no later than its token', async () => {
    const job = keydesk.buildkite.startJob();
    await approve(job);
    expect((await request(job)).status).toBe(200);
    await haveTeam([BOB]);
    expect((await request(job)).json.error).toBe('access_denied');
  });

  it('is not renewed by a copy of the team that is too old, while other credentials are', async () => {
    const job = keydesk.buildkite.startJob();
    await approve(job);
    keydesk.clock.advance(60 * MINUTE);
    expect((await request(job)).status).toBe(200);
    keydesk.clock.advance(1);
    const again = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'approved');
    expect([again.status, again.json.error]).toEqual([400, 'access_denied']);
    await approve(job, { job_id: '0184990a-477b-4fa8-9968-496074483c01', step_id: null });
    expect((await request(job, 'free')).status).toBe(200);
  });

  it('ends when an operator ends what its approver approved, and the block refuses the next one', async () => {
    const [held, other] = [keydesk.buildkite.startJob(), keydesk.buildkite.startJob({ build_number: 2 })];
    await approve(held);
    const { json } = await request(held);
    expect((await request(other, 'free')).status).toBe(200);
    const killed = await kill({ approved_by: ALICE }, true);
    expect([killed.status, killed.json.counts.revoked]).toEqual([200, 1]);
    expect((await keydesk.introspect(json.access_token)).json.active).toBe(false);
    await approve(other);
    expect((await request(other)).json.error).toBe('invalid_grant');
    expect((await request(other, 'free')).status).toBe(200);
  });

  it('ends by the approver of an earlier token, which is still accepted', async () => {
    const job = keydesk.buildkite.startJob();
    const step_id = '0184990a-477b-4fa8-9968-496074483d00';
    await approve(job, { step_id });
    const { json } = await request(job);
    const CAROL = '0184990d-0000-4000-8000-0000000ca401';
    await haveTeam([ALICE, CAROL]);
    // The step is retried: one unblock of the step, and then another.
    keydesk.clock.advance(MINUTE);
    await approve(job, { step_id, job_id: '0184990a-477b-4fa8-9968-496074483c02', unblocked_by: CAROL });
    expect((await request(job)).status).toBe(200);
    expect((await kill({ approved_by: BOB })).json.error).toBe('nothing_selected');
    expect((await kill({ approved_by: ALICE })).json.counts.revoked).toBe(1);
    expect((await keydesk.introspect(json.access_token)).json.active).toBe(false);
  });

  it('is issued in an emergency only with a reason, and the log says so with each token, as CRITICAL', async () => {
    const [silent, job] = [keydesk.buildkite.startJob(), keydesk.buildkite.startJob({ build_number: 2 })];
    await approve(silent);
    const without = await request(silent, 'emergency');
    expect(without.audit[0]).toMatchObject({ reason: 'approval_not_accepted', problem: 'approval_without_reason' });
    await approve(job, { reason: 'INC-17: repair prices' });
    const { audit } = await request(job, 'emergency');
    expect(audit.filter(({ event }) => event === 'grant.break_glass')).toMatchObject([
      { severity: 'CRITICAL', approved_by: ALICE, reason: 'INC-17: repair prices', credential: 'emergency' },
    ]);
    const again = await request(job, 'emergency');
    expect(again.status).toBe(200);
    expect(again.audit.map(({ event }) => event)).toContain('grant.break_glass');
  });
});
