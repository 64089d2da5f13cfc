// Looks at Buildkite find who unblocked which step where a webhook was lost. Whatever is not known grants nothing.

import { beforeEach, describe, expect, inject, it } from 'vitest';
import type { FakeBuild } from '../../sandbox/fakes/buildkite/builds.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import { databaseOf } from '../fixtures/in-process-keydesk.ts';
import { ANNE, APP, BERT, CARL, STEP, settingOfEachTest, unblockedLines } from './approval-setting.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const OTHER = { slug: 'other', id: '0184990a-4782-42b5-afc1-16715b10b1ff' };
const PENDING = { status: 400, json: { error: 'authorization_pending', step: STEP } };
const GRANTED = { status: 200 };
/** For arithmetic over many builds and calls. The queries and writes are those of the other cases, which run on the emulator too. */
const itInMemory = it.runIf(inject('ledger') === 'memory');

const { open, keydesk, request, notifyOf, recordOf, start, later, builds, sweep } = settingOfEachTest();

describe('an approval whose webhook was lost', () => {
  beforeEach(() => open());

  it('is found by a look of the next sweep after the job asked', async () => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    expect(await request(job)).toMatchObject(PENDING);
    const swept = await sweep();
    expect(swept.json).toMatchObject({ builds_looked_up: 1, builds_not_shown: 0, build_calls: 1, failed: 0 });
    expect(unblockedLines(swept.audit)).toMatchObject([
      {
        ...{ severity: 'INFO', pipeline_id: APP.id, build_number: build.number, build_id: build.id, step_key: STEP },
        ...{ block_job_id: step.id, unblocked_by: BERT.id, creator: ANNE.id, found_by: 'look' },
      },
    ]);
    expect(await request(job)).toMatchObject(GRANTED);
    expect(await notifyOf(build, step)).toMatchObject({ audit: [{ repeated: true }] });
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 0, build_calls: 0 });
  });

  itInMemory('is looked for again after 1, 2, 4, 8, 15 and 15 minutes, while jobs ask', async () => {
    const { job } = start();
    const looked: number[] = [];
    for (let minute = 0; minute <= 46; minute += 1) {
      expect(await request(job)).toMatchObject(PENDING);
      if ((await sweep()).json.builds_looked_up === 1) looked.push(minute);
      later(MINUTE);
    }
    expect(looked).toEqual([0, 1, 3, 7, 15, 30, 45]);
  });

  it('is not looked for when no job asks', async () => {
    start();
    later(MINUTE);
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 0, build_calls: 0 });
  });

  it('of a step that was retried counts as the webhooks would have said', async () => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    later(MINUTE);
    builds().unblock(builds().retry(build, step), ANNE);
    await request(job);
    expect(unblockedLines((await sweep()).audit)).toHaveLength(2);
    expect((await request(job)).audit).toMatchObject([{ problem: 'approver_is_creator' }]);
  });

  it('of a step that the wrong person had unblocked is found too', async () => {
    const { build, step, job } = start();
    builds().unblock(step, ANNE);
    await notifyOf(build, step);
    later(MINUTE);
    builds().unblock(builds().retry(build, step), BERT);
    expect((await request(job)).audit).toMatchObject([{ problem: 'approver_is_creator' }]);
    await sweep();
    expect(await request(job)).toMatchObject(GRANTED);
  });

  it('is none when two steps of the build have the key', async () => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    builds().unblock(builds().addBlockStep(build, STEP), CARL);
    await request(job);
    await sweep();
    expect((await request(job)).audit).toMatchObject([{ problem: 'approval_ambiguous' }]);
  });

  it('is not taken from another pipeline to which the slug was given', async () => {
    const { build, job } = start({ number: 7 });
    Object.assign(build, { pipeline: { slug: 'app-renamed', id: APP.id } });
    const other = builds().start({ pipeline: { slug: 'app', id: OTHER.id }, number: 7, creator: ANNE });
    builds().unblock(builds().addBlockStep(other, STEP), BERT);
    expect(await request(job)).toMatchObject(PENDING);
    const swept = await sweep();
    expect(swept.json).toMatchObject({ builds_looked_up: 0, build_calls: 1, failed: 1 });
    expect(swept.audit.find(({ event }) => event === 'task.failed')).toMatchObject({
      ...{ build_record_id: `${APP.id}_7`, dependency: 'buildkite jobs', code: 'invalid_response' },
      error: expect.stringContaining(OTHER.id),
    });
    expect(await request(job)).toMatchObject(PENDING);

    // The next job token has the new slug.
    const renamed = keydesk().buildkite.startJob({ ...builds().claimsOf(build), pipeline_slug: 'app-renamed' });
    builds().unblock(build.blockSteps[0] as FakeBuild['blockSteps'][0], BERT);
    later(MINUTE);
    await sweep();
    later(2 * MINUTE);
    await request(renamed);
    await sweep();
    expect(await request(renamed)).toMatchObject(GRANTED);
  });

  it('of a build that Buildkite does not show is no approval', async () => {
    const { job } = start();
    builds().before = () => ({ status: 404, json: { message: 'No build found' } });
    await request(job);
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 1, builds_not_shown: 1, failed: 0 });
    expect(await request(job)).toMatchObject(PENDING);
  });

  it('of a build that is too large is read without its other jobs', async () => {
    const { step, job } = start();
    builds().unblock(step, BERT);
    const large = Buffer.alloc(9 * 1024 * 1024, ' ');
    const queries: string[] = [];
    builds().before = ({ query }) => {
      queries.push(query.getAll('job_states[]').join());
      return query.has('job_states[]') ? undefined : { status: 200, bytes: large };
    };
    await request(job);
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 1, build_calls: 2, failed: 0 });
    expect(queries).toEqual(['', 'unblocked,unblocked_failed']);
    expect(await request(job)).toMatchObject(GRANTED);
  });

  it.each<[string, (json: Record<string, unknown>) => unknown]>([
    ['another number', (json) => ({ ...json, number: 999 })],
    ['no pipeline', ({ pipeline: _, ...json }) => json],
    ['no jobs', ({ jobs: _, ...json }) => json],
    ['a creator without a UUID', (json) => ({ ...json, creator: { id: 'anne' } })],
    [
      'an unblocked step by a person without a UUID',
      (json) => ({ ...json, jobs: withStep(json, { unblocked_by: {} }) }),
    ],
    ['an unblocked step at no time', (json) => ({ ...json, jobs: withStep(json, { unblocked_at: 'now' }) })],
    ['an unblocked step without an id', (json) => ({ ...json, jobs: withStep(json, { id: 7 }) })],
    ['an unblocked step whose key is a number', (json) => ({ ...json, jobs: withStep(json, { step_key: 7 }) })],
    ['a list', (json) => [json]],
  ])('is none in a response with %s, which is a failure', async (_, change) => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    const shown = JSON.parse(await showBuild(build));
    builds().before = () => ({ status: 200, json: change(shown) });
    await request(job);
    const swept = await sweep();
    expect(swept.json).toMatchObject({ builds_looked_up: 0, failed: 1 });
    expect(swept.audit.find(({ event }) => event === 'task.failed')).toMatchObject({ code: 'invalid_response' });
    expect(await request(job)).toMatchObject(PENDING);
    expect(await recordOf(build)).toMatchObject({ looks: 1, unblocks: [] });
  });

  itInMemory('is found an hour later when Buildkite was down, and jobs end meanwhile as ever', async () => {
    const { step, job } = start();
    builds().unblock(step, BERT);
    builds().before = () => 'cut';
    for (let minute = 0; minute < 60; minute += 1) {
      expect(await request(job)).toMatchObject(PENDING);
      const swept = await sweep();
      expect(swept.status).toBe(200);
      expect(swept.json).toMatchObject({ builds_looked_up: 0, build_calls: 1, failed: 1 });
      later(MINUTE);
    }
    const ended = await keydesk().notify(keydesk().buildkite.event(keydesk().buildkite.startJob()));
    expect(ended.json).toMatchObject({ result: 'job_ended' });
    builds().before = undefined;
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 1, failed: 0 });
    expect(await request(job)).toMatchObject(GRANTED);
  });

  it.each([401, 403, 429])('is not looked for again in a sweep in which Buildkite returned %i', async (status) => {
    for (let count = 0; count < 20; count += 1) await request(start().job);
    builds().before = () => ({ status, json: { message: 'No' } });
    const swept = await sweep();
    expect(swept.json).toMatchObject({ builds_looked_up: 0, failed: 1 });
    // Those that were on their way.
    expect(swept.json.build_calls).toBeLessThanOrEqual(10);
  });

  itInMemory('leaves half of a minute’s calls to others, and is found by a later sweep', async () => {
    const started = Array.from({ length: 60 }, () => start());
    for (const { step, job } of started) {
      builds().unblock(step, BERT);
      await request(job);
    }
    const looked: number[] = [];
    for (let minute = 0; minute < 4; minute += 1) {
      looked.push((await sweep()).json.builds_looked_up);
      later(MINUTE);
    }
    expect(looked).toEqual([25, 25, 10, 0]);
    for (const { job } of started) expect(await request(job)).toMatchObject(GRANTED);
  });

  itInMemory('waits for lookups of jobs, which may use up the calls of a minute', async () => {
    const { step, job } = start();
    builds().unblock(step, BERT);
    await request(job);
    const lock = databaseOf(keydesk().project, 'ledger').collection('locks').doc('buildkite');
    const called_at = new Date(keydesk().clock.now());
    await lock.set({ held_until: new Date(0), calls: Array(50).fill({ called_at }), schema_version: 1 });
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 0, build_calls: 0, failed: 0 });
    later(2 * MINUTE);
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 1 });
  });

  it('waits while another sweep calls Buildkite', async () => {
    const { step, job } = start();
    builds().unblock(step, BERT);
    await request(job);
    const { jobCheckLedger } = keydesk().sweepDeps;
    const lock = await jobCheckLedger.acquirePollLock(MINUTE);
    if (!lock) throw new Error('no lock');
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 0, build_calls: 0, failed: 0 });
    await jobCheckLedger.releasePollLock(lock, [], 0);
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 1, build_calls: 1 });
  });

  it('is added to what a webhook reported while Buildkite was asked', async () => {
    const { build, step, job } = start();
    const before = JSON.parse(await showBuild(build));
    await request(job);
    builds().unblock(step, BERT);
    await notifyOf(build, step);
    builds().before = () => ({ status: 200, json: before });
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 1, failed: 0 });
    expect(await recordOf(build)).toMatchObject({ looks: 1, unblocks: [{ unblocked_by: BERT.id }] });
    expect(await request(job)).toMatchObject(GRANTED);
  });

  it('does not keep others when a record cannot be read, whose jobs get nothing', async () => {
    const [broken, whole] = [start(), start()];
    for (const { step, job } of [broken, whole]) {
      builds().unblock(step, BERT);
      await request(job);
    }
    const id = `${APP.id}_${broken.build.number}`;
    await databaseOf(keydesk().project, 'ledger').collection('builds').doc(id).update({ looks: 'many' });
    const swept = await sweep();
    expect(swept.json).toMatchObject({ builds_looked_up: 1, failed: 1 });
    expect(swept.audit.find(({ event }) => event === 'task.failed')).toMatchObject({
      ...{ build_record_id: id, dependency: 'ledger', code: 'unreadable_record' },
    });
    expect(await request(whole.job)).toMatchObject(GRANTED);
    expect(await request(broken.job)).toMatchObject({ status: 503 });
    expect(await notifyOf(broken.build, broken.step)).toMatchObject({
      ...{ status: 503, audit: [{ event: 'webhook.refused', code: 'unreadable_record' }] },
    });
  });
});

describe('a look that is cut off', () => {
  beforeEach(() => open());

  const CUTS = ['due', 'acquirePollLock', 'recordLook before', 'recordLook after', 'releasePollLock'] as const;
  it.each(CUTS)('at %s is made again by a later sweep', async (cut) => {
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    await request(job);
    const { sweepDeps } = keydesk();
    const { buildLedger, jobCheckLedger } = sweepDeps;
    const fail = () => Promise.reject(new DependencyError('ledger', 'call_failed', 'the test cut it off'));
    const recordLook: typeof buildLedger.recordLook = async (...given) => {
      if (cut === 'recordLook after') await buildLedger.recordLook(...given);
      return fail();
    };
    const onBuilds = {
      ...(cut === 'due' ? { due: fail } : {}),
      ...(cut.startsWith('recordLook') ? { recordLook } : {}),
    };
    sweepDeps.buildLedger = { ...buildLedger, ...onBuilds };
    if (cut.endsWith('PollLock')) sweepDeps.jobCheckLedger = { ...jobCheckLedger, [cut]: fail };
    const swept = await sweep();
    expect(swept.status).toBe(cut === 'due' || cut === 'acquirePollLock' ? 503 : 200);
    Object.assign(sweepDeps, { buildLedger, jobCheckLedger });
    // A sweep that was cut off counts as one that made all its calls.
    for (let minute = 0; minute < 3; minute += 1) {
      later(MINUTE);
      await sweep();
    }
    expect(await recordOf(build)).toMatchObject({ look_at: null, looks: 1, unblocks: [{ unblocked_by: BERT.id }] });
    expect(await request(job)).toMatchObject(GRANTED);
  });
});

describe('without an API token for the sweep', () => {
  it('webhooks alone say who approved, and records are not read by each sweep', async () => {
    await open({ KEYDESK_BUILDKITE_API_TOKEN: '' });
    const { build, step, job } = start();
    builds().unblock(step, BERT);
    expect(await request(job)).toMatchObject(PENDING);
    expect((await sweep()).json).toMatchObject({ builds_looked_up: 0, build_calls: 0, failed: 0 });
    expect(await recordOf(build)).toMatchObject({ look_at: null, looks: 1 });
    expect(await request(job)).toMatchObject(PENDING);
    await notifyOf(build, step);
    expect(await request(job)).toMatchObject(GRANTED);
  });
});

function withStep(json: Record<string, unknown>, change: object): object[] {
  return (json.jobs as { readonly type: string }[]).map((job) => (job.type === 'manual' ? { ...job, ...change } : job));
}

/** The build as Buildkite shows it to a person. */
async function showBuild({ pipeline, number }: FakeBuild): Promise<string> {
  const { url, organization } = keydesk().buildkite;
  const response = await fetch(
    `${url}/v2/organizations/${organization.slug}/pipelines/${pipeline.slug}/builds/${number}`,
    {
      headers: { authorization: `Bearer ${builds().apiTokenOf(ANNE)}` },
    },
  );
  return response.text();
}
