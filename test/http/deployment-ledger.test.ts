// The ledger's records of what is deployed: what is written, what stays of earlier writes, and what is read when a record is old, new or
// broken. On the emulator too.

import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Instance, PolicyTeams, Swept } from '../../shared/core/deployment/deployment.ts';
import { MAX_PLAIN_TEXT_BYTES } from '../../shared/core/deployment/policy-record.ts';
import { SCHEMA_VERSION } from '../../shared/core/schema-version.ts';
import { POLICY_RETENTION_MS } from '../../shared/core/timing.ts';
import type { Database, Timestamp } from '../../shared/firestore/database.ts';
import { FirestoreError } from '../../shared/firestore/rest-api.ts';
import { createDeploymentLedger } from '../../shared/ledger/deployments.ts';
import type { DeploymentLedger } from '../../shared/operations/ports.ts';
import { databaseForJobs } from '../fixtures/in-process-keydesk.ts';
import { TestClock } from '../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 10, 24, 10);
const MINUTE = 60_000;
const DAY = 86_400_000;
const INSTANCE: Instance = { version: '0.1.0', revision: 'keydesk-00007-xyz', started_at: NOW };
const sha256Of = (text: string) => createHash('sha256').update(text).digest('hex');
const TEAMS: PolicyTeams = { organization_slug: 'acme-inc', max_age: 3600, teams: [] };
const policyOf = (text: string) => ({ text, sha256: sha256Of(text), teams: TEAMS });

let clock: TestClock;
let firestore: Database;
let ledger: DeploymentLedger;
beforeEach(() => {
  clock = new TestClock(NOW);
  firestore = databaseForJobs(`acme-${randomBytes(5).toString('hex')}`, 'ledger');
  ledger = createDeploymentLedger(firestore, clock);
});
const storedIn = async (collection: string, id: string) =>
  (await firestore.collection(collection).doc(id).get()).data() ?? {};
const deploymentOf = async (name: string) =>
  (await ledger.deployments()).deployments.find((deployment) => deployment.function === name);

describe('a policy', () => {
  const policy = policyOf('version: 1\n# ä\n');

  it('has its text, and when the first and the last instance started with it', async () => {
    await ledger.recordToken(INSTANCE, policy);
    await ledger.recordToken({ ...INSTANCE, started_at: NOW + DAY }, policy);
    expect(await ledger.policy(policy.sha256)).toEqual({
      text: policy.text,
      first_used_at: NOW,
      last_started_at: NOW + DAY,
    });
    const { delete_at, schema_version } = await storedIn('policies', policy.sha256);
    expect((delete_at as Timestamp).toMillis()).toBe(NOW + DAY + POLICY_RETENTION_MS);
    expect(schema_version).toBe(SCHEMA_VERSION);
  });

  it('is recorded once by instances that start together', async () => {
    await Promise.all([1, 2, 3].map(() => ledger.recordToken(INSTANCE, policy)));
    expect(await ledger.policy(policy.sha256)).toMatchObject({ text: policy.text, first_used_at: NOW });
  });

  it('is named by the record of token', async () => {
    await ledger.recordToken(INSTANCE, policy);
    expect(await deploymentOf('token')).toEqual({
      function: 'token',
      ...INSTANCE,
      written_at: NOW,
      policy_sha256: policy.sha256,
      ...{ organization_slug: 'acme-inc', teams_max_age: 3600, teams: [] },
    });
  });

  it.each([
    ['as text', MAX_PLAIN_TEXT_BYTES, false],
    ['compressed', MAX_PLAIN_TEXT_BYTES + 1, true],
  ])('is stored %s when its UTF-8 has %i bytes', async (_, bytes, isCompressed) => {
    // Two bytes of UTF-8 each, so that characters are not counted.
    const text = `${'ä'.repeat(Math.floor(bytes / 2))}${bytes % 2 === 1 ? 'a' : ''}`;
    expect(Buffer.byteLength(text)).toBe(bytes);
    await ledger.recordToken(INSTANCE, policyOf(text));
    const stored = await storedIn('policies', sha256Of(text));
    expect([stored.text === null, stored.text_gzip === null]).toEqual([isCompressed, !isCompressed]);
    expect((await ledger.policy(sha256Of(text)))?.text === text).toBe(true);
  });

  it('that no instance started with is not found', async () => {
    expect(await ledger.policy(policy.sha256)).toBeUndefined();
  });

  it.each([
    ['was replaced', { text: 'version: 1\n' }],
    ['was removed', { text: null }],
    ['is no gzip', { text: null, text_gzip: Buffer.from('version: 1\n') }],
    ['is the gzip of another', { text: null, text_gzip: gzipSync('version: 1\n') }],
    ['has another type', { text: 1 }],
  ])('whose text %s is never returned', async (_, change) => {
    await ledger.recordToken(INSTANCE, policy);
    await firestore.collection('policies').doc(policy.sha256).update(change);
    await expect(ledger.policy(policy.sha256)).rejects.toMatchObject({ code: 'unreadable_record' });
  });

  it('whose SHA-256 is wrong is not recorded, and the function is', async () => {
    await expect(ledger.recordToken(INSTANCE, { ...policy, text: 'version: 2\n' })).rejects.toThrow(policy.sha256);
    expect(await ledger.policy(policy.sha256)).toBeUndefined();
    expect(await deploymentOf('token')).toMatchObject({ policy_sha256: policy.sha256 });
  });
});

describe('the teams of the policy', () => {
  const named = (...names: string[]) => ({
    ...policyOf('version: 1\n'),
    teams: { ...TEAMS, teams: names.map((name) => ({ id: `id-of-${name}`, name })) },
  });
  const teamsOf = async () =>
    (await ledger.namedTeams()).teams.map(({ name, first_named_at, last_named_at }) => [
      name,
      first_named_at - NOW,
      last_named_at - NOW,
    ]);

  it('are none before the first start', async () => {
    expect(await ledger.namedTeams()).toEqual({ organization_slug: null, teams_max_age: null, teams: [] });
  });

  it('are those of all instances that started within a day: two policies are in force while one is being deployed', async () => {
    await ledger.recordToken(INSTANCE, named('old', 'both'));
    clock.advance(MINUTE);
    await ledger.recordToken(INSTANCE, named('both', 'new'));
    expect(await ledger.namedTeams()).toMatchObject({ organization_slug: 'acme-inc', teams_max_age: 3600 });
    expect(await teamsOf()).toEqual([
      ['both', 0, MINUTE],
      ['new', MINUTE, MINUTE],
      ['old', 0, 0],
    ]);
    clock.set(NOW + DAY - 1);
    await ledger.recordToken(INSTANCE, named('new'));
    expect((await teamsOf()).map(([name]) => name)).toEqual(['new', 'both', 'old']);
    clock.set(NOW + DAY);
    await ledger.recordToken(INSTANCE, named('new'));
    expect((await teamsOf()).map(([name]) => name)).toEqual(['new', 'both']);
  });

  it('are an error where the record cannot be read: nobody knows which teams to read', async () => {
    await ledger.recordToken(INSTANCE, named('one'));
    await firestore.collection('deployments').doc('token').update({ teams: 1 });
    await expect(ledger.namedTeams()).rejects.toMatchObject({ code: 'unreadable_record' });
  });
});

describe('the keys of webhook', () => {
  const key = (fingerprint: string, last_accepted_at: number | null = null) => ({ fingerprint, last_accepted_at });

  it('are those of the instance that wrote last, with what others accepted by them', async () => {
    await ledger.recordWebhook(INSTANCE, [key('old', NOW)]);
    clock.advance(MINUTE);
    await ledger.recordWebhook({ ...INSTANCE, revision: null }, [key('new'), key('old')]);
    expect(await deploymentOf('webhook')).toEqual({
      function: 'webhook',
      ...INSTANCE,
      revision: null,
      written_at: NOW + MINUTE,
      keys: [key('new'), key('old', NOW)],
      last_accepted_at: NOW,
    });
    await ledger.recordWebhook(INSTANCE, [key('new', NOW + MINUTE), key('old')]);
    await ledger.recordWebhook(INSTANCE, [key('new'), key('old', NOW - MINUTE)]);
    expect(await deploymentOf('webhook')).toMatchObject({
      keys: [key('new', NOW + MINUTE), key('old', NOW)],
      last_accepted_at: NOW + MINUTE,
    });
    await ledger.recordWebhook(INSTANCE, [key('new')]);
    expect(await deploymentOf('webhook')).toMatchObject({
      keys: [key('new', NOW + MINUTE)],
      last_accepted_at: NOW + MINUTE,
    });
  });

  it('of instances that write together are all kept', async () => {
    const writes = [key('a', NOW), key('b', NOW + 1)].map((used) =>
      ledger.recordWebhook(
        INSTANCE,
        [key('a'), key('b')].map((one) => (one.fingerprint === used.fingerprint ? used : one)),
      ),
    );
    await Promise.all(writes);
    expect(await deploymentOf('webhook')).toMatchObject({ keys: [key('a', NOW), key('b', NOW + 1)] });
  });
});

describe('the record of sweep', () => {
  const swept: Swept = {
    ...{ last_sweep_at: NOW, last_sweep_ok: true, oldest_pending_at: NOW - MINUTE, jobs_reconciled: 0 },
    left: {
      ...{ pending_ends: 1, pending_revocations: 2, overdue: 3, jobs_unchecked: null, failed: 4, has_backlog: true },
      pools: [{ pool: 'admin', size: 3, free: 1, leased: 1, revoking: 0, cooling_down: 1, exhausted_in_s: null }],
    },
  };

  it('has nothing at the start, and keeps what the last sweep came to', async () => {
    await ledger.recordSweep(INSTANCE, {});
    const atStart = { last_sweep_at: null, last_sweep_ok: null, oldest_pending_at: null, left: null };
    const { jobs_reconciled: _, ...recorded } = swept;
    const common = {
      function: 'sweep',
      ...INSTANCE,
      written_at: NOW,
      buildkite_api_token: null,
      buildkite_teams_api_token: null,
      lost_webhooks: [],
    };
    expect(await deploymentOf('sweep')).toEqual({ ...common, ...atStart });
    await ledger.recordSweep(INSTANCE, { swept });
    await ledger.recordSweep({ ...INSTANCE, started_at: NOW + 1 }, {});
    expect(await deploymentOf('sweep')).toEqual({ ...common, ...recorded, started_at: NOW + 1 });
  });

  it('keeps for an hour which sweeps found jobs whose webhook was lost', async () => {
    const found = (found_at: number, jobs: number) => ({ found_at, jobs });
    const sweepAt = (last_sweep_at: number, jobs_reconciled: number) => {
      clock.set(last_sweep_at);
      return ledger.recordSweep(INSTANCE, { swept: { ...swept, last_sweep_at, jobs_reconciled } });
    };
    for (const [minute, jobs] of [
      [1, 2],
      [2, 0],
      [3, 1],
    ] as const)
      await sweepAt(NOW + minute * MINUTE, jobs);
    expect(await deploymentOf('sweep')).toMatchObject({
      lost_webhooks: [found(NOW + MINUTE, 2), found(NOW + 3 * MINUTE, 1)],
    });
    await sweepAt(NOW + 62 * MINUTE, 0);
    expect(await deploymentOf('sweep')).toMatchObject({ lost_webhooks: [found(NOW + 3 * MINUTE, 1)] });
  });

  it('keeps the same of the API token for teams', async () => {
    const described = { checked_at: NOW, scopes: ['read_teams'], expires_at: null };
    await ledger.recordSweep(INSTANCE, { teamsApiToken: described });
    await ledger.recordSweep(INSTANCE, { apiToken: null });
    const known = { buildkite_api_token: null, buildkite_teams_api_token: { ...described, failure: null } };
    expect(await deploymentOf('sweep')).toMatchObject(known);
    expect(await ledger.apiTokenCheckedAt('buildkite_teams_api_token')).toBe(NOW);
    expect(await ledger.apiTokenCheckedAt('buildkite_api_token')).toBeNull();
  });

  it('keeps what Buildkite last said of the API token, and says that it does not say so any more', async () => {
    expect(await ledger.apiTokenCheckedAt('buildkite_api_token')).toBeNull();
    const described = { checked_at: NOW, scopes: ['read_builds'], expires_at: NOW + DAY };
    await ledger.recordSweep(INSTANCE, { apiToken: described });
    await ledger.recordSweep(INSTANCE, { swept });
    expect(await deploymentOf('sweep')).toMatchObject({ buildkite_api_token: { ...described, failure: null } });
    await ledger.recordSweep(INSTANCE, { apiToken: { checked_at: NOW + 1, failure: 'refused' } });
    const failed = { ...described, checked_at: NOW + 1, failure: 'refused' };
    expect(await deploymentOf('sweep')).toMatchObject({ buildkite_api_token: failed });
    expect(await ledger.apiTokenCheckedAt('buildkite_api_token')).toBe(NOW + 1);
    await ledger.recordSweep(INSTANCE, { apiToken: null });
    expect(await deploymentOf('sweep')).toMatchObject({ buildkite_api_token: null });
  });
});

describe('a record', () => {
  const change = (name: string, data: object) =>
    firestore
      .collection('deployments')
      .doc(name)
      .update({ ...data });
  beforeEach(async () => {
    await ledger.recordWebhook(INSTANCE, []);
    await ledger.recordToken(INSTANCE, policyOf('version: 1\n'));
  });

  it('of the release before, or of the next one, is read', async () => {
    await change('webhook', { schema_version: SCHEMA_VERSION - 1 });
    await change('token', { schema_version: SCHEMA_VERSION + 1, canary: 'a field that this release does not know' });
    const { deployments, unreadable } = await ledger.deployments();
    expect(deployments.map((deployment) => deployment.function).sort()).toEqual(['token', 'webhook']);
    expect(unreadable).toEqual([]);
    // A write leaves what it does not know.
    await ledger.recordToken(INSTANCE, policyOf('version: 1\n'));
    expect(await storedIn('deployments', 'token')).toMatchObject({ canary: 'a field that this release does not know' });
  });

  it.each([
    ['was changed', { keys: 'none', schema_version: SCHEMA_VERSION }, /\(keys\): it was changed by hand/],
    ['is of a newer release', { keys: null, schema_version: SCHEMA_VERSION + 1 }, /a newer release wrote it/],
    ['is of another function', { function: 'reader' }, /deployments\/webhook is the record of another function/],
  ])('that %s does not keep the others from being read, and is written again', async (_, data, error) => {
    await change('webhook', data);
    const { deployments, unreadable } = await ledger.deployments();
    expect(deployments.map((deployment) => deployment.function)).toEqual(['token']);
    expect(unreadable).toEqual([{ id: 'webhook', error: expect.stringMatching(error) }]);
    await ledger.recordWebhook(INSTANCE, []);
    expect((await ledger.deployments()).unreadable).toEqual([]);
  });
});

describe('a write that Firestore does not do', () => {
  const refusing = (error: Error): DeploymentLedger => {
    const fails = () => Promise.reject(error);
    const document = { get: fails, update: fails, create: fails };
    return createDeploymentLedger({ collection: () => ({ doc: () => document }) } as unknown as Database, clock);
  };
  const WRITES: readonly (readonly [string, (of: DeploymentLedger) => Promise<unknown>])[] = [
    ['recordToken', (of) => of.recordToken(INSTANCE, policyOf('version: 1\n'))],
    ['recordWebhook', (of) => of.recordWebhook(INSTANCE, [])],
    ['recordSweep', (of) => of.recordSweep(INSTANCE, {})],
    ['recordAdmin', (of) => of.recordAdmin(INSTANCE)],
  ];

  it.each(WRITES)('%s fails with the ledger and the kind of failure', async (_, write) => {
    await expect(write(refusing(new FirestoreError(4, 'no response')))).rejects.toMatchObject({
      dependency: 'ledger',
      code: 'timed_out',
    });
  });

  it.each(WRITES)('%s passes on a fault of its own', async (_, write) => {
    const fault = new TypeError('a fault');
    await expect(write(refusing(fault))).rejects.toBe(fault);
  });
});
