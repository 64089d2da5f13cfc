// Sweeps that run at the same moment, are cut off, or meet an IAM that fails: each account is enabled once after its cooldown, never
// early, and whatever is in the way of one is in the way of no other.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../sandbox/fakes/google/fault.ts';
import { SHORTEST_COOLDOWN_MS } from '../../shared/core/timing.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { account, DATASTORE, policyData, policyText } from '../fixtures/policies.ts';

const MINUTE = 60_000;
/** For how long a sweep that began to enable an account is left to it. */
const CLAIMED = 5 * MINUTE;
/** From the last issued token until an account of 15 minutes may serve again, rounded up. */
const COOLDOWN = 17 * MINUTE;

const policy = (project: string) => {
  const pool = [1, 2, 3, 4, 5, 6].map((index) => account(`deploy-${index}`, project));
  const admin = { environment: 'staging', ttl: '15m', serviceAccount: { pool, scopes: [DATASTORE] } };
  return policyText(policyData(project, { 'staging-admin': admin }));
};

describe('sweeps', () => {
  let keydesk: InProcessKeydesk;
  beforeEach(async () => {
    keydesk = await openInProcessKeydesk({ policy });
  });
  afterEach(async () => {
    expect(keydesk.google.unexpected).toEqual([]);
    await keydesk.close();
  });

  const later = (milliseconds: number) => {
    keydesk.clock.advance(milliseconds);
  };
  const ledger = () => databaseOf(keydesk.project, 'ledger');
  const accountRecord = async (email: string) =>
    (await ledger().collection('service_accounts').doc(email).get()).data();
  async function newHolder() {
    const job = keydesk.buildkite.startJob();
    const requestToken = async () => {
      const issuedAt = Math.floor(keydesk.clock.now() / 1000);
      const { status, json, audit } = await keydesk.requestByPath(
        await keydesk.buildkite.jobToken(job, { issuedAt }),
        'staging-admin',
      );
      expect(status).toBe(200);
      const { access_token, grant_id } = json as Record<string, string>;
      return { accessToken: access_token ?? '', grant_id: grant_id ?? '', account: audit[0].service_account as string };
    };
    return { ...(await requestToken()), requestToken, finish: () => keydesk.notify(keydesk.buildkite.event(job)) };
  }
  const holders = (count: number) => Promise.all(Array.from({ length: count }, newHolder));
  /** One whose job has ended, and whose rest is over. */
  async function newCooledDown() {
    const holder = await newHolder();
    await holder.finish();
    later(COOLDOWN);
    return holder;
  }
  const sweep = async () => (await keydesk.sweep()).json;
  const calls = (method: string, email?: string) =>
    keydesk.google.calls.filter((call) => call.method === method && (email === undefined || call.account === email));
  const enabled = () => keydesk.google.changes.filter(({ disabled }) => !disabled).map(({ account }) => account);
  const failing = (method: string, fault: Fault) => {
    keydesk.google.fault = (call) => (call.method === method ? fault : undefined);
  };

  it('at once enable each account once after its cooldown and finish every revocation', async () => {
    const cooledDown = await holders(3);
    await Promise.all(cooledDown.map(({ finish }) => finish()));
    later(COOLDOWN - MINUTE);
    const revoking = await holders(3);
    failing('disable', { kind: 'status', status: 503 });
    for (const { json } of await Promise.all(revoking.map(({ finish }) => finish()))) expect(json.pending).toBe(1);
    keydesk.google.fault = undefined;
    later(MINUTE);

    const sweeps = await Promise.all([keydesk.sweep(), keydesk.sweep(), keydesk.sweep(), keydesk.sweep()]);
    const reported = (event: string) =>
      sweeps.flatMap(({ audit }) => audit.filter((line) => line.event === event).map((line) => line.service_account));
    const accountsOf = (held: typeof cooledDown) => held.map(({ account }) => account).sort();
    expect(reported('account.enabled').sort()).toEqual(accountsOf(cooledDown));
    // Two that end the same at the same moment may both say so: rather twice than never.
    expect([...new Set(reported('grant.revoked'))].sort()).toEqual(accountsOf(revoking));
    for (const { status, json } of sweeps) expect([status, json.failed, json.has_backlog]).toEqual([200, 0, false]);
    expect(enabled().sort()).toEqual(accountsOf(cooledDown));
    for (const { account, accessToken } of cooledDown) {
      expect(calls('enable', account)).toHaveLength(1);
      expect(await accountRecord(account)).toMatchObject({ state: 'free', grant_id: null, enabling_since: null });
      expect(await keydesk.gate(accessToken)).toBe(401);
    }
    for (const { account, accessToken } of revoking) {
      expect(calls('enable', account)).toEqual([]);
      expect(await accountRecord(account)).toMatchObject({ state: 'cooling_down' });
      expect(await keydesk.gate(accessToken)).toBe(401);
    }
    const pool = { size: 6, free: 3, leased: 0, revoking: 0, cooling_down: 3 };
    expect((await sweep()).pools).toMatchObject({ 'staging-admin': pool });
  });

  it('at once, to the millisecond, claim an account for one of them alone', async () => {
    const { account } = await newCooledDown();
    const { claimForEnable } = keydesk.sweepDeps.sweepLedger;
    // One after the other: one that lost a race would pause, and so move the clock.
    const claims = [await claimForEnable(account), await claimForEnable(account)];
    expect(claims.filter((claimed) => claimed !== undefined)).toHaveLength(1);
  });

  it('at once free an account whose grant has expired, and touch it no more', async () => {
    const held = await holders(4);
    later(COOLDOWN);
    const sweeps = await Promise.all([sweep(), sweep(), sweep()]);
    expect(sweeps.reduce((sum, { expired }) => sum + expired, 0)).toBeGreaterThanOrEqual(4);
    expect(sweeps.map(({ failed }) => failed)).toEqual([0, 0, 0]);
    for (const { account } of held) expect(await accountRecord(account)).toMatchObject({ state: 'free' });
    expect(keydesk.google.changes).toEqual([]);
  });

  it('enable nothing a millisecond early, and nothing while a token of it lives', async () => {
    const { account, requestToken, finish } = await newHolder();
    later(10 * MINUTE);
    const { accessToken } = await requestToken();
    await finish();
    const reusable_at = (await accountRecord(account))?.reusable_at.toMillis();
    const lastExpiry = Math.max(...keydesk.google.minted.map(({ expiresAt }) => expiresAt));
    expect(reusable_at).toBeGreaterThanOrEqual(lastExpiry + MINUTE);
    for (const now of [keydesk.clock.now() + 7 * MINUTE, lastExpiry, reusable_at - 1]) {
      keydesk.clock.set(now);
      for (const { accounts_enabled } of await Promise.all([sweep(), sweep()])) expect(accounts_enabled).toBe(0);
    }
    expect(calls('enable')).toEqual([]);
    later(1);
    const both = await Promise.all([sweep(), sweep()]);
    expect(both.map(({ accounts_enabled }) => accounts_enabled).sort()).toEqual([0, 1]);
    expect(await keydesk.gate(accessToken)).toBe(401);
  });

  it.each<[string, Fault, number]>([
    ['returns 500', { kind: 'status', status: 500 }, 2],
    ['returns 429', { kind: 'status', status: 429 }, 2],
    ['returns 403', { kind: 'status', status: 403 }, 2],
    ['does it and is not heard', { kind: 'cut' }, 1],
    ['does it and returns garbage', { kind: 'garbage' }, 1],
  ])('leave an account in its cooldown when IAM %s, and enable it later', async (_, fault, requests) => {
    const { account } = await newCooledDown();
    failing('enable', fault);
    const failed = await keydesk.sweep();
    expect(failed.json).toMatchObject({ accounts_enabled: 0, failed: 1 });
    expect(failed.audit.filter(({ event }) => event !== 'pool.reported')).toMatchObject([
      { severity: 'WARNING', failures: [{ service_account: account, error: expect.stringContaining('enable') }] },
      { event: 'task.failed', dependency: 'iam serviceAccounts.enable', service_account: account },
    ]);
    const cooling = { state: 'cooling_down', enabling_since: expect.anything() };
    expect(await accountRecord(account)).toMatchObject(cooling);
    keydesk.google.fault = undefined;
    later(CLAIMED - 1);
    for (const swept of await Promise.all([sweep(), sweep()]))
      expect(swept).toMatchObject({ accounts_enabled: 0, accounts_enabled_externally: 0, failed: 0 });
    expect(await accountRecord(account)).toMatchObject(cooling);
    later(1);
    expect(await sweep()).toMatchObject({ accounts_enabled: 1, failed: 0 });
    expect(await accountRecord(account)).toMatchObject({ state: 'free' });
    expect([enabled(), calls('enable').length]).toEqual([[account], requests]);
  });

  it('keep an account in its cooldown while IAM has not enabled it yet, and request that once in a claim', async () => {
    const { account } = await newCooledDown();
    const carriedOut = Promise.withResolvers<void>();
    failing('enable', { kind: 'late', changes: carriedOut.promise });
    const claimedAt = keydesk.clock.now();
    expect(await sweep()).toMatchObject({ accounts_enabled: 0, failed: 1 });
    keydesk.clock.set(claimedAt + CLAIMED - 1);
    expect(await sweep()).toMatchObject({ accounts_enabled: 0, failed: 0 });
    expect(calls('enable')).toHaveLength(1);
    carriedOut.resolve();
    later(1);
    expect(await sweep()).toMatchObject({ accounts_enabled: 1 });
    expect([enabled(), calls('enable').length]).toEqual([[account], 1]);
  });

  it('undo and log a request that IAM performs only after the account has served another job', async () => {
    const { account } = await newCooledDown();
    const others = await holders(5);
    const carriedOut = Promise.withResolvers<void>();
    failing('enable', { kind: 'late', changes: carriedOut.promise });
    await sweep();
    keydesk.google.fault = undefined;
    later(CLAIMED);
    expect(await sweep()).toMatchObject({ accounts_enabled: 1 });
    const next = await newHolder();
    expect([next.account, others.some((other) => other.account === account)]).toEqual([account, false]);
    await next.finish();
    carriedOut.resolve();
    await carriedOut.promise;
    expect(await keydesk.gate(next.accessToken)).toBe(200);
    later(MINUTE);
    const swept = await keydesk.sweep();
    expect(swept.audit).toContainEqual(
      expect.objectContaining({ event: 'account.found_enabled', severity: 'NOTICE', service_account: account }),
    );
    expect(await keydesk.gate(next.accessToken)).toBe(401);
  });

  it('leave alone what another one has begun, and may be cut off there', async () => {
    const { account } = await newCooledDown();
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    keydesk.google.before = async ({ method }) => {
      if (method !== 'enable') return undefined;
      reached.resolve();
      await released.promise;
      return { status: 503 };
    };
    const first = sweep();
    await reached.promise;
    expect(await sweep()).toMatchObject({ accounts_enabled: 0, failed: 0 });
    released.resolve();
    expect(await first).toMatchObject({ accounts_enabled: 0, failed: 1 });
    keydesk.google.before = undefined;
    expect([calls('enable').length, keydesk.google.accounts.get(account)]).toEqual([1, { disabled: true }]);
    later(CLAIMED);
    expect(await sweep()).toMatchObject({ accounts_enabled: 1 });
  });

  it.each(['leased', 'revoking'])(
    'bring back an account whose grant was deleted by hand while it was %s',
    async (state) => {
      const { account, grant_id, finish } = await newHolder();
      if (state === 'revoking') {
        failing('disable', { kind: 'status', status: 403 });
        await finish();
        keydesk.google.fault = undefined;
      }
      expect(await accountRecord(account)).toMatchObject({ state });
      await ledger().collection('grants').doc(grant_id).delete();
      later(COOLDOWN);
      expect(await sweep()).toMatchObject({ accounts_enabled: 0, failed: 0 });
      expect(await accountRecord(account)).toMatchObject({ state });
      later(2 * MINUTE);
      const found = await keydesk.sweep();
      expect(found.audit).toMatchObject([
        { failures: [{ service_account: account }] },
        { event: 'pool.reported' },
        { event: 'task.failed', dependency: 'keydesk', service_account: account },
      ]);
      expect(await accountRecord(account)).toMatchObject({ state: 'cooling_down' });
      later(SHORTEST_COOLDOWN_MS);
      expect(await sweep()).toMatchObject({ accounts_enabled: 1, failed: 0 });
      expect(await accountRecord(account)).toMatchObject({ state: 'free' });
    },
  );

  it.each(['pendingRevocations', 'overdue', 'accounts'] as const)(
    'say that they are not complete when they cannot read %s, and do the rest',
    async (part) => {
      const { finish, accessToken } = await newHolder();
      failing('disable', { kind: 'status', status: 403 });
      await finish();
      keydesk.google.fault = undefined;
      later(MINUTE);
      const { sweepLedger } = keydesk.sweepDeps;
      keydesk.sweepDeps.sweepLedger = {
        ...sweepLedger,
        [part]: () => Promise.reject(new DependencyError('ledger', 'call_failed', 'the test broke it')),
      };
      const swept = await keydesk.sweep();
      keydesk.sweepDeps.sweepLedger = sweepLedger;
      expect(swept.status).toBe(503);
      const reported = swept.audit.find(({ event }) => event === 'sweep.completed');
      expect(reported).toMatchObject({ completed: false, severity: 'ERROR', oldest_pending_s: null });
      expect(reported.revoked).toBe(part === 'pendingRevocations' ? 0 : 1);
      expect(await sweep()).toMatchObject({ revoked: 1 - reported.revoked, oldest_pending_s: 0 });
      expect(await keydesk.gate(accessToken)).toBe(401);
    },
  );

  it('log the records that they cannot read, and continue with the others', async () => {
    const [badGrant, overdue, revoking] = await Promise.all([newHolder(), newHolder(), newHolder()]);
    const [badAccount, cooledDown] = [await newHolder(), await newHolder()];
    for (const { finish } of [badAccount, cooledDown]) await finish();
    const grant = ledger().collection('grants').doc(badGrant.grant_id);
    const account = ledger().collection('service_accounts').doc(badAccount.account);
    const { tokens } = (await grant.get()).data() ?? {};
    await grant.update({ tokens: 'none' });
    await account.update({ state: 'asleep' });
    failing('disable', { kind: 'status', status: 403 });
    await revoking.finish();
    keydesk.google.fault = undefined;
    later(MINUTE);
    expect(await sweep()).toMatchObject({ revoked: 1, failed: 1 });
    expect(await keydesk.gate(revoking.accessToken)).toBe(401);

    later(COOLDOWN);
    const swept = await keydesk.sweep();
    expect([swept.status, swept.json]).toMatchObject([200, { expired: 1, accounts_enabled: 2 }]);
    const reported = swept.audit.find(({ event }) => event === 'sweep.completed').failures;
    expect(reported).toContainEqual({
      grant_id: badGrant.grant_id,
      code: 'unreadable_record',
      dependency: 'ledger',
      error: expect.stringContaining('cannot be read'),
    });
    expect(reported).toContainEqual({
      service_account: badAccount.account,
      code: 'unreadable_record',
      dependency: 'ledger',
      error: expect.stringContaining('cannot be read'),
    });
    expect(await accountRecord(overdue.account)).toMatchObject({ state: 'free' });
    expect(await accountRecord(badGrant.account)).toMatchObject({ state: 'leased' });

    await grant.update({ tokens });
    await account.update({ state: 'cooling_down' });
    expect(await sweep()).toMatchObject({ expired: 1, accounts_enabled: 1, failed: 0 });
    expect((await sweep()).pools).toMatchObject({ 'staging-admin': { size: 6, free: 6 } });
  });
});
