// The first grant of a job, on an instance that has just issued to another: it is written without a read before it, and that
// commit succeeds only if the ledger does not know the job. Whatever the instance did not know decides all the same.

import { describe, expect, it } from 'vitest';
import { createRevocationLedger } from '../../shared/ledger/revocation.ts';
import { BusyGrant } from './busy-grant.ts';

const JOB = { job_id: '0190a6e2-0000-4000-8000-00000000000a' };
const OTHERS = '0190a6e2-0000-4000-8000-0000000000';

/** An instance that has issued to a job of another pipeline, and one that has not. */
async function warmAndCold(credential: string) {
  const grant = new BusyGrant();
  const warm = grant.instance();
  expect((await warm(credential, {}, { job_id: `${OTHERS}01` })).status).toBe(200);
  grant.calls.length = 0;
  grant.mints = 0;
  return { grant, warm, cold: grant.instance() };
}

const end = (grant: BusyGrant) =>
  createRevocationLedger(grant.ledger, grant.clock).endJob({ ...JOB, pipeline_id: undefined, by: 'job.finished' });

const block = (grant: BusyGrant) =>
  grant.killSwitchDeps.killSwitchLedger.record('block', {
    ...{ selector: JOB, actor: 'an operator', reason: 'a test', blocks_new: true },
    ...{ activated_at: grant.clock.now(), deactivated_at: null, deactivated_by: null },
  });

const grantsOf = async (grant: BusyGrant) =>
  (await grant.ledger.collection('grants').where('subject.id', '==', JOB.job_id).get()).docs.map((doc) => doc.data());

describe('on an instance that has just issued to another job', () => {
  it.each([
    ['export', ['write grants, jobs', 'read blocks', 'mint', 'write grants']],
    ['config', ['write grants, jobs', 'read blocks', 'write keydesk_grants', 'mint', 'write grants']],
  ])('%s is reserved first, then minted while the blocks are read, and recorded', async (credential, calls) => {
    const { grant, warm } = await warmAndCold(credential);
    expect((await warm(credential, {}, JOB)).status).toBe(200);
    expect(grant.calls).toEqual(calls);
  });

  it('the second credential of a job is decided on what was read', async () => {
    const { grant, warm } = await warmAndCold('export');
    await warm('export', {}, JOB);
    grant.calls.length = 0;
    expect((await warm('config', {}, JOB)).status).toBe(200);
    expect(grant.calls).toContain('read grants, jobs, blocks');
  });

  it('so is everything when the blocks were read a minute ago', async () => {
    const { grant, warm } = await warmAndCold('export');
    grant.clock.advance(60_000);
    expect((await warm('export', {}, JOB)).status).toBe(200);
    expect(grant.calls.find((call) => !call.endsWith(' grants'))).toBe('read grants, jobs, blocks, service_accounts');
  });

  it('and a pooled account', async () => {
    const { grant, warm } = await warmAndCold('export');
    expect((await warm('admin', {}, JOB)).status).toBe(200);
    expect(grant.calls).toContain('read grants, jobs, blocks, service_accounts');
  });

  it('and a shared account whose record does not cover the token', async () => {
    const { grant, warm } = await warmAndCold('config');
    expect((await warm('export', {}, JOB)).status).toBe(200);
    expect(grant.calls).toContain('read grants, jobs, blocks, service_accounts');
  });
});

describe('what the instance did not know decides', () => {
  it.each(['export', 'config'])('a job that ended gets no %s, and nothing is minted', async (credential) => {
    const { grant, warm } = await warmAndCold(credential);
    await end(grant);
    const refused = { status: 400, body: { error: 'invalid_grant' }, entries: [{ reason: 'job_ended' }] };
    expect(await warm(credential, {}, JOB)).toMatchObject(refused);
    expect(await warm(credential, {}, JOB)).toMatchObject(refused);
    expect(grant.mints).toBe(0);
    expect(await grantsOf(grant)).toEqual([]);
  });

  it('another instance’s grant is renewed', async () => {
    const { grant, warm, cold } = await warmAndCold('export');
    expect((await cold('export', {}, JOB)).status).toBe(200);
    expect((await warm('export', {}, JOB)).status).toBe(200);
    expect(await grantsOf(grant)).toMatchObject([{ tokens_issued: 2 }]);
  });

  it('another instance’s grant of another credential stays on the job’s record', async () => {
    const { grant, warm, cold } = await warmAndCold('export');
    expect((await cold('config', {}, JOB)).status).toBe(200);
    expect((await warm('export', {}, JOB)).status).toBe(200);
    const job = await grant.ledger.collection('jobs').doc(JOB.job_id).get();
    expect(job.get('grants')).toHaveLength(2);
  });

  it('a block is read before a token leaves, and known from then on: nothing more is reserved or minted', async () => {
    const { grant, warm } = await warmAndCold('export');
    await block(grant);
    const refused = { status: 400, entries: [{ reason: 'blocked' }] };
    expect(await warm('export', {}, JOB)).toMatchObject(refused);
    expect(await grantsOf(grant)).toMatchObject([{ state: 'issuing', tokens_issued: 0 }]);
    const { mints } = grant;
    const other = { ...JOB, build_branch: 'other' };
    expect(await warm('config', {}, other)).toMatchObject(refused);
    expect(await grantsOf(grant)).toHaveLength(1);
    expect(grant.mints).toBe(mints);
  });

  it('two first requests of one job at once, for two credentials, both issue', async () => {
    const { grant, warm } = await warmAndCold('export');
    const responses = await Promise.all(['export', 'config'].map((credential) => warm(credential, {}, JOB)));
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    const job = await grant.ledger.collection('jobs').doc(JOB.job_id).get();
    expect(job.get('grants')).toHaveLength(2);
  });

  it('a job that ends while its token is minted gets nothing', async () => {
    const { grant, warm } = await warmAndCold('export');
    const mint = grant.holdMints();
    const waiting = warm('export', {}, JOB);
    await grant.clock.sleep(100);
    await end(grant);
    mint();
    expect(await waiting).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });
});

it('the pipeline’s limit holds', async () => {
  const grant = new BusyGrant();
  grant.policy = {
    ...grant.policy,
    policy: { ...grant.policy.policy, limits: { ...grant.policy.policy.limits, liveGrantsPerPipeline: 1 } },
  };
  const warm = grant.instance();
  await warm('export', {}, { job_id: `${OTHERS}01` });
  grant.clock.advance(11_000);
  expect(await warm('export', {}, JOB)).toMatchObject({ status: 429, entries: [{ reason: 'pipeline_grant_limit' }] });
  expect(await grantsOf(grant)).toEqual([]);
});
