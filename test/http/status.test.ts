// GET /status: what the functions recorded about themselves, and what is live.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { linesOf } from '../../cli/commands/status.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';

let keydesk: InProcessKeydesk;
beforeEach(async () => {
  keydesk = await openInProcessKeydesk({ records: true });
});
afterEach(() => keydesk.close());

const statusOf = async () => (await keydesk.asPerson(`${keydesk.readerUrl}/status`)).json;
/** Until the records of the responses before are written. */
const untilRecorded = (names: readonly string[]) =>
  expect.poll(async () => (await statusOf()).functions.map((one: { function: string }) => one.function)).toEqual(names);

it('names what is missing before anything ran', async () => {
  const status = await statusOf();
  expect(status).toMatchObject({ functions: [], policy_sha256: null, sweep: null, webhooks: null, live_grants: {} });
  expect(status.problems.map(({ code }: { code: string }) => code)).toEqual([
    'not_recorded',
    'not_recorded',
    'not_recorded',
  ]);
});

it('shows functions, policy, keys, sweep, pools and live grants', async () => {
  const job = keydesk.buildkite.startJob();
  for (const credential of ['staging-config', 'staging-admin'])
    expect((await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), credential)).status).toBe(200);
  await keydesk.notify('{"event":"ping"}');
  await keydesk.sweep();
  await untilRecorded(['sweep', 'token', 'webhook']);
  const status = await statusOf();
  expect(status).toMatchObject({
    policy_sha256: keydesk.tokenDeps.policy.sha256,
    sweep: { last_sweep_ok: true, has_backlog: false },
    webhooks: { keys: [{}, {}] },
    live_grants: { staging: 2 },
    blocks: 0,
    pools: expect.arrayContaining([expect.objectContaining({ pool: 'staging-admin', size: 3, leased: 1 })]),
  });
  const lines = linesOf(status);
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(lines.join('\n')).toContain('grants: staging 2');
  expect(lines.every((line) => line.length <= 120)).toBe(true);
});

it('names records that cannot be read', async () => {
  await databaseOf(keydesk.project, 'ledger').doc('deployments/token').set({ function: 'token', schema_version: 1 });
  const { problems } = await statusOf();
  expect(problems[0]).toMatchObject({
    code: 'unreadable_records',
    message: expect.stringContaining('deployments/token'),
  });
});

it('is for people alone', async () => {
  expect((await keydesk.call(`${keydesk.readerUrl}/status`)).status).toBe(401);
});
