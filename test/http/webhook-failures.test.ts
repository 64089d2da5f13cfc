import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CLOCK_MARGIN_MS } from '../../shared/core/timing.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import {
  databaseOf,
  firestoreAs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { ENDED, readRecords, UNTOUCHED, validWebhook } from './valid-webhook.ts';

const ENDED_BY_EXPIRY_ONLY = { result: 'job_ended', revoked: 0, not_renewed: 1, expired: 0, pending: 0 };

describe('when the end of a job meets a failure', () => {
  let keydesk: InProcessKeydesk;
  let whole: InProcessKeydesk['sweepDeps'];
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());
  beforeEach(() => {
    whole = { ...keydesk.sweepDeps };
  });
  afterEach(async () => {
    Object.assign(keydesk.sweepDeps, whole);
    await keydesk.sweep();
    keydesk.clock.reset();
  });

  it('Buildkite gets 503 when it could not be recorded, so that it sends the webhook again', async () => {
    const valid = await validWebhook(keydesk);
    const down = () => Promise.reject(new DependencyError('ledger', 'call_failed', 'the test took it down'));
    keydesk.sweepDeps.ledger = { ...whole.ledger, endJob: down };
    const response = await keydesk.notify(valid.body);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/);
    expect(response.json).toEqual({
      error: 'temporarily_unavailable',
      error_description: 'The event could not be recorded. Send the webhook again.',
      request_id: response.headers.get('x-request-id'),
    });
    expect(response.audit).toMatchObject([
      {
        event: 'webhook.refused',
        severity: 'ERROR',
        reason: 'ledger_unavailable',
        error: 'ledger: the test took it down',
      },
    ]);
    expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);

    Object.assign(keydesk.sweepDeps, whole);
    expect((await keydesk.notify(valid.body)).json).toMatchObject({ result: 'job_ended', revoked: 1 });
    expect(await readRecords(keydesk, valid)).toEqual(ENDED);
  });

  it('a fault of our own is an error and not an end', async () => {
    const valid = await validWebhook(keydesk);
    keydesk.sweepDeps.ledger = { ...whole.ledger, endJob: () => Promise.reject(new Error('a bug')) };
    const response = await keydesk.notify(valid.body);
    expect(response.status).toBe(500);
    expect(response.json).toMatchObject({ error: 'server_error' });
    expect(response.text).not.toContain('a bug');
    expect(response.audit).toMatchObject([{ event: 'request.failed', severity: 'ERROR' }]);
    expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);
  });

  it('what is revoked too late to be recorded is left for the sweep to record and to log', async () => {
    const valid = await validWebhook(keydesk);
    const confirmed: unknown[] = [];
    keydesk.sweepDeps.closeGrantDocument = async (...requested) => {
      await whole.closeGrantDocument(...requested);
      keydesk.clock.advance(5_000);
    };
    const confirmRevoked: typeof whole.ledger.confirmRevoked = (grant) => {
      confirmed.push(grant);
      return whole.ledger.confirmRevoked(grant);
    };
    keydesk.sweepDeps.ledger = { ...whole.ledger, confirmRevoked };
    expect((await keydesk.notify(valid.body)).json).toMatchObject({ revoked: 0, pending: 1 });
    expect(confirmed).toEqual([]);
    expect(await readRecords(keydesk, valid)).toMatchObject({ states: ['revoking'] });

    Object.assign(keydesk.sweepDeps, whole);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ revoked: 1 });
    expect(swept.audit[0]).toMatchObject({ event: 'grant.revoked' });
  });

  it('the sweep goes on from where the grant document could not be closed', async () => {
    const valid = await validWebhook(keydesk);
    keydesk.sweepDeps.closeGrantDocument = () =>
      Promise.reject(new DependencyError('grant document', 'call_failed', 'the test broke it'));
    const response = await keydesk.notify(valid.body);
    expect(response.status).toBe(200);
    expect(response.json).toEqual({ result: 'job_ended', revoked: 0, not_renewed: 0, expired: 0, pending: 1 });
    expect(response.audit).toMatchObject([
      {
        event: 'webhook.accepted',
        severity: 'WARNING',
        pending: 1,
        failures: [{ grant_id: expect.any(String), error: 'grant document: the test broke it' }],
      },
      { event: 'task.failed', grant_id: expect.any(String), dependency: 'grant document' },
    ]);
    expect(await readRecords(keydesk, valid)).toEqual({ tombstone: true, states: ['revoking'], firestore: 200 });

    const failing = await keydesk.sweep();
    expect(failing.json).toMatchObject({ revoked: 0, failed: 1 });
    expect(await readRecords(keydesk, valid)).toMatchObject({ states: ['revoking'] });

    Object.assign(keydesk.sweepDeps, whole);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ revoked: 1, failed: 0, has_backlog: false });
    expect(swept.audit.map(({ event, job_id }) => ({ event, job_id }))).toEqual([
      { event: 'grant.revoked', job_id: valid.job.id },
      { event: 'sweep.completed', job_id: undefined },
    ]);
    expect(await readRecords(keydesk, valid)).toEqual(ENDED);
  });

  it('a revocation that never succeeds ends with the time of the grant, and is not called one', async () => {
    const valid = await validWebhook(keydesk);
    keydesk.sweepDeps.closeGrantDocument = () =>
      Promise.reject(new DependencyError('grant document', 'call_failed', 'the test broke it'));
    await keydesk.notify(valid.body);
    keydesk.clock.advance(3_600_000);
    const swept = await keydesk.sweep();
    keydesk.clock.reset();
    Object.assign(keydesk.sweepDeps, whole);
    expect(swept.json).toMatchObject({ revoked: 0, failed: 0 });
    expect(swept.audit.map(({ event }) => event)).not.toContain('grant.revoked');
    expect(await readRecords(keydesk, valid)).toMatchObject({ states: ['expired'] });
  });

  it('a record that cannot be read keeps neither its job nor the others from ending', async () => {
    const valid = await validWebhook(keydesk);
    const grants = databaseOf(keydesk.project, 'ledger').collection('grants');
    const alien = grants.doc('0123456789abcdef0123456789abcdef');
    await alien.set({ state: 'revoking', access_ended_at: null, kind: 'of a later version' });
    const job = databaseOf(keydesk.project, 'ledger').collection('jobs').doc(valid.job.id);
    await job.update({ grants: [...((await job.get()).get('grants') as string[]), alien.id] });
    const response = await keydesk.notify(valid.body);
    expect(response.json).toMatchObject({ result: 'job_ended', revoked: 1, pending: 1 });
    expect(response.audit[0]).toMatchObject({ severity: 'WARNING', failures: [{ grant_id: alien.id }] });
    expect(await readRecords(keydesk, valid)).toEqual(ENDED);
    const swept = await keydesk.sweep();
    await alien.delete();
    expect(swept.json).toMatchObject({ failed: 1 });
    expect(swept.status).toBe(200);
  });

  it('the same webhook goes on from where it was left when it comes again, and never calls it finished before', async () => {
    const valid = await validWebhook(keydesk);
    keydesk.sweepDeps.closeGrantDocument = () =>
      Promise.reject(new DependencyError('grant document', 'call_failed', 'the test broke it'));
    expect((await keydesk.notify(valid.body)).json).toMatchObject({ revoked: 0, pending: 1 });
    expect((await keydesk.notify(valid.body)).json).toMatchObject({ revoked: 0, pending: 1 });
    Object.assign(keydesk.sweepDeps, whole);
    expect((await keydesk.notify(valid.body)).json).toMatchObject({ revoked: 1, pending: 0 });
    expect(await readRecords(keydesk, valid)).toEqual(ENDED);
  });

  it('the sweep goes on from where access was taken away and that was not recorded', async () => {
    const valid = await validWebhook(keydesk);
    keydesk.sweepDeps.ledger = {
      ...whole.ledger,
      confirmRevoked: () => Promise.reject(new DependencyError('ledger', 'call_failed', 'the test took it down')),
    };
    expect((await keydesk.notify(valid.body)).json).toMatchObject({ revoked: 0, pending: 1 });
    expect(await readRecords(keydesk, valid)).toEqual({ tombstone: true, states: ['revoking'], firestore: 403 });
    Object.assign(keydesk.sweepDeps, whole);
    expect((await keydesk.sweep()).json).toMatchObject({ revoked: 1, failed: 0 });
    expect(await readRecords(keydesk, valid)).toEqual(ENDED);
  });

  it('one grant that cannot be revoked does not keep another', async () => {
    const valid = await validWebhook(keydesk);
    const other = await validWebhook(keydesk);
    const { closeGrantDocument } = whole;
    const grants = await databaseOf(keydesk.project, 'ledger')
      .collection('grants')
      .where('subject.id', '==', valid.job.id)
      .get();
    const broken = grants.docs[0]?.id;
    keydesk.sweepDeps.closeGrantDocument = (name, now) =>
      name.grant_id === broken ? Promise.reject(new Error('stuck')) : closeGrantDocument(name, now);
    expect((await keydesk.notify(valid.body)).json).toMatchObject({ pending: 1 });
    expect((await keydesk.notify(other.body)).json).toMatchObject({ revoked: 1, pending: 0 });
    expect(await readRecords(keydesk, other)).toEqual(ENDED);
    Object.assign(keydesk.sweepDeps, whole);
    expect((await keydesk.sweep()).json).toMatchObject({ revoked: 1, failed: 0 });
  });

  it('a job that requests again while its grant is being revoked gets nothing', async () => {
    const valid = await validWebhook(keydesk);
    keydesk.sweepDeps.closeGrantDocument = () =>
      Promise.reject(new DependencyError('grant document', 'call_failed', 'the test broke it'));
    await keydesk.notify(valid.body);
    const late = await keydesk.requestByPath(await keydesk.buildkite.jobToken(valid.job));
    expect(late.status).toBe(400);
    expect(late.json).toMatchObject({ error: 'invalid_grant' });
    expect(late.audit).toMatchObject([{ event: 'grant.refused', reason: 'job_ended' }]);
    Object.assign(keydesk.sweepDeps, whole);
    expect((await keydesk.sweep()).json).toMatchObject({ revoked: 1, failed: 0 });
  });
});

describe('the end of a job that holds a token only time can end', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());

  const grantOf = async (jobId: string) => {
    const { docs } = await databaseOf(keydesk.project, 'ledger')
      .collection('grants')
      .where('subject.id', '==', jobId)
      .get();
    expect(docs).toHaveLength(1);
    return docs[0]?.data() ?? {};
  };

  it('is not called revoked, and ends in the ledger when the token does', async () => {
    const job = keydesk.buildkite.startJob();
    const issued = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'staging-export');
    expect(issued.json).toMatchObject({ revocation: 'expiry' });
    const { expires_at } = await grantOf(job.id);

    const ended = await keydesk.notify(keydesk.buildkite.event(job));
    expect(ended.json).toEqual(ENDED_BY_EXPIRY_ONLY);
    expect(ended.audit.map(({ event }) => event)).toEqual(['webhook.accepted', 'grant.ended']);
    expect(ended.audit[1]).toMatchObject({
      state: 'active',
      revocation: 'expiry',
      expires_at: expires_at.toDate().toISOString(),
      ended_at: expect.stringMatching(/Z$/),
      ended_by: 'job.finished',
      access_ended_at: null,
    });
    expect(await grantOf(job.id)).toMatchObject({
      state: 'active',
      ended_by: 'job.finished',
      access_ended_at: null,
      expires_at,
    });
    const gate = await fetch(`${keydesk.google.url}/gate`, {
      headers: { authorization: `Bearer ${issued.json.access_token}` },
    });
    expect(gate.status).toBe(200);

    const again = await keydesk.notify(keydesk.buildkite.event(job));
    expect(again.json).toMatchObject({ result: 'job_ended', not_renewed: 0 });
    const late = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'staging-export');
    expect(late.json).toMatchObject({ error: 'invalid_grant' });

    keydesk.clock.set(expires_at.toMillis() + CLOCK_MARGIN_MS - 1);
    expect((await keydesk.sweep()).json).toMatchObject({ revoked: 0, expired: 0 });
    expect(await grantOf(job.id)).toMatchObject({ state: 'active' });

    keydesk.clock.set(expires_at.toMillis() + CLOCK_MARGIN_MS);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ revoked: 0, expired: 1, failed: 0, has_backlog: false });
    expect(swept.audit[0]).toMatchObject({ event: 'grant.expired', job_id: job.id, state: 'expired' });
    expect(await grantOf(job.id)).toMatchObject({
      state: 'expired',
      ended_by: 'job.finished',
      access_ended_at: expires_at,
    });
    expect((await keydesk.sweep()).json).toMatchObject({ revoked: 0, expired: 0 });
    keydesk.clock.reset();
  });

  it('ends each of its grants in its own way', async () => {
    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job);
    const firestore = await keydesk.requestByPath(jobToken, 'staging-config');
    await keydesk.requestByPath(jobToken, 'staging-export');
    const ended = await keydesk.notify(keydesk.buildkite.event(job));
    expect(ended.json).toEqual({ result: 'job_ended', revoked: 1, not_renewed: 1, expired: 0, pending: 0 });
    expect(ended.audit.map(({ event, credential }) => [event, credential])).toEqual([
      ['webhook.accepted', undefined],
      ['grant.revoked', 'staging-config'],
      ['grant.ended', 'staging-export'],
    ]);
    expect(await firestoreAs(keydesk, firestore.json.access_token, 'config/web')).toBe(403);
  });

  it('comes too late for what expired before it, and says so', async () => {
    const job = keydesk.buildkite.startJob();
    await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    const { expires_at } = await grantOf(job.id);
    keydesk.clock.set(expires_at.toMillis() + CLOCK_MARGIN_MS);
    const ended = await keydesk.notify(keydesk.buildkite.event(job));
    keydesk.clock.reset();
    expect(ended.json).toEqual({ result: 'job_ended', revoked: 0, not_renewed: 0, expired: 1, pending: 0 });
    expect(ended.audit[1]).toMatchObject({ event: 'grant.expired', state: 'expired', ended_by: 'expiry' });
  });
});
