// The webhook was lost: the sweep asks Buildkite about running jobs every five minutes, whatever they do, ends those that
// have finished, and never calls more often than Buildkite lets it.

import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import type { LocalReply } from '../../sandbox/local-server.ts';
import { grantId } from '../../shared/core/grant/id.ts';
import {
  databaseForJobs,
  databaseOf,
  firestoreAs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { credentialsNamed, policyData, policyText } from '../fixtures/policies.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** By then the first check of a job is due. */
const FIRST = 4 * MINUTE;
/** And the next one after a response that it runs. */
const AGAIN = 4.5 * MINUTE;
const FOUND = { jobs_checked: 1, buildkite_calls: 1, jobs_reconciled: 1, revoked: 2, not_renewed: 1, failed: 0 };
const KINDS = ['staging-config', 'staging-admin', 'staging-export'] as const;
/** For what Buildkite answers, and arithmetic over many builds. The queries and writes are those of the other cases, which run on the emulator too. */
const itInMemory = it.runIf(inject('ledger') === 'memory');

/** Credentials of an hour, so that nothing expires before Buildkite was asked. */
const policy = (project: string) => {
  const credentials = credentialsNamed(KINDS, project);
  for (const credential of Object.values(credentials)) credential.ttl = '1h';
  return policyText(policyData(project, credentials));
};

describe('a job whose webhook was lost', () => {
  let keydesk: InProcessKeydesk;
  afterEach(async () => {
    expect(keydesk.google.unexpected).toEqual([]);
    await keydesk.close();
  });
  async function open(settings: Record<string, string> = {}) {
    keydesk = await openInProcessKeydesk({ policy, settings });
  }
  const later = (milliseconds: number) => {
    keydesk.clock.advance(milliseconds);
  };
  const ledger = () => databaseOf(keydesk.project, 'ledger');
  const requestToken = async (job: Job, credential = 'staging-config') => {
    const issuedAt = Math.floor(keydesk.clock.now() / SECOND);
    return keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
  };
  let builds = 100;
  /** Of a build of its own unless it is said. */
  async function newHolder(credentials: readonly string[] = ['staging-config'], build_number = ++builds) {
    const job = keydesk.buildkite.startJob({ build_number });
    const tokens: string[] = [];
    for (const credential of credentials) {
      const { status, json } = await requestToken(job, credential);
      expect(status).toBe(200);
      tokens.push(json.access_token);
    }
    return { job, tokens };
  }
  const grantsOf = async ({ id }: Job) =>
    (await ledger().collection('grants').where('subject.id', '==', id).get()).docs.map((grant) => grant.data());
  /** Of another pipeline on record, so that the cap of live grants is not met. */
  const itsGrant = (grant: FirebaseFirestore.DocumentData | undefined, { id }: Job) => ({
    ...{ ...grant, tokens: [], token_sha256s: [] },
    subject: { ...grant?.subject, pipeline_slug: 'other', id },
  });
  const recordOf = async ({ id }: Job) => (await ledger().collection('jobs').doc(id).get()).data() ?? {};
  const checkAtOf = async (job: Job) => (await recordOf(job)).check_at?.toMillis() as number | undefined;
  /** Jobs that hold a Firestore grant like `model` does and are due when it is, in builds of `perBuild` jobs. */
  async function jobsLike(model: Job, count: number, perBuild = 1) {
    const id = grantId(model.id, 'staging-config');
    const [grant, record] = [(await ledger().collection('grants').doc(id).get()).data(), await recordOf(model)];
    const jobs: Job[] = [];
    let batch = ledger().batch();
    for (let nth = 0; nth < count; nth += 1) {
      if (nth % perBuild === 0) builds += 1;
      const job = keydesk.buildkite.startJob({ build_number: builds });
      jobs.push(job);
      const its = grantId(job.id, 'staging-config');
      batch.set(ledger().collection('grants').doc(its), itsGrant(grant, job));
      batch.set(ledger().collection('jobs').doc(job.id), {
        ...record,
        ...{ build: { ...record.build, build_number: builds }, grants: [its] },
      });
      if (nth % 200 < 199 && nth < count - 1) continue;
      await batch.commit();
      batch = ledger().batch();
    }
    return jobs;
  }
  /** Jobs that have not ended by the ledger. */
  const openJobs = async () => {
    const { docs } = await ledger().collection('jobs').get();
    return docs.filter((job) => job.get('ended_at') === null).length;
  };
  const sweep = async () => (await keydesk.sweep()).json;
  const answering = (status: number, headers: Record<string, string> = {}, json: unknown = {}) => {
    keydesk.buildkite.beforeJob = () => ({ status, headers, json });
  };

  it.each(['passed', 'failed', 'canceled', 'agent_lost'] as const)(
    'is ended by the sweep once its check is due and it is %s at Buildkite',
    async (state) => {
      await open();
      const { job, tokens } = await newHolder(KINDS);
      if (state === 'agent_lost') job.agentLost = true;
      else job.state = state;
      later(FIRST);
      const swept = await keydesk.sweep();
      expect(swept.json).toMatchObject(FOUND);
      expect(keydesk.buildkite.jobRequests).toHaveLength(1);
      expect(swept.audit[0]).toMatchObject({
        event: 'job.reconciled',
        severity: 'WARNING',
        job_id: job.id,
        job_state: state,
        pipeline_slug: 'app',
      });
      const events = ['job.reconciled', 'grant.revoked', 'grant.revoked', 'grant.ended', 'sweep.completed'];
      const counted = ({ event }: { event: string }) => event !== 'pool.reported';
      expect(swept.audit.filter(counted).map(({ event }) => event)).toEqual(events);
      for (const grant of await grantsOf(job)) {
        const state = grant.revocation === 'expiry' ? 'active' : 'revoked';
        expect(grant).toMatchObject({ state, ended_by: 'job.reconciled' });
      }
      const [config = '', admin = '', exported = ''] = tokens;
      expect(await firestoreAs(keydesk, config, 'config/web')).toBe(403);
      expect([await keydesk.gate(admin), await keydesk.gate(exported)]).toEqual([401, 200]);
      expect((await requestToken(job)).audit).toMatchObject([{ reason: 'job_ended' }]);
      const tombstone = (await ledger().collection('jobs').doc(job.id).get()).data();
      expect(tombstone).toMatchObject({ ended_by: 'job.reconciled' });

      later(10 * MINUTE);
      expect(await sweep()).toMatchObject({ jobs_checked: 0 });
      const late = await keydesk.notify(keydesk.buildkite.event(job));
      expect([late.status, late.json.revoked, late.audit[0].repeated]).toEqual([200, 0, true]);
    },
  );

  itInMemory.each(['timed_out', 'expired', 'skipped', 'broken', 'finished'])(
    'is ended when Buildkite says %s',
    async (state) => {
      await open();
      const { job } = await newHolder();
      answering(200, {}, { id: job.id.toUpperCase(), type: 'script', state });
      later(FIRST);
      expect(await sweep()).toMatchObject({ jobs_reconciled: 1, revoked: 1, failed: 0 });
    },
  );

  itInMemory.each([
    ['it does not know the job', 404, { message: 'No job found' }],
    ['it is another job', 200, { id: randomUUID(), state: 'passed' }],
    ['it has no state', 200, { id: 'ID' }],
    ['it is canceling', 200, { id: 'ID', state: 'canceling', finished_at: '2026-01-01T00:00:00Z' }],
    ['its state is a new one', 200, { id: 'ID', state: 'hibernating', finished_at: null }],
    ['the response is no object', 200, ['passed']],
    ['Buildkite fails', 500, { message: 'passed' }],
    ['Buildkite sends elsewhere', 302, { state: 'passed' }],
  ])('is not ended when %s', async (_, status, json) => {
    await open();
    const { job, tokens } = await newHolder();
    answering(status, { location: '/v2' }, JSON.parse(JSON.stringify(json).replace('"ID"', `"${job.id}"`)));
    later(FIRST);
    expect(await sweep()).toMatchObject({ jobs_checked: 1, jobs_reconciled: 0, revoked: 0 });
    expect(await grantsOf(job)).toMatchObject([{ state: 'active', ended_by: null }]);
    expect(await firestoreAs(keydesk, tokens[0] ?? '', 'config/web')).not.toBe(403);
  });

  itInMemory.each([
    ['four and a half minutes while it runs', AGAIN, 200],
    ['ten minutes when Buildkite does not know it', 10 * MINUTE, 404],
  ])('is checked again after %s', async (_, again, status) => {
    await open();
    const { job } = await newHolder();
    if (status === 404) answering(404);
    later(FIRST);
    expect(await sweep()).toMatchObject({ jobs_checked: 1, jobs_reconciled: 0, failed: 0 });
    job.state = 'failed';
    later(again - 1);
    expect(await sweep()).toMatchObject({ jobs_checked: 0 });
    keydesk.buildkite.beforeJob = undefined;
    later(1);
    expect(await sweep()).toMatchObject({ jobs_checked: 1, jobs_reconciled: 1 });
  });

  itInMemory.each([200, 404, 500])('is checked at the same times, however often it renews: %i', async (status) => {
    await open();
    const { job } = await newHolder();
    const dueAt = await checkAtOf(job);
    for (let renewals = 0; renewals < 3; renewals += 1) {
      later(20 * SECOND);
      expect((await requestToken(job)).status).toBe(200);
      expect((await requestToken(job, 'staging-export')).status).toBe(200);
      expect(await checkAtOf(job)).toBe(dueAt);
    }
    if (status !== 200) answering(status);
    keydesk.clock.set((dueAt ?? 0) + 3 * MINUTE);
    expect(await sweep()).toMatchObject({ buildkite_calls: 1 });
    const nextAt = await checkAtOf(job);
    expect(nextAt).toBeGreaterThan(dueAt ?? 0);
    expect((await requestToken(job)).status).toBe(200);
    expect(await checkAtOf(job)).toBe(nextAt);
  });

  itInMemory(
    'is found within six minutes of its end although it renews each minute with a job token of two hours',
    async () => {
      await open();
      const { job } = await newHolder(KINDS);
      const issuedAt = Math.floor(keydesk.clock.now() / SECOND);
      const jobToken = await keydesk.buildkite.jobToken(job, { issuedAt });
      later(9 * MINUTE);
      job.state = 'passed';
      job.finishedAt = keydesk.clock.now();
      let minutes = 0;
      for (; (await recordOf(job)).ended_at === null && minutes < 60; minutes += 1) {
        await keydesk.requestByPath(jobToken);
        later(MINUTE);
        await sweep();
      }
      expect(minutes).toBeLessThanOrEqual(6);
    },
  );

  itInMemory(
    'is not checked once no grant of it is live, and is by the next sweep when it gets a grant again',
    async () => {
      await open();
      const { job } = await newHolder();
      keydesk.buildkite.beforeJob = () => ({ status: 500 });
      later(FIRST);
      expect(await sweep()).toMatchObject({ buildkite_calls: 1, failed: 1 });
      later(58 * MINUTE);
      await sweep();
      expect(await grantsOf(job)).toMatchObject([{ state: 'expired' }]);
      later(16 * MINUTE);
      expect(await sweep()).toMatchObject({ buildkite_calls: 0, jobs_unchecked_15m: 0, failed: 0 });
      expect(await recordOf(job)).toMatchObject({ check_at: null, unchecked_since: null, ended_at: null });
      expect((await requestToken(job)).status).toBe(200);
      job.state = 'passed';
      keydesk.buildkite.beforeJob = undefined;
      later(MINUTE);
      expect(await sweep()).toMatchObject({ buildkite_calls: 1, jobs_reconciled: 1 });
    },
  );

  itInMemory('is still checked when it gets a grant at the moment at which nothing of it seems live', async () => {
    await open();
    const { job } = await newHolder();
    const { buildkiteJobs } = keydesk.sweepDeps;
    keydesk.sweepDeps.buildkiteJobs = undefined;
    later(62 * MINUTE);
    expect(await sweep()).toMatchObject({ expired: 1 });
    keydesk.sweepDeps.buildkiteJobs = buildkiteJobs;
    // Its grants are read, it gets a new grant, and only then is it written that nothing of it is live.
    const used = databaseForJobs(keydesk.project, 'ledger');
    const reading = vi.spyOn(used, 'getAll').mockImplementationOnce(async (...documents) => {
      const read = await used.getAll(...documents);
      expect((await requestToken(job)).status).toBe(200);
      return read;
    });
    await sweep();
    reading.mockRestore();
    expect(await checkAtOf(job)).toEqual(expect.any(Number));
  });

  itInMemory.each([
    [{ 'RateLimit-Reset': '200' }, 200],
    [{ 'RateLimit-Reset': '30', 'RateLimit-User-Reset': '120' }, 120],
    [{ 'Retry-After': '90', 'RateLimit-Reset': '30' }, 90],
    [{ 'RateLimit-Reset': 'Thu, 01 Jan 2099 00:00:00 GMT' }, 60],
    [{ 'Retry-After': 'Thu, 01 Jan 2099 00:00:00 GMT' }, 300],
    [{ 'RateLimit-Reset': '999999' }, 300],
    [{}, 60],
  ])('is left until the time that Buildkite names: 429 with %j', async (headers, seconds) => {
    await open();
    const { job } = await newHolder();
    await jobsLike(job, 4);
    later(FIRST);
    answering(429, headers as Record<string, string>);
    expect(await sweep()).toMatchObject({ buildkite_calls: 1, failed: 1 });
    expect(await recordOf(job)).toMatchObject({ checks_failed: 0 });
    keydesk.buildkite.beforeJob = undefined;
    later(seconds * SECOND - 1);
    for (const swept of await Promise.all([sweep(), sweep()])) expect(swept).toMatchObject({ jobs_checked: 0 });
    expect(keydesk.buildkite.jobRequests).toHaveLength(1);
    later(1);
    expect(await sweep()).toMatchObject({ jobs_checked: 5, failed: 0 });
  });

  itInMemory.each([401, 403])('is not checked any more in a sweep to which Buildkite returned %i', async (status) => {
    await open();
    await jobsLike((await newHolder()).job, 4);
    later(FIRST);
    answering(status);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ buildkite_calls: 1, jobs_reconciled: 0, failed: 1 });
    const moved = await ledger().collection('jobs').where('check_at', '>', new Date(keydesk.clock.now())).get();
    expect(moved.size).toBe(0);
    expect(swept.audit.filter(({ event }) => event !== 'pool.reported')).toMatchObject([
      { severity: 'WARNING', failures: [{ error: expect.stringContaining(String(status)) }] },
      { event: 'task.failed', dependency: 'buildkite jobs' },
    ]);
    expect(keydesk.buildkite.jobRequests).toHaveLength(1);
  });

  itInMemory('is not kept from its end by one about which Buildkite fails', async () => {
    await open();
    const [bad, good] = [await newHolder(), await newHolder()];
    good.job.state = 'passed';
    keydesk.buildkite.beforeJob = (id) => (id === bad.job.id ? { status: 500 } : undefined);
    later(FIRST);
    expect(await sweep()).toMatchObject({ jobs_checked: 2, jobs_reconciled: 1, failed: 1 });
  });

  itInMemory.each(['0', '-14'])('waits when Buildkite says that %s calls are left', async (remaining) => {
    await open();
    await jobsLike((await newHolder()).job, 4);
    later(FIRST);
    answering(404, { 'ratelimit-remaining': '150', 'ratelimit-user-remaining': remaining });
    expect(await sweep()).toMatchObject({ buildkite_calls: 1, failed: 0 });
  });

  itInMemory('is checked although the rate limits are malformed, which is logged', async () => {
    await open();
    const { job } = await newHolder();
    const json = { id: job.id, state: 'running' };
    answering(200, { 'ratelimit-remaining': 'many', 'ratelimit-user-remaining': 'few' }, json);
    later(FIRST);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ jobs_checked: 1, failed: 1 });
    expect(swept.audit).toContainEqual(
      expect.objectContaining({ event: 'task.failed', error: expect.stringContaining('RateLimit-User-Remaining') }),
    );
  });

  itInMemory('is found although its access cannot be taken away yet, and that is finished later', async () => {
    await open();
    const { job, tokens } = await newHolder(['staging-admin']);
    job.state = 'canceled';
    keydesk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 403 } : undefined);
    later(FIRST);
    expect((await sweep()).jobs_reconciled).toBe(1);
    expect(await grantsOf(job)).toMatchObject([{ state: 'revoking', ended_by: 'job.reconciled' }]);
    keydesk.google.fault = undefined;
    expect(await sweep()).toMatchObject({ revoked: 1, jobs_checked: 0 });
    expect(await keydesk.gate(tokens[0] ?? '')).toBe(401);
  });

  itInMemory('ends by expiry when there is no API token for a lookup', async () => {
    await open({ KEYDESK_BUILDKITE_API_TOKEN: '' });
    const { job } = await newHolder();
    job.state = 'passed';
    later(FIRST);
    expect(await sweep()).toMatchObject({ jobs_checked: 0, expired: 0 });
    later(58 * MINUTE);
    expect(await sweep()).toMatchObject({ jobs_checked: 0, expired: 1, ended_by_expiry: 1, failed: 0 });
    expect(await grantsOf(job)).toMatchObject([{ state: 'expired', ended_by: 'expiry' }]);
    later(10 * MINUTE);
    expect(await sweep()).toMatchObject({ jobs_unchecked_15m: null, failed: 0 });
    expect(await recordOf(job)).toMatchObject({ check_at: null, ended_at: null });
    expect(keydesk.buildkite.jobRequests).toEqual([]);
  });

  it('is completed without a request to Buildkite when its end is known and was not recorded everywhere', async () => {
    await open({ KEYDESK_BUILDKITE_API_TOKEN: '' });
    const { job, tokens } = await newHolder(['staging-admin']);
    const ending_since = new Date(keydesk.clock.now());
    await ledger()
      .collection('jobs')
      .doc(job.id)
      .update({ ending_since, ending_by: 'job.finished', ending_finished_at: ending_since, check_at: ending_since });
    expect(await sweep()).toMatchObject({ buildkite_calls: 0, jobs_reconciled: 0, revoked: 1 });
    expect(await grantsOf(job)).toMatchObject([{ state: 'revoked', ended_by: 'job.finished' }]);
    expect(await recordOf(job)).toMatchObject({ ended_by: 'job.finished', check_at: null });
    expect(await keydesk.gate(tokens[0] ?? '')).toBe(401);
  });

  describe('is of a build with other jobs', () => {
    it('and all of them take one call, also those that are not due, and are due together from then on', async () => {
      await open();
      const first = (await newHolder()).job;
      const jobs = await jobsLike(first, 100, 100);
      const passed = jobs[57] as Job;
      passed.state = 'passed';
      const early = jobs[3] as Job;
      later(FIRST);
      const notDue = new Date(keydesk.clock.now() + MINUTE);
      await ledger().collection('jobs').doc(early.id).update({ check_at: notDue });
      expect(await sweep()).toMatchObject({ jobs_checked: 101, buildkite_calls: 2, jobs_reconciled: 1, failed: 0 });
      expect(await recordOf(passed)).toMatchObject({ ended_by: 'job.reconciled' });
      const due = new Set(await Promise.all(jobs.filter((job) => job !== passed).map(checkAtOf)));
      expect([...due]).toEqual([keydesk.clock.now() + AGAIN]);
    });

    itInMemory('and is found on a later page of its list', async () => {
      await open();
      const jobs = await jobsLike((await newHolder()).job, 3, 3);
      for (let others = 0; others < 230; others += 1) keydesk.buildkite.startJob({ build_number: builds });
      const last = keydesk.buildkite.startJob({ build_number: builds });
      const [grant, record] = [(await grantsOf(jobs[0] as Job))[0], await recordOf(jobs[0] as Job)];
      const id = grantId(last.id, 'staging-config');
      await ledger()
        .collection('grants')
        .doc(id)
        .set({ ...grant, subject: { ...grant?.subject, id: last.id } });
      await ledger()
        .collection('jobs')
        .doc(last.id)
        .set({ ...record, grants: [id] });
      last.state = 'failed';
      later(FIRST);
      expect(await sweep()).toMatchObject({ jobs_checked: 5, buildkite_calls: 4, jobs_reconciled: 1 });
      expect(await recordOf(last)).toMatchObject({ ended_by: 'job.reconciled' });
    });

    itInMemory('and is unknown, not finished, when their list lacks it or does not exist', async () => {
      await open();
      const jobs = await jobsLike((await newHolder()).job, 3, 3);
      keydesk.buildkite.beforeBuild = () => ({ status: 200, json: { items: [], links: { next: null } } });
      later(FIRST);
      expect(await sweep()).toMatchObject({ jobs_checked: 4, jobs_reconciled: 0, failed: 0 });
      for (const job of jobs) expect(await checkAtOf(job)).toBe(keydesk.clock.now() + 10 * MINUTE);
      keydesk.buildkite.beforeBuild = () => ({ status: 404, json: { message: 'No build found' } });
      answering(404);
      later(10 * MINUTE);
      expect(await sweep()).toMatchObject({ jobs_checked: 4, buildkite_calls: 3, jobs_reconciled: 0, failed: 0 });
    });

    itInMemory('and is found by its id when the pipeline has another name by now', async () => {
      await open();
      const jobs = await jobsLike((await newHolder()).job, 3, 3);
      for (const job of jobs) job.state = 'passed';
      keydesk.buildkite.beforeBuild = () => ({ status: 404, json: { message: 'No build found' } });
      later(FIRST);
      expect(await sweep()).toMatchObject({ jobs_reconciled: 3, failed: 0 });
    });

    itInMemory(
      'and is found though their list is larger than is read, at eleven calls in one sweep at most',
      async () => {
        await open();
        const jobs = await jobsLike((await newHolder()).job, 20, 20);
        (jobs[19] as Job).state = 'passed';
        keydesk.buildkite.beforeBuild = () => ({ status: 200, text: 'x'.repeat(8 * 1024 * 1024 + 1) });
        later(FIRST);
        let found = 0;
        for (let minutes = 0; found === 0 && minutes < 15; minutes += 1) {
          const swept = await sweep();
          // One more for the job of another build.
          expect(swept.buildkite_calls).toBeLessThanOrEqual(12);
          found = swept.jobs_reconciled;
          later(MINUTE);
        }
        expect(found).toBe(1);
      },
    );

    itInMemory('and is found although their list fails for ever', async () => {
      await open();
      const jobs = await jobsLike((await newHolder()).job, 30, 30);
      for (const job of jobs) job.state = 'passed';
      keydesk.buildkite.beforeBuild = () => ({ status: 500 });
      later(FIRST);
      for (let minutes = 0; minutes < 12; minutes += 1) {
        await sweep();
        later(MINUTE);
      }
      expect(await openJobs()).toBe(1);
    });
  });

  itInMemory('is found although its response is larger than other responses may be', async () => {
    await open();
    const { job } = await newHolder();
    answering(200, {}, { id: job.id, state: 'passed', command: '<'.repeat(3 * 1024 * 1024) });
    later(FIRST);
    expect(await sweep()).toMatchObject({ jobs_reconciled: 1, failed: 0 });
  });

  itInMemory('says so when its response is larger than is read at all, and backs off', async () => {
    await open();
    const { job } = await newHolder();
    answering(200, {}, { id: job.id, state: 'passed', command: '<'.repeat(9 * 1024 * 1024) });
    later(FIRST);
    const swept = await keydesk.sweep();
    expect(swept.audit).toContainEqual(
      expect.objectContaining({
        event: 'task.failed',
        job_id: job.id,
        error: expect.stringContaining('8388608 bytes'),
      }),
    );
    expect(await recordOf(job)).toMatchObject({ checks_failed: 1 });
  });

  const FAILURES: readonly (readonly [string, () => LocalReply])[] = [
    ['fails', () => ({ status: 500 })],
    ['sends nonsense', () => ({ status: 200, text: '<html>' })],
    ['sends too much', () => ({ status: 200, text: 'x'.repeat(8 * 1024 * 1024 + 1) })],
    ['hangs up', () => 'cut'],
  ];
  itInMemory.each(FAILURES)(
    'is found although there are 20 jobs before it about which Buildkite %s',
    async (_, reply) => {
      await open();
      const bad = new Set((await jobsLike((await newHolder()).job, 20)).map(({ id }) => id));
      later(FIRST + SECOND);
      const good = (await newHolder()).job;
      good.state = 'passed';
      keydesk.buildkite.beforeJob = (id) => (bad.has(id) ? reply() : undefined);
      later(FIRST);
      // While no connection succeeds, Buildkite as a whole may be out of reach, and a run gives up early.
      for (let sweeps = 0; (await recordOf(good)).ended_at === null; sweeps += 1) {
        expect(sweeps).toBeLessThan(reply() === 'cut' ? 8 : 1);
        await sweep();
        later(MINUTE);
      }
    },
  );

  itInMemory.each([
    [100, 100],
    [1000, 200],
  ])('is found although there are %i jobs before it, of %i builds, about which Buildkite fails', async (count, all) => {
    await open();
    const before = new Set((await jobsLike((await newHolder()).job, count, count / all)).map(({ id }) => id));
    later(FIRST + SECOND);
    const good = (await newHolder()).job;
    good.state = 'passed';
    keydesk.buildkite.beforeJob = (id) => (before.has(id) ? { status: 500 } : undefined);
    keydesk.buildkite.beforeBuild = () => ({ status: 500 });
    later(FIRST);
    let minutes = 0;
    for (; (await recordOf(good)).ended_at === null && minutes < 60; minutes += 1) {
      await sweep();
      later(MINUTE);
    }
    // Fifty calls a minute: each of those before it has had its turn once.
    expect(minutes).toBeLessThanOrEqual(all / 50 + 1);
    if (count > 100) return;
    // From then on they back off, and a job that is checked has its turn again in time.
    const next = (await newHolder()).job;
    next.state = 'passed';
    for (minutes = 0; (await recordOf(next)).ended_at === null; minutes += 1) {
      expect(minutes).toBeLessThanOrEqual(6);
      await sweep();
      later(MINUTE);
    }
  });

  // In memory: a request to the emulator that is under way while the clock jumps would meet its deadline too.
  itInMemory(
    'is found although Buildkite hangs for the jobs before it: five calls go on at once, each for 8 seconds',
    async () => {
      await open();
      const model = (await newHolder()).job;
      const bad = new Set([model, ...(await jobsLike(model, 4))].map(({ id }) => id));
      later(FIRST + SECOND);
      const good = (await newHolder()).job;
      good.state = 'passed';
      const [begun, hanging] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let hung = 0;
      keydesk.buildkite.beforeJob = (id) => {
        if (!bad.has(id)) return undefined;
        hung += 1;
        begun.resolve();
        if (hung === 5) hanging.resolve();
        return 'hang';
      };
      later(FIRST);
      const swept = sweep();
      await begun.promise;
      later(SECOND);
      await hanging.promise;
      later(8 * SECOND);
      expect(await swept).toMatchObject({ jobs_checked: 6, jobs_reconciled: 1, failed: 5 });
    },
  );

  it('does not wait behind a record that cannot be read', async () => {
    await open();
    const { job } = await newHolder();
    job.state = 'passed';
    const broken = { check_at: new Date(keydesk.clock.now()), grants: 'none' };
    await ledger().collection('jobs').doc('broken').set(broken);
    later(FIRST);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ jobs_reconciled: 1, failed: 1 });
    expect(swept.audit).toContainEqual(expect.objectContaining({ event: 'task.failed', job_id: 'broken' }));
    expect(await sweep()).toMatchObject({ failed: 0 });
  });

  itInMemory('is left alone with all others while Buildkite cannot be reached, and nothing backs off', async () => {
    await open();
    const jobs = await jobsLike((await newHolder()).job, 40);
    keydesk.buildkite.beforeJob = () => 'cut';
    later(FIRST);
    const swept = await sweep();
    expect(swept.buildkite_calls).toBeGreaterThanOrEqual(10);
    expect(swept.buildkite_calls).toBeLessThan(16);
    for (const job of jobs) expect(await recordOf(job)).toMatchObject({ checks_failed: 0 });
    keydesk.buildkite.beforeJob = undefined;
    later(MINUTE);
    expect(await sweep()).toMatchObject({ jobs_checked: 41, failed: 0 });
  });

  itInMemory(
    'is counted, and logged as an error, once Buildkite has not responded about it for a quarter of an hour',
    async () => {
      await open();
      const jobs = [(await newHolder()).job, (await newHolder()).job];
      keydesk.buildkite.beforeJob = () => ({ status: 500 });
      const lines: unknown[] = [];
      for (let minutes = 0; minutes <= 15; minutes += 1) {
        const swept = await keydesk.sweep();
        lines.push(...swept.audit.filter(({ event }) => event === 'jobs.unchecked'));
        expect(swept.json.jobs_unchecked_15m).toBe(0);
        later(MINUTE);
      }
      expect(lines).toEqual([]);
      const swept = await keydesk.sweep();
      expect(swept.json.jobs_unchecked_15m).toBe(2);
      expect(swept.audit).toContainEqual(
        expect.objectContaining({ event: 'jobs.unchecked', severity: 'ERROR', jobs_unchecked_15m: 2 }),
      );
      await keydesk.notify(keydesk.buildkite.event(jobs[0] as Job));
      keydesk.buildkite.beforeJob = undefined;
      expect((await sweep()).jobs_unchecked_15m).toBe(1);
      later(15 * MINUTE);
      expect((await sweep()).jobs_unchecked_15m).toBe(0);
    },
  );

  itInMemory(
    'is found within six minutes of its end in each of 250 builds whose webhooks Buildkite refuses to send',
    async () => {
      await open();
      const model = (await newHolder()).job;
      const jobs = await jobsLike(model, 249);
      const writing = jobs.map((job, nth) => {
        const check_at = new Date(keydesk.clock.now() + (nth * FIRST) / 249);
        return ledger().collection('jobs').doc(job.id).update({ check_at });
      });
      await Promise.all(writing);
      // They run for a while, and then all end at once.
      for (let minutes = 0; minutes < 7; minutes += 1) {
        later(MINUTE);
        await sweep();
      }
      later(30 * SECOND);
      const endedAt = keydesk.clock.now();
      for (const job of [model, ...jobs]) job.state = 'passed';
      later(30 * SECOND);
      while ((await openJobs()) > 0) {
        const startedAt = keydesk.clock.now();
        await sweep();
        expect(keydesk.clock.now()).toBeLessThanOrEqual(endedAt + 6 * MINUTE);
        keydesk.clock.set(Math.max(keydesk.clock.now(), startedAt + MINUTE));
      }
      expect(callsInAnyMinute()).toBeLessThanOrEqual(50);
    },
  );

  itInMemory('has its turn among 740 builds within a quarter of an hour, with two jobs each: 1,480 jobs', async () => {
    await open();
    const model = (await newHolder()).job;
    // 750 calls fit into the time. Ten are to spare, for lookups that fail on a slow machine.
    await jobsLike(model, 1_478, 2);
    later(FIRST);
    const requested = new Set<number>();
    keydesk.buildkite.beforeBuild = ({ number }) => {
      requested.add(number);
      return undefined;
    };
    let jobs = 0;
    for (let minutes = 0; minutes < 15; minutes += 1) {
      const startedAt = keydesk.clock.now();
      jobs += (await sweep()).jobs_checked;
      keydesk.clock.set(Math.max(keydesk.clock.now(), startedAt + MINUTE));
    }
    expect(requested.size).toBe(739);
    expect(jobs).toBeGreaterThanOrEqual(1_479);
    expect(callsInAnyMinute()).toBeLessThanOrEqual(50);
  });

  itInMemory(
    'is one of 2,000 in twenty builds of a hundred jobs, which one sweep checks with twenty calls',
    async () => {
      await open();
      const model = (await newHolder()).job;
      const jobs = await jobsLike(model, 2_000, 100);
      model.state = 'passed';
      for (const job of jobs.filter((_, nth) => nth % 100 === 99)) job.state = 'passed';
      later(FIRST);
      // The build of the first job is the twenty-first.
      expect(await sweep()).toMatchObject({ jobs_checked: 2_001, buildkite_calls: 21, jobs_reconciled: 21, failed: 0 });
      expect(await openJobs()).toBe(1_980);
    },
  );

  const callsInAnyMinute = () => {
    const { jobRequests } = keydesk.buildkite;
    return Math.max(
      ...jobRequests.map((at, nth) => jobRequests.slice(nth).filter((next) => next < at + MINUTE).length),
    );
  };

  it('has its turn among two hundred without more than fifty calls in any minute, however the sweeps come', async () => {
    await open();
    await jobsLike((await newHolder()).job, 199);
    later(FIRST);
    const requested = new Set<string>();
    keydesk.buildkite.beforeJob = (id) => {
      requested.add(id);
      later(20);
      return undefined;
    };
    // The scheduler is late now and then, and calls twice at once.
    for (const wait of [60, 58, 63, 28, 33, 58, 61]) {
      const startedAt = keydesk.clock.now();
      const [one, two] = await Promise.all([sweep(), sweep()]);
      expect([one.failed, two.failed, Math.min(one.buildkite_calls, two.buildkite_calls)]).toEqual([0, 0, 0]);
      keydesk.clock.set(Math.max(keydesk.clock.now(), startedAt + wait * SECOND));
    }
    expect(callsInAnyMinute()).toBeLessThanOrEqual(50);
    expect(requested.size).toBe(200);
  });

  it('does not lead to more calls after a sweep that was cut off in the middle of its own', async () => {
    await open();
    await jobsLike((await newHolder()).job, 99);
    later(FIRST);
    const { jobCheckLedger } = keydesk.sweepDeps;
    keydesk.sweepDeps.jobCheckLedger = {
      ...jobCheckLedger,
      releasePollLock: () => Promise.reject(new Error('cut off')),
    };
    expect(await sweep()).toMatchObject({ buildkite_calls: 50 });
    keydesk.sweepDeps.jobCheckLedger = jobCheckLedger;
    for (let minutes = 0; minutes < 4; minutes += 1) {
      later(MINUTE);
      await sweep();
    }
    expect(callsInAnyMinute()).toBeLessThanOrEqual(50);
    expect(keydesk.buildkite.jobRequests.length).toBe(100);
  });
});
