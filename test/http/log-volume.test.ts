// How much Keydesk writes to the log for one grant, which is what the log archive stores once more. docs/OPERATIONS.md has the figures.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';

import { openApprovalSetting } from './approval-setting.ts';

const MINUTE = 60_000;
const PAGE = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8');

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterAll(() => keydesk.close());

/** KB of the lines that are written meanwhile. Lines of a sweep that are about no grant are not counted. */
async function kilobytesOf(work: () => Promise<unknown>): Promise<number> {
  const before = keydesk.lines.length;
  await work();
  const lines = keydesk.lines.slice(before).filter((line) => !/"event":"(sweep|pool)\./.test(line));
  return Buffer.byteLength(lines.join('\n')) / 1024;
}

/** The figure of the row that begins with these words. */
function stated(row: string): number {
  return Number(
    PAGE.split('\n')
      .find((line) => line.startsWith(`| ${row}`))
      ?.split('|')[2],
  );
}

it.each([
  ["`K`: Keydesk's lines of a `firestore` grant", 'staging-config'],
  ['`K`: the same of a pooled account', 'staging-admin'],
])('is at most what the page says, and not much less: %s', async (row, credential) => {
  const measured = await kilobytesOf(async () => {
    const job = keydesk.buildkite.startJob();
    const issuedAt = Math.floor(keydesk.clock.now() / 1000);
    const { status } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
    expect(status).toBe(200);
    await keydesk.notify(keydesk.buildkite.event(job));
    for (let minutes = 0; minutes < 30; minutes += 1) {
      keydesk.clock.advance(MINUTE);
      await keydesk.sweep();
    }
  });
  expect(measured).toBeLessThanOrEqual(stated(row));
  expect(measured).toBeGreaterThan(stated(row) - 1.5);
});

it('is at most what the page says for a renewal', async () => {
  const job = keydesk.buildkite.startJob();
  const issuedAt = Math.floor(keydesk.clock.now() / 1000);
  const request = async () =>
    keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), 'staging-config');
  await request();
  const measured = await kilobytesOf(request);
  expect(measured).toBeLessThanOrEqual(stated('each renewal'));
  expect(measured).toBeGreaterThan(stated('each renewal') - 1.5);
});

it('is at most what the page says for a request of a job that waits for an approval', async () => {
  const setting = await openApprovalSetting();
  const { job } = setting.start();
  await setting.request(job);
  const before = setting.keydesk.lines.length;
  expect((await setting.request(job)).json.error).toBe('authorization_pending');
  const measured = Buffer.byteLength(setting.keydesk.lines.slice(before).join('\n')) / 1024;
  await setting.keydesk.close();
  expect(measured).toBeLessThanOrEqual(stated('each request of a job that waits'));
  expect(measured).toBeGreaterThan(stated('each request of a job that waits') - 0.5);
});
