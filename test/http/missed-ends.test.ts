// The webhook was lost: the sweep asks Buildkite about jobs of which nothing was heard, ends those that have finished, and
// never asks more than Buildkite lets it.

import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { Job } from '../../sandbox/buildkite/buildkite.ts';
import type { LocalAnswer } from '../../sandbox/local-server.ts';
import { grantId } from '../../shared/core/grant-id.ts';
import { databaseOf, firestoreAs, type InProcessDesk, openInProcessDesk } from '../fixtures/in-process-desk.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Nothing must have been heard of a job for so long before it is asked about. */
const QUIET = 5 * MINUTE;
const FOUND = { asked_buildkite: 1, found_finished: 1, revoked: 2, renewal_ended: 1, failed: 0 };
const KINDS = ['staging-config', 'staging-admin', 'staging-export'];

/** Credentials of an hour, so that the clock ends nothing before Buildkite was asked. */
const policy = (project: string) => `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
credentials:
  staging-config:
    environment: staging
    ttl: 1h
    firestore:
      project: ${project}
      apiKey: web-key
      signer: signer@${project}.iam.gserviceaccount.com
      allow: [{ path: "config/{document=**}", verbs: [read, write] }]
  staging-admin:
    environment: staging
    ttl: 1h
    serviceAccount: { pool: [ci-001@${project}.iam.gserviceaccount.com], scopes: [https://www.googleapis.com/auth/datastore] }
  staging-export:
    environment: staging
    ttl: 1h
    serviceAccount: { email: export@${project}.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/datastore] }
rules:
  - { name: staging, job: { pipeline_slug: app }, grants: [${KINDS.join(', ')}] }
`;

describe('a job whose webhook was lost', () => {
  let desk: InProcessDesk;
  afterEach(async () => {
    expect(desk.google.unexpected).toEqual([]);
    await desk.close();
  });
  async function open(settings: Record<string, string> = {}) {
    desk = await openInProcessDesk({ policy, settings });
  }
  const later = (milliseconds: number) => {
    desk.clock.advance(milliseconds);
  };
  const ledger = () => databaseOf(desk.project, 'ledger');
  const ask = async (job: Job, credential = 'staging-config') => {
    const issuedAt = Math.floor(desk.clock.now() / SECOND);
    return desk.askByPath(await desk.buildkite.jobToken(job, { issuedAt }), credential);
  };
  async function holder(credentials = ['staging-config']) {
    const job = desk.buildkite.startJob();
    const tokens: string[] = [];
    for (const credential of credentials) {
      const { status, json } = await ask(job, credential);
      expect(status).toBe(200);
      tokens.push(json.access_token);
    }
    return { job, tokens };
  }
  const grantsOf = async ({ id }: Job) =>
    (await ledger().collection('grants').where('job_id', '==', id).get()).docs.map((grant) => grant.data());
  /** Jobs that hold a Firestore grant like `model` does, quiet for as long. */
  async function quietJobsLike(model: Job, count: number) {
    const id = grantId(model.id, 'staging-config');
    const record = (await ledger().collection('grants').doc(id).get()).data();
    const batch = ledger().batch();
    for (const job of Array.from({ length: count }, () => desk.buildkite.startJob())) {
      const grant = ledger().collection('grants').doc(grantId(job.id, 'staging-config'));
      batch.set(grant, { ...record, job_id: job.id, tokens: [], token_sha256s: [] });
    }
    await batch.commit();
  }
  const sweep = async () => (await desk.sweep()).json;
  const answering = (status: number, headers: Record<string, string> = {}, json: unknown = {}) => {
    desk.buildkite.beforeJob = (): LocalAnswer => ({ status, headers, json });
  };

  it.each(['passed', 'failed', 'canceled', 'agent_lost'] as const)(
    'is ended by the sweep once it was quiet for five minutes and is %s at Buildkite',
    async (state) => {
      await open();
      const { job, tokens } = await holder(KINDS);
      if (state === 'agent_lost') job.agentLost = true;
      else job.state = state;
      later(QUIET - 1);
      expect(await sweep()).toMatchObject({ asked_buildkite: 0, found_finished: 0 });
      later(1);
      const swept = await desk.sweep();
      expect(swept.json).toMatchObject(FOUND);
      expect(desk.buildkite.jobRequests).toHaveLength(1);
      expect(swept.audit[0]).toMatchObject({
        event: 'job.found_finished',
        severity: 'WARNING',
        job_id: job.id,
        job_state: state,
        pipeline_slug: 'app',
      });
      const events = ['job.found_finished', 'grant.revoked', 'grant.revoked', 'grant.renewal_ended', 'sweep.completed'];
      const counted = ({ event }: { event: string }) => event !== 'pool.counted';
      expect(swept.audit.filter(counted).map(({ event }) => event)).toEqual(events);
      for (const grant of await grantsOf(job)) {
        const state = grant.revocation === 'expiry' ? 'active' : 'revoked';
        expect(grant).toMatchObject({ state, ended_by: 'job.found_finished' });
      }
      const [config = '', admin = '', exported = ''] = tokens;
      expect(await firestoreAs(desk, config, 'config/web')).toBe(403);
      expect([await desk.gate(admin), await desk.gate(exported)]).toEqual([401, 200]);
      expect((await ask(job)).audit).toMatchObject([{ reason: 'job_ended' }]);
      const tombstone = (await ledger().collection('jobs').doc(job.id).get()).data();
      expect(tombstone).toMatchObject({ ended_by: 'job.found_finished' });

      later(10 * MINUTE);
      expect(await sweep()).toMatchObject({ asked_buildkite: 0 });
      const late = await desk.notify(desk.buildkite.event(job));
      expect([late.status, late.json.revoked, late.audit[0].repeated]).toEqual([200, 0, true]);
    },
  );

  it.each(['timed_out', 'expired', 'skipped', 'broken', 'finished'])(
    'is ended when Buildkite says %s',
    async (state) => {
      await open();
      const { job } = await holder();
      answering(200, {}, { id: job.id.toUpperCase(), type: 'script', state });
      later(QUIET);
      expect(await sweep()).toMatchObject({ found_finished: 1, revoked: 1, failed: 0 });
    },
  );

  it.each([
    ['it does not know the job', 404, { message: 'No job found' }],
    ['it is another job', 200, { id: randomUUID(), state: 'passed' }],
    ['it has no state', 200, { id: 'ID' }],
    ['it is canceling', 200, { id: 'ID', state: 'canceling', finished_at: '2026-01-01T00:00:00Z' }],
    ['its state is a new one', 200, { id: 'ID', state: 'hibernating', finished_at: null }],
    ['the answer is no object', 200, ['passed']],
    ['Buildkite fails', 500, { message: 'passed' }],
    ['Buildkite sends elsewhere', 302, { state: 'passed' }],
  ])('is not ended when %s', async (_, status, json) => {
    await open();
    const { job, tokens } = await holder();
    answering(status, { location: '/v2' }, JSON.parse(JSON.stringify(json).replace('"ID"', `"${job.id}"`)));
    later(QUIET);
    expect(await sweep()).toMatchObject({ asked_buildkite: 1, found_finished: 0, revoked: 0 });
    expect(await grantsOf(job)).toMatchObject([{ state: 'active', ended_by: null }]);
    expect(await firestoreAs(desk, tokens[0] ?? '', 'config/web')).not.toBe(403);
  });

  it.each([
    ['five minutes while it runs', 5 * MINUTE, 200],
    ['a quarter of an hour when Buildkite does not know it', 15 * MINUTE, 404],
  ])('is asked about again after %s', async (_, again, status) => {
    await open();
    const { job } = await holder();
    if (status === 404) answering(404);
    later(QUIET);
    expect(await sweep()).toMatchObject({ asked_buildkite: 1, found_finished: 0, failed: 0 });
    job.state = 'failed';
    later(again - 1);
    expect(await sweep()).toMatchObject({ asked_buildkite: 0 });
    desk.buildkite.beforeJob = undefined;
    later(1);
    expect(await sweep()).toMatchObject({ asked_buildkite: 1, found_finished: 1 });
  });

  it('is not asked about as long as it is heard of', async () => {
    await open();
    const { job } = await holder();
    for (let time = 0; time < 3; time += 1) {
      later(QUIET - SECOND);
      expect((await ask(job)).status).toBe(200);
      expect(await sweep()).toMatchObject({ asked_buildkite: 0 });
    }
    await desk.notify(desk.buildkite.event(job));
    later(QUIET);
    expect(await sweep()).toMatchObject({ asked_buildkite: 0 });
  });

  it.each([
    [{ 'RateLimit-Reset': '200' }, 200],
    [{ 'RateLimit-Reset': '30', 'RateLimit-User-Reset': '120' }, 120],
    [{ 'Retry-After': '90', 'RateLimit-Reset': '30' }, 90],
    [{ 'RateLimit-Reset': 'Thu, 01 Jan 2099 00:00:00 GMT' }, 60],
    [{ 'RateLimit-Reset': '999999' }, 300],
    [{}, 60],
  ])('is left until Buildkite wants to be asked again: 429 with %j', async (headers, seconds) => {
    await open();
    const { job } = await holder();
    await quietJobsLike(job, 4);
    later(QUIET);
    answering(429, headers as Record<string, string>);
    expect(await sweep()).toMatchObject({ asked_buildkite: 1, failed: 1 });
    desk.buildkite.beforeJob = undefined;
    later(seconds * SECOND - 1);
    for (const swept of await Promise.all([sweep(), sweep()])) expect(swept).toMatchObject({ asked_buildkite: 0 });
    expect(desk.buildkite.jobRequests).toHaveLength(1);
    later(1);
    expect(await sweep()).toMatchObject({ asked_buildkite: 5, failed: 0 });
  });

  it.each([401, 403])('is not asked about any more in a run in which Buildkite said %i', async (status) => {
    await open();
    await quietJobsLike((await holder()).job, 4);
    later(QUIET);
    answering(status);
    const swept = await desk.sweep();
    expect(swept.json).toMatchObject({ asked_buildkite: 1, found_finished: 0, failed: 1 });
    expect(swept.audit.filter(({ event }) => event !== 'pool.counted')).toMatchObject([
      { severity: 'WARNING', failures: [{ detail: expect.stringContaining(String(status)) }] },
      { event: 'work.failed', what: 'buildkite jobs' },
    ]);
    expect(desk.buildkite.jobRequests).toHaveLength(1);
  });

  it('is not kept from its end by one about which Buildkite fails', async () => {
    await open();
    const [bad, good] = [await holder(), await holder()];
    good.job.state = 'passed';
    desk.buildkite.beforeJob = (id) => (id === bad.job.id ? { status: 500 } : undefined);
    later(QUIET);
    expect(await sweep()).toMatchObject({ asked_buildkite: 2, found_finished: 1, failed: 1 });
  });

  it('waits when little of what others may ask is left', async () => {
    await open();
    await quietJobsLike((await holder()).job, 4);
    later(QUIET);
    answering(404, { 'ratelimit-remaining': '150', 'ratelimit-user-remaining': '9' });
    expect(await sweep()).toMatchObject({ asked_buildkite: 1, failed: 0 });
  });

  it('is found although its access cannot be taken away yet, and that is finished later', async () => {
    await open();
    const { job, tokens } = await holder(['staging-admin']);
    job.state = 'canceled';
    desk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 403 } : undefined);
    later(QUIET);
    expect((await sweep()).found_finished).toBe(1);
    expect(await grantsOf(job)).toMatchObject([{ state: 'revoking', ended_by: 'job.found_finished' }]);
    desk.google.fault = undefined;
    expect(await sweep()).toMatchObject({ revoked: 1, asked_buildkite: 0 });
    expect(await desk.gate(tokens[0] ?? '')).toBe(401);
  });

  it('is ended by the clock when there is no API token to ask with', async () => {
    await open({ KEYDESK_BUILDKITE_API_TOKEN: '' });
    const { job } = await holder();
    job.state = 'passed';
    later(QUIET);
    expect(await sweep()).toMatchObject({ asked_buildkite: 0, expired: 0 });
    later(57 * MINUTE);
    expect(await sweep()).toMatchObject({ asked_buildkite: 0, expired: 1, ended_by_clock: 1, failed: 0 });
    expect(await grantsOf(job)).toMatchObject([{ state: 'expired', ended_by: 'clock' }]);
    expect(desk.buildkite.jobRequests).toEqual([]);
  });

  it('is asked about by two hundred at a time without Buildkite ever getting too much, and each has its turn', async () => {
    await open();
    await quietJobsLike((await holder()).job, 199);
    later(QUIET);
    const asked = new Set<string>();
    desk.buildkite.beforeJob = (id) => {
      asked.add(id);
      later(300);
      return undefined;
    };
    // The scheduler is late now and then, and calls twice at once.
    for (const wait of [60, 55, 63, 28, 30, 57, 61, 56, 60, 55, 60, 58, 60]) {
      const calls = desk.buildkite.jobRequests.length;
      const startedAt = desk.clock.now();
      const [one, two] = await Promise.all([sweep(), sweep()]);
      expect([one.failed, two.failed, Math.min(one.asked_buildkite, two.asked_buildkite)]).toEqual([0, 0, 0]);
      expect(desk.buildkite.jobRequests.length - calls).toBeLessThanOrEqual(20);
      desk.clock.set(startedAt + wait * SECOND);
    }
    const { jobRequests } = desk.buildkite;
    for (const [index, at] of jobRequests.entries())
      expect(jobRequests.slice(index).filter((next) => next < at + MINUTE).length).toBeLessThanOrEqual(40);
    expect(asked.size).toBe(200);
  });
});
