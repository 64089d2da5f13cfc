// A pooled account's life over HTTP: leased to one job, disabled when it ends, in cooldown until its last token has expired,
// then enabled by the sweep and leased again.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DependencyError } from '../../shared/runtime/errors.ts';
import {
  type Called,
  databaseOf,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';

const MINUTE = 60_000;

describe('a pooled service account', () => {
  let keydesk: InProcessKeydesk;
  beforeEach(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterEach(async () => {
    expect(keydesk.google.unexpected).toEqual([]);
    await keydesk.close();
  });

  async function newJob() {
    const job = keydesk.buildkite.startJob();
    const requestToken = async () => {
      const issuedAt = Math.floor(keydesk.clock.now() / 1000);
      return keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), 'staging-admin');
    };
    return { job, requestToken, finish: () => keydesk.notify(keydesk.buildkite.event(job)) };
  }
  async function newHolder(called: Called) {
    expect(called.status).toBe(200);
    const [issued] = called.audit;
    return { accessToken: called.json.access_token as string, account: issued.service_account as string };
  }
  const accountRecord = async (email: string) =>
    (await databaseOf(keydesk.project, 'ledger').collection('service_accounts').doc(email).get()).data();
  async function asOperator(email: string, what: 'enable' | 'disable') {
    const own = `http://${keydesk.google.metadataHost}/computeMetadata/v1/instance/service-accounts/default/token`;
    const identity = await fetch(own, { headers: { 'metadata-flavor': 'Google' } });
    const { access_token } = (await identity.json()) as { access_token: string };
    const response = await fetch(
      `${keydesk.google.url}/v1/projects/${keydesk.project}/serviceAccounts/${email}:${what}`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${access_token}` },
      },
    );
    expect(response.status).toBe(200);
    await response.body?.cancel();
  }
  const later = (milliseconds: number) => {
    keydesk.clock.advance(milliseconds);
  };

  it('serves its job, ends with it, cools down until its token has expired, and serves again', async () => {
    const job = await newJob();
    const requested = await job.requestToken();
    const { accessToken, account } = await newHolder(requested);
    expect(requested.json).toMatchObject({ revocation: 'propagating', credential: 'staging-admin', expires_in: 900 });
    expect(await keydesk.gate(accessToken)).toBe(200);
    expect(await accountRecord(account)).toMatchObject({ state: 'leased', grant_id: requested.json.grant_id });

    const ended = await job.finish();
    expect(ended.json).toMatchObject({ revoked: 1, pending: 0 });
    expect(ended.audit).toMatchObject([
      { event: 'webhook.accepted' },
      {
        event: 'grant.revoked',
        service_account: account,
        leased_at: expect.any(String),
        access_ended_at: expect.any(String),
      },
    ]);
    expect(await keydesk.gate(accessToken)).toBe(401);
    expect((await job.requestToken()).json).toMatchObject({ error: 'invalid_grant' });
    expect(await accountRecord(account)).toMatchObject({ state: 'cooling_down' });

    later(15 * MINUTE);
    expect((await keydesk.sweep()).json).toMatchObject({ accounts_enabled: 0 });
    expect(keydesk.google.accounts.get(account)).toEqual({ disabled: true });
    later(2 * MINUTE);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({
      accounts_enabled: 1,
      failed: 0,
      pools: { 'staging-admin': { size: 3, free: 3, leased: 0, revoking: 0, cooling_down: 0, exhausted_in_s: null } },
    });
    expect(swept.audit[0]).toMatchObject({ event: 'account.enabled', service_account: account });
    expect(await keydesk.gate(accessToken)).toBe(401);
    expect(keydesk.google.accounts.get(account)).toEqual({ disabled: false });
    expect(await accountRecord(account)).toMatchObject({ state: 'free', grant_id: null });
  });

  it('is kept by a renewal and shared with no other job', async () => {
    const [first, second] = [await newJob(), await newJob()];
    const one = await newHolder(await first.requestToken());
    const two = await newHolder(await second.requestToken());
    expect(two.account).not.toBe(one.account);
    later(10 * MINUTE);
    expect(await newHolder(await first.requestToken())).toMatchObject({ account: one.account });
    later(10 * MINUTE);
    expect(await keydesk.gate(one.accessToken)).toBe(401);
    await first.finish();
    expect(await accountRecord(one.account)).toMatchObject({ state: 'cooling_down' });
    expect(await accountRecord(two.account)).toMatchObject({ state: 'leased' });
  });

  it('goes straight back to its pool when its tokens expired by themselves, and its job gets another grant of it', async () => {
    const job = await newJob();
    const { account } = await newHolder(await job.requestToken());
    later(17 * MINUTE);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ expired: 1, ended_by_expiry: 1, accounts_enabled: 0 });
    expect(await accountRecord(account)).toMatchObject({ state: 'free' });
    expect(keydesk.google.changes).toEqual([]);
    const again = await job.requestToken();
    await newHolder(again);
    expect(again.audit[0]).toMatchObject({ past_leases: [{ service_account: account }] });
  });

  it('without a free account returns 503 with the time at which one can be free', async () => {
    const jobs = await Promise.all([newJob(), newJob(), newJob()]);
    for (const job of jobs) await newHolder(await job.requestToken());
    const late = await newJob();
    const refused = await late.requestToken();
    expect(refused.status).toBe(503);
    expect(refused.json).toMatchObject({ error: 'temporarily_unavailable' });
    expect(refused.audit[0]).toMatchObject({ reason: 'pool_exhausted', pool_size: 3 });
    const wait = Number(refused.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(16 * 60);
    expect(wait).toBeLessThanOrEqual(18 * 60 + 5);

    for (const job of jobs) await job.finish();
    later(wait * 1000 - 5_000);
    expect((await keydesk.sweep()).json).toMatchObject({ accounts_enabled: 3 });
    later(5_000);
    await newHolder(await late.requestToken());
  });

  const poolOf = () => [...keydesk.google.accounts.keys()].filter((email) => email.startsWith('ci-'));

  it('that somebody disabled is set aside, and the job gets another', async () => {
    const job = await newJob();
    const [first = '', second = '', working = ''] = poolOf();
    for (const email of [first, second]) await asOperator(email, 'disable');
    expect(await newHolder(await job.requestToken())).toMatchObject({ account: working });

    for (const minutes of [18, 2, 18, 2]) {
      later(minutes * MINUTE);
      expect((await keydesk.sweep()).json).toMatchObject({ failed: 0 });
    }
    for (const email of [first, second]) {
      const record = await accountRecord(email);
      if (record) expect(record).toMatchObject({ state: 'free', disabled_at: null });
      if (record) expect(keydesk.google.accounts.get(email)).toEqual({ disabled: false });
    }
  });

  it('gets no token when Google refuses each account of the pool, and becomes free again', async () => {
    const job = await newJob();
    const requested = new Set<string>();
    keydesk.google.before = ({ method, account }) => {
      if (method !== 'generateAccessToken') return undefined;
      requested.add(account);
      return { status: 403, json: { error: { code: 403, status: 'PERMISSION_DENIED', message: 'denied' } } };
    };
    const refused = await job.requestToken();
    expect(refused.status).toBe(503);
    expect(refused.audit[0].error).toContain('PERMISSION_DENIED');
    expect([...requested].sort()).toEqual(poolOf().sort());
    keydesk.google.before = undefined;
    await newHolder(await job.requestToken());
    await job.finish();
    for (const minutes of [18, 2]) {
      later(minutes * MINUTE);
      await keydesk.sweep();
    }
    for (const email of poolOf()) expect(await accountRecord(email)).toMatchObject({ state: 'free' });
  });

  it('that somebody enables during its cooldown is disabled again, with an ERROR', async () => {
    const job = await newJob();
    const { account, accessToken } = await newHolder(await job.requestToken());
    await job.finish();
    for (const times of [1, 2, 3]) {
      await asOperator(account, 'enable');
      expect(await keydesk.gate(accessToken)).toBe(200);
      later(2 * MINUTE);
      const swept = await keydesk.sweep();
      expect(swept.json).toMatchObject({ accounts_enabled_externally: times === 3 ? 1 : 0, failed: 0 });
      const alarm = { event: 'account.enabled_externally', severity: 'ERROR' };
      expect(swept.audit[0]).toMatchObject(
        times === 3 ? alarm : { event: 'account.found_enabled', severity: 'NOTICE' },
      );
      expect(await keydesk.gate(accessToken)).toBe(401);
    }
  });

  it('with one old response of IAM is disabled once more, without an alert', async () => {
    const job = await newJob();
    const { account } = await newHolder(await job.requestToken());
    await job.finish();
    const { getAccountState } = keydesk.sweepDeps;
    let reads = 0;
    keydesk.sweepDeps.getAccountState = async (email) => {
      reads += 1;
      return reads === 1 && email === account ? 'enabled' : getAccountState(email);
    };
    for (let minutes = 0; minutes < 5; minutes += 1) {
      later(MINUTE);
      const swept = await keydesk.sweep();
      expect(swept.json).toMatchObject({ accounts_enabled_externally: 0, failed: 0 });
      const alarms = swept.audit.filter(({ severity }) => ['WARNING', 'ERROR', 'CRITICAL'].includes(severity));
      expect(alarms).toEqual([]);
    }
    expect(reads).toBeGreaterThan(3);
  });

  it.each([
    ['goes on saying so', 3, 1],
    ['then says the contrary', 1, 0],
  ])('that IAM reports as enabled and does not disable is an alarm if IAM %s', async (_, times, alarms) => {
    const job = await newJob();
    const { account } = await newHolder(await job.requestToken());
    await job.finish();
    const { getAccountState, disableAccount } = keydesk.sweepDeps;
    let reads = 0;
    keydesk.sweepDeps.getAccountState = async (email) => {
      reads += 1;
      return reads <= times ? 'enabled' : getAccountState(email);
    };
    keydesk.sweepDeps.disableAccount = () =>
      Promise.reject(new DependencyError('iam serviceAccounts.disable', 'refused', 'returned 403'));
    later(MINUTE);
    const swept = await keydesk.sweep();
    keydesk.sweepDeps.disableAccount = disableAccount;
    const reported = swept.audit.filter(({ event }) => event === 'account.disable_failed');
    expect(reported.map(({ service_account }) => service_account)).toEqual(alarms ? [account] : []);
    expect(swept.json).toMatchObject({ failed: 1 });
  });

  it('whose disabling fails at the end of the job is disabled by the sweep', async () => {
    const job = await newJob();
    const { account, accessToken } = await newHolder(await job.requestToken());
    keydesk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 500 } : undefined);
    const ended = await job.finish();
    expect(ended.json).toMatchObject({ result: 'job_ended', revoked: 0, pending: 1 });
    expect(await accountRecord(account)).toMatchObject({ state: 'revoking' });
    expect(await keydesk.gate(accessToken)).toBe(200);
    keydesk.google.fault = undefined;
    later(MINUTE);
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ revoked: 1, failed: 0 });
    expect(await keydesk.gate(accessToken)).toBe(401);
  });
});
