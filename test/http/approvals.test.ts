// How webhooks in any order say who started a build and who unblocked which step of it. Whatever is not known grants nothing.

import { beforeEach, describe, expect, it } from 'vitest';
import { DependencyError } from '../../shared/runtime/errors.ts';
import { databaseOf } from '../fixtures/in-process-keydesk.ts';
import { ANNE, APP, BERT, CARL, CREATED, DORA, STEP, settingOfEachTest, unblockedLines } from './approval-setting.ts';
import { sign } from './valid-webhook.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const OTHER = { slug: 'other', id: '0184990a-4782-42b5-afc1-16715b10b1ff' };
const PENDING = { status: 400, json: { error: 'authorization_pending', step: STEP } };
const UNKNOWN = { status: 503, json: { error: 'temporarily_unavailable' } };
const GRANTED = { status: 200 };

const { open, keydesk, request, notifyOf, recordOf, start, later, builds, sweep } = settingOfEachTest();

describe('an approval that a webhook reports', () => {
  beforeEach(() => open());

  it('is awaited, and grants as soon as the step was unblocked', async () => {
    const { build, step, job } = start({ metaData: { 'break-glass-reason': 'The shop is down' } });
    expect(await request(job)).toMatchObject(PENDING);
    builds().unblock(step, BERT);
    const notified = await notifyOf(build, step);
    expect(notified).toMatchObject({ status: 200, json: { result: 'build_recorded' } });
    expect(notified.audit).toMatchObject([
      {
        ...{ event: 'webhook.accepted', severity: 'INFO', buildkite_event: 'job.activated', result: 'build_recorded' },
        ...{ pipeline_id: APP.id, build_number: build.number, build_source: 'ui', repeated: false },
      },
      {
        ...{ event: 'build.unblocked', pipeline_id: APP.id, build_number: build.number, build_id: build.id },
        ...{ step_key: STEP, block_job_id: step.id, unblocked_by: BERT.id, creator: ANNE.id, found_by: 'webhook' },
      },
    ]);
    expect(JSON.stringify(notified.audit)).not.toMatch(/Bert|Anne|@acme/);
    const granted = await request(job);
    expect(granted).toMatchObject(GRANTED);
    const grants = await databaseOf(keydesk().project, 'ledger').collection('grants').get();
    expect(grants.docs.map((grant) => grant.get('conditions.approval'))).toMatchObject([
      { step_key: STEP, job_id: step.id, approved_by: BERT.id, reason: 'The shop is down' },
    ]);
    expect(keydesk().buildkite.jobRequests).toEqual([]);
  });

  it('grants at the first request when it came before', async () => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    await notifyOf(build, step);
    expect(await request(job)).toMatchObject(GRANTED);
    expect(await recordOf(build)).toMatchObject({ look_at: null, looks: 0 });
  });

  it('is recorded once, however often it comes', async () => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    const [first, ...more] = [await notifyOf(build, step), await notifyOf(build, step), await notifyOf(build, step)];
    expect(unblockedLines(first.audit)).toHaveLength(1);
    for (const { status, json, audit } of more) {
      expect([status, json]).toEqual([200, { result: 'build_recorded' }]);
      expect(audit).toMatchObject([{ event: 'webhook.accepted', repeated: true }]);
    }
    const at_once = await Promise.all(Array.from({ length: 10 }, () => notifyOf(build, step)));
    expect(at_once.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect((await recordOf(build))?.unblocks).toHaveLength(1);
    expect(await request(job)).toMatchObject(GRANTED);
  });

  it.each(['in order', 'reordered'])(
    'counts the latest unblock of a step that was retried: webhooks %s',
    async (order) => {
      const { build, step, job } = start();
      builds().unblock(step, BERT);
      const first = builds().stepEvent(build, step);
      later(MINUTE);
      const retried = builds().retry(build, step);
      builds().unblock(retried, ANNE);
      const bodies = [first, builds().stepEvent(build, retried)];
      for (const body of order === 'in order' ? bodies : bodies.reverse()) await keydesk().notify(body);
      const refused = await request(job);
      expect(refused).toMatchObject({ status: 400, json: { error: 'access_denied' } });
      expect(refused.audit).toMatchObject([{ reason: 'approval_not_accepted', problem: 'approver_is_creator' }]);
    },
  );

  it('is nothing without a valid signature, or with one that is more than five minutes old', async () => {
    const { build, step, job } = start();
    const forged = structuredClone(step);
    builds().unblock(forged, BERT);
    const body = builds().stepEvent(build, forged);
    const seconds = Math.floor(keydesk().clock.now() / 1000);
    for (const signature of [
      sign(seconds, body, 'another key'),
      sign(seconds, `${body} `),
      sign(seconds - 301, body),
    ]) {
      const { status, audit } = await keydesk().notify(body, { signature });
      expect([status, audit[0].event]).toEqual([401, 'webhook.refused']);
    }
    expect(await recordOf(build)).toBeUndefined();
    expect(await request(job)).toMatchObject(PENDING);
  });

  // Buildkite's own look at the build is not compared with it.
  it('is believed by its signature alone: the holder of the key can write it', async () => {
    const { build, step, job } = start();
    const forged = structuredClone(step);
    builds().unblock(forged, BERT);
    await keydesk().notify(builds().stepEvent(build, forged));
    expect(step).toMatchObject({ unblocked_by: null });
    expect(await request(job)).toMatchObject(GRANTED);
  });

  it('is none when two steps of the build have the key', async () => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    await notifyOf(build, step);
    const second = builds().addBlockStep(build, STEP);
    builds().unblock(second, CARL);
    await notifyOf(build, second);
    const refused = await request(job);
    expect(refused.audit).toMatchObject([{ reason: 'approval_not_accepted', problem: 'approval_ambiguous' }]);
  });

  it('of another pipeline’s build with the same number approves nothing', async () => {
    const { build, step, job } = start();
    const other = builds().start({ pipeline: OTHER, number: build.number, creator: ANNE });
    const its = builds().addBlockStep(other, STEP);
    builds().unblock(its, BERT);
    expect((await notifyOf(other, its)).json).toEqual({ result: 'build_recorded' });
    expect(await request(job)).toMatchObject(PENDING);
    builds().unblock(step, BERT);
    await notifyOf(build, step);
    expect(await request(job)).toMatchObject(GRANTED);
  });

  it('of another step, or of a step without a key, approves nothing', async () => {
    const { build, job } = start();
    for (const key of ['approve-staging', null]) {
      const step = builds().addBlockStep(build, key);
      builds().unblock(step, BERT);
      expect((await notifyOf(build, step)).json).toEqual({ result: key === null ? 'ignored' : 'build_recorded' });
    }
    expect(await request(job)).toMatchObject(PENDING);
  });

  it.each([
    ['by the build’s creator', ANNE, 'approver_is_creator'],
    ['by a person of another team', DORA, 'approver_not_in_team'],
    ['by nobody whom Buildkite names', null, 'approver_unknown'],
  ])('is none when it is %s', async (_, by, problem) => {
    const { build, step, job } = start();
    builds().unblock(step, by);
    await notifyOf(build, step);
    expect((await request(job)).audit).toMatchObject([{ reason: 'approval_not_accepted', problem }]);
  });

  it('is none when Buildkite does not name who started the build', async () => {
    const { build, step, job } = start({ creator: null });
    builds().unblock(step, BERT);
    await notifyOf(build, step);
    expect((await request(job)).audit).toMatchObject([{ problem: 'creator_unknown' }]);
  });

  it('gets 503 while the ledger is down, and is taken when it comes again', async () => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    const whole = keydesk().sweepDeps.buildLedger;
    const addNews = () => Promise.reject(new DependencyError('ledger', 'call_failed', 'the test took it down'));
    keydesk().sweepDeps.buildLedger = { ...whole, addNews };
    const failed = await notifyOf(build, step);
    expect(failed).toMatchObject({ status: 503, json: { error: 'temporarily_unavailable' } });
    expect(failed.headers.get('retry-after')).toBe('2');
    expect(failed.audit).toMatchObject([
      { event: 'webhook.refused', severity: 'ERROR', reason: 'ledger_unavailable', dependency: 'ledger' },
    ]);
    keydesk().sweepDeps.buildLedger = whole;
    expect(await request(job)).toMatchObject(PENDING);
    expect((await notifyOf(build, step)).status).toBe(200);
    expect(await request(job)).toMatchObject(GRANTED);
  });

  it('in a form that nobody knows is accepted and ignored, so that Buildkite goes on sending', async () => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    const event = JSON.parse(builds().stepEvent(build, step));
    for (const change of [{ job: { ...event.job, unblocked_by: { login: 'bert' } } }, { build: { id: build.id } }])
      expect(await keydesk().notify(JSON.stringify({ ...event, ...change }))).toMatchObject({
        ...{ status: 200, json: { result: 'ignored' } },
        audit: [{ event: 'webhook.accepted', result: 'ignored', buildkite_event: 'job.activated' }],
      });
    expect(await recordOf(build)).toBeUndefined();
    expect(await request(job)).toMatchObject(PENDING);
  });
});

describe('who started a build', () => {
  beforeEach(() => open());

  it('is known from build.scheduled', async () => {
    const { build, job } = start();
    const notified = await keydesk().notify(builds().event(build));
    expect(notified.json).toEqual({ result: 'build_recorded' });
    expect(notified.audit).toMatchObject([{ event: 'webhook.accepted', buildkite_event: 'build.scheduled' }]);
    expect(await request(job, CREATED)).toMatchObject(GRANTED);
  });

  it('is found by a look where no webhook said it', async () => {
    const { job } = start();
    expect(await request(job, CREATED)).toMatchObject(UNKNOWN);
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 1 });
    expect(await request(job, CREATED)).toMatchObject(GRANTED);
  });

  it.each([
    ['a person of another team', DORA],
    ['nobody whom Buildkite names', null],
  ])('grants nothing when it is %s', async (_, creator) => {
    const { build, job } = start({ creator });
    await keydesk().notify(builds().event(build));
    expect(await request(job, CREATED)).toMatchObject({ status: 400, json: { error: 'access_denied' } });
  });
});
