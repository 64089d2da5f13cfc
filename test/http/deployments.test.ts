// When the functions record what is deployed, and that a request never notices: neither in its status nor in its time.

import { createHmac } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Deployment } from '../../shared/core/deployment/deployment.ts';
import { parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import { keyFingerprint } from '../../shared/core/webhook/key-fingerprint.ts';
import type { DeploymentLedger } from '../../shared/operations/ports.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import {
  type Called,
  type InProcessKeydesk,
  openInProcessKeydesk,
  WEBHOOK_TOKENS,
} from '../fixtures/in-process-keydesk.ts';
import { newJobToken } from './token-request.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const [FIRST = '', SECOND_KEY = ''] = WEBHOOK_TOKENS;

let keydesk: InProcessKeydesk;
afterEach(() => keydesk.close());
async function open(settings: Record<string, string> = {}) {
  keydesk = await openInProcessKeydesk({ records: true, settings });
}
const read = () => keydesk.sweepDeps.deploymentLedger.deployments();
async function recordOf<Name extends Deployment['function']>(name: Name) {
  const { deployments } = await read();
  return deployments.find((one): one is Extract<Deployment, { function: Name }> => one.function === name);
}
/** Waits for what no request waits for. */
const until = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, { timeout: 120_000 });
const recorded = <Name extends Deployment['function']>(
  name: Name,
  members: Partial<Extract<Deployment, { function: Name }>>,
) => until(async () => expect(await recordOf(name)).toMatchObject(members));
const events = ({ audit }: Called) => audit.map(({ event }) => event);
/** Replaces writes of the ledger. */
function breakLedger(broken: Partial<DeploymentLedger>) {
  keydesk.sweepDeps.deploymentLedger = { ...keydesk.sweepDeps.deploymentLedger, ...broken };
}
const fails = () => Promise.reject(new DependencyError('ledger', 'unreachable', 'the test broke it'));
const hangs = () => new Promise<never>(() => {});

describe('token', () => {
  it('records its policy after the first response, once', async () => {
    await open();
    const writes = vi.spyOn(keydesk.sweepDeps.deploymentLedger, 'recordToken');
    const health = await keydesk.call(`${keydesk.tokenUrl}/health`);
    const { policy_sha256 } = health.json;
    await recorded('token', { policy_sha256, version: health.json.version, revision: 'keydesk-00001-abc' });
    const policy = await keydesk.sweepDeps.deploymentLedger.policy(policy_sha256);
    expect(parsePolicy(policy?.text ?? '', 'policy.yaml')).toMatchObject({ sha256: policy_sha256 });
    expect((await keydesk.requestByPath(await newJobToken(keydesk))).status).toBe(200);
    expect(writes).toHaveBeenCalledTimes(1);
  });

  it('begins nothing before the response of the first issuance', async () => {
    await open();
    const writes = vi.spyOn(keydesk.sweepDeps.deploymentLedger, 'recordToken');
    const { mint } = keydesk.tokenDeps;
    let begunBefore = -1;
    keydesk.tokenDeps.mint = async (request) => {
      const minted = await mint(request);
      begunBefore = writes.mock.calls.length;
      return minted;
    };
    expect((await keydesk.requestByPath(await newJobToken(keydesk))).status).toBe(200);
    expect(begunBefore).toBe(0);
    await until(() => expect(writes).toHaveBeenCalledTimes(1));
  });

  it.each([
    ['fails', fails],
    ['hangs', hangs],
  ])('issues as before, in the same time, when the record %s', async (_, recordToken) => {
    await open();
    breakLedger({ recordToken });
    const start = keydesk.clock.now();
    for (const _ of [1, 2, 3]) {
      const issued = await keydesk.requestByPath(await newJobToken(keydesk));
      expect([issued.status, ...events(issued)]).toEqual([200, 'grant.issued']);
    }
    expect(keydesk.clock.now()).toBe(start);
  });

  it('is tried once more with a later request', async () => {
    await open();
    const { recordToken } = keydesk.sweepDeps.deploymentLedger;
    const tries = vi.fn(recordToken).mockImplementationOnce(fails);
    breakLedger({ recordToken: tries });
    const health = await keydesk.call(`${keydesk.tokenUrl}/health`);
    await until(() => expect(tries).toHaveBeenCalledTimes(1));
    expect(await recordOf('token')).toBeUndefined();
    await keydesk.call(`${keydesk.tokenUrl}/health`);
    await recorded('token', { policy_sha256: health.json.policy_sha256 });
    expect(keydesk.audit.map(({ event }) => event)).not.toContain('deployment.unrecorded');
  });
});

describe('webhook', () => {
  const ping = JSON.stringify({ event: 'ping' });
  const NEVER = WEBHOOK_TOKENS.map((key) => ({ fingerprint: keyFingerprint(key), last_accepted_at: null }));
  const signed = (webhookToken: string, body = ping) => {
    const timestamp = Math.floor(keydesk.clock.now() / SECOND);
    const hex = createHmac('sha256', webhookToken).update(`${timestamp}.${body}`).digest('hex');
    return keydesk.notify(body, { signature: `timestamp=${timestamp},signature=${hex}` });
  };
  const keys = (first: number | null, second: number | null) => [
    { fingerprint: keyFingerprint(FIRST), last_accepted_at: first },
    { fingerprint: keyFingerprint(SECOND_KEY), last_accepted_at: second },
  ];

  it('records its keys, and that none signed what was refused', async () => {
    await open();
    expect((await signed('another-webhook-token')).status).toBe(401);
    await recorded('webhook', { keys: NEVER, last_accepted_at: null });
  });

  it('does not take a probe of the command for a webhook of Buildkite', async () => {
    await open();
    await keydesk.notify('{"event":"keydesk.probe"}');
    await recorded('webhook', { keys: NEVER, last_accepted_at: null });
  });

  it('records which of two keys signs, each at most once a minute', async () => {
    await open();
    const start = keydesk.clock.now();
    const writes = vi.spyOn(keydesk.sweepDeps.deploymentLedger, 'recordWebhook');
    expect((await signed(FIRST)).json).toEqual({ result: 'pong' });
    await recorded('webhook', { keys: keys(start, null), last_accepted_at: start });
    keydesk.clock.advance(SECOND);
    await signed(FIRST);
    await signed(SECOND_KEY, JSON.stringify({ event: 'build.running' }));
    await recorded('webhook', { keys: keys(start + SECOND, start + SECOND), last_accepted_at: start + SECOND });
    expect(writes).toHaveBeenCalledTimes(2);
    keydesk.clock.advance(MINUTE - 2 * SECOND);
    await signed(FIRST);
    await setImmediate();
    expect(writes).toHaveBeenCalledTimes(2);
    keydesk.clock.advance(2 * SECOND);
    const now = keydesk.clock.now();
    await keydesk.notify(keydesk.buildkite.event(keydesk.buildkite.startJob()));
    await recorded('webhook', { keys: keys(now, start + SECOND), last_accepted_at: now });
    const stored = JSON.stringify((await read()).deployments);
    for (const key of WEBHOOK_TOKENS) expect(stored).not.toContain(key);
  });

  it('does not count a webhook whose end could not be recorded', async () => {
    await open();
    const { ledger } = keydesk.sweepDeps;
    keydesk.sweepDeps.ledger = { ...ledger, endJob: fails };
    expect((await keydesk.notify(keydesk.buildkite.event(keydesk.buildkite.startJob()))).status).toBe(503);
    await recorded('webhook', { keys: NEVER });
  });

  it.each([
    ['fails', fails],
    ['hangs', hangs],
  ])('ends jobs as before, in the same time, when the record %s', async (_, recordWebhook) => {
    await open();
    breakLedger({ recordWebhook });
    for (const _ of [1, 2, 3]) {
      const job = keydesk.buildkite.startJob();
      await keydesk.requestByPath(await keydesk.buildkite.jobToken(job));
      const start = keydesk.clock.now();
      const ended = await keydesk.notify(keydesk.buildkite.event(job));
      expect([ended.status, ended.json.revoked, keydesk.clock.now() - start]).toEqual([200, 1, 0]);
      keydesk.clock.advance(MINUTE);
    }
  });
});

describe('sweep', () => {
  it('records what it came to and what it left', async () => {
    await open();
    const job = keydesk.buildkite.startJob();
    await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'staging-admin');
    const closing = keydesk.sweepDeps.disableAccount;
    keydesk.sweepDeps.disableAccount = fails;
    const ended_at = keydesk.clock.now();
    await keydesk.notify(keydesk.buildkite.event(job));
    keydesk.clock.advance(MINUTE);
    const swept = await keydesk.sweep();
    expect(await recordOf('sweep')).toMatchObject({
      ...{ version: '0.1.0', revision: 'keydesk-00001-abc', last_sweep_at: keydesk.clock.now(), last_sweep_ok: true },
      oldest_pending_at: ended_at,
      left: {
        ...{ pending_ends: 0, pending_revocations: 1, overdue: 0, jobs_unchecked: 0, has_backlog: false },
        failed: swept.json.failed,
        pools: [{ pool: 'staging-admin', ...swept.json.pools['staging-admin'] }],
      },
    });
    keydesk.sweepDeps.disableAccount = closing;
    await keydesk.sweep();
    expect(await recordOf('sweep')).toMatchObject({
      oldest_pending_at: null,
      left: { pending_revocations: 0, failed: 0, pools: [{ cooling_down: 1 }] },
    });
  });

  it('records that it could not read the ledger', async () => {
    await open();
    const { sweepLedger } = keydesk.sweepDeps;
    keydesk.sweepDeps.sweepLedger = { ...sweepLedger, overdue: fails };
    expect((await keydesk.sweep()).status).toBe(503);
    expect(await recordOf('sweep')).toMatchObject({ last_sweep_ok: false, left: { failed: 1 } });
  });

  it('responds as before when the record fails, and says so in the log', async () => {
    await open();
    breakLedger({ recordSweep: fails });
    const swept = await keydesk.sweep();
    expect([swept.status, swept.json.failed]).toEqual([200, 0]);
    expect(swept.audit.filter(({ event }) => event === 'task.failed')).toMatchObject([
      { dependency: 'ledger', code: 'unreachable' },
    ]);
  });

  it('waits half a minute at most for a record that hangs', async () => {
    await open();
    const recordSweep = vi.fn(hangs);
    breakLedger({ recordSweep });
    const sweeping = keydesk.sweep();
    // Earlier deadlines are those of the sweep itself.
    await until(() => expect(recordSweep).toHaveBeenCalled());
    keydesk.clock.advance(30 * SECOND);
    const swept = await sweeping;
    expect([swept.status, swept.json.duration_ms]).toEqual([200, 0]);
  });
});

describe('the API token', () => {
  const token = async () => (await recordOf('sweep'))?.buildkite_api_token;

  it('is described once an hour', async () => {
    await open();
    const start = keydesk.clock.now();
    keydesk.buildkite.apiTokenExpiresAt = start + 100 * HOUR;
    await keydesk.sweep();
    const described = { scopes: ['read_builds'], expires_at: start + 100 * HOUR, failure: null };
    expect(await token()).toEqual({ ...described, checked_at: start });
    keydesk.clock.advance(HOUR - SECOND);
    await keydesk.sweep();
    expect(keydesk.buildkite.tokenRequests).toEqual([start]);
    keydesk.clock.advance(SECOND);
    const again = await keydesk.sweep();
    expect(keydesk.buildkite.tokenRequests).toEqual([start, start + HOUR]);
    expect(await token()).toEqual({ ...described, checked_at: start + HOUR });
    expect(events(again)).not.toContain('api_token.expiring');
  });

  it('is described once an hour also when instances change, or the record fails', async () => {
    await open();
    const { deploymentLedger } = keydesk.sweepDeps;
    await deploymentLedger.recordSweep(
      { version: '0.1.0', revision: null, started_at: 0 },
      { apiToken: { checked_at: keydesk.clock.now(), failure: 'refused' } },
    );
    keydesk.clock.advance(HOUR - SECOND);
    await keydesk.sweep();
    expect(keydesk.buildkite.tokenRequests).toHaveLength(0);
    keydesk.clock.advance(SECOND);
    breakLedger({ recordSweep: fails });
    await keydesk.sweep();
    keydesk.clock.advance(MINUTE);
    await keydesk.sweep();
    expect(keydesk.buildkite.tokenRequests).toHaveLength(1);
  });

  it.each([
    [48 * HOUR, []],
    [48 * HOUR - 1, ['api_token.expiring']],
  ])('that expires in %i ms has the events %j', async (milliseconds, expected) => {
    await open();
    // Buildkite says whole seconds.
    keydesk.clock.set(Math.ceil(keydesk.clock.now() / SECOND) * SECOND + (48 * HOUR - milliseconds));
    const expires_at = keydesk.clock.now() + milliseconds;
    keydesk.buildkite.apiTokenExpiresAt = expires_at;
    const swept = await keydesk.sweep();
    const lines = swept.audit.filter(({ event }) => event === 'api_token.expiring');
    expect(lines.map(({ event }) => event)).toEqual(expected);
    for (const line of lines)
      expect(line).toMatchObject({ severity: 'WARNING', api_token_expires_at: new Date(expires_at).toISOString() });
    expect((await token())?.expires_at).toBe(expires_at);
  });

  it('whose description fails is recorded so, and the sweep goes on', async () => {
    await open();
    const start = keydesk.clock.now();
    await keydesk.sweep();
    keydesk.buildkite.beforeToken = () => ({ status: 500 });
    keydesk.clock.advance(HOUR);
    const swept = await keydesk.sweep();
    expect([swept.status, swept.json.failed]).toEqual([200, 0]);
    expect(swept.audit.filter(({ event }) => event === 'task.failed')).toMatchObject([{ code: 'error_response' }]);
    expect(await token()).toEqual({
      ...{ scopes: ['read_builds'], expires_at: null },
      ...{ checked_at: start + HOUR, failure: 'error_response' },
    });
  });

  it('waits for the next sweep while another sweep calls Buildkite, or this minute has no call left', async () => {
    await open();
    const { jobCheckLedger } = keydesk.sweepDeps;
    const lock = await jobCheckLedger.acquirePollLock(45 * SECOND);
    if (!lock) throw new Error('no lock');
    await keydesk.sweep();
    expect(keydesk.buildkite.tokenRequests).toEqual([]);
    const now = keydesk.clock.now();
    await jobCheckLedger.releasePollLock(
      lock,
      Array.from({ length: 50 }, () => now),
      0,
    );
    await keydesk.sweep();
    expect(keydesk.buildkite.tokenRequests).toEqual([]);
    expect(await token()).toBeNull();
    keydesk.clock.advance(MINUTE + SECOND);
    await keydesk.sweep();
    expect(keydesk.buildkite.tokenRequests).toHaveLength(1);
  });

  it('counts as a call of this minute for the next sweep', async () => {
    await open();
    await keydesk.sweep();
    const lock = await keydesk.sweepDeps.jobCheckLedger.acquirePollLock(SECOND);
    expect(lock?.calls).toEqual([...keydesk.buildkite.tokenRequests]);
  });

  it('that is not configured is null', async () => {
    await open({ KEYDESK_BUILDKITE_API_TOKEN: '' });
    await keydesk.sweep();
    expect(await token()).toBeNull();
    expect(keydesk.buildkite.tokenRequests).toEqual([]);
  });
});
