// The step of examples/approvals that waits for an approval with curl, against a Keydesk of the test's own. It does not sleep: what it
// waits for happens when it begins to.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { runStep } from '../../../sandbox/fakes/buildkite/step.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { jsonServer, type LocalServer } from '../../../sandbox/local-server.ts';
import { databaseOf } from '../../fixtures/in-process-keydesk.ts';
import { ANNE, type ApprovalSetting, BERT, openApprovalSetting } from '../../http/approval-setting.ts';

const MINUTE = 60_000;
const STEP = readFileSync(join(ROOT, 'examples/approvals/request.sh'), 'utf8');

let setting: ApprovalSetting;
let folder: string;
let sleeps: number[];
/** What happens during each sleep, in this order. */
let events: (() => Promise<unknown>)[];
let sleeper: LocalServer;

beforeEach(async () => {
  setting = await openApprovalSetting();
  folder = mkdtempSync(join(tmpdir(), 'keydesk-approval-step-'));
  [sleeps, events] = [[], []];
  sleeper = await jsonServer('sleep', async ({ path }) => {
    sleeps.push(Number(path.slice(1)));
    await events.shift()?.();
    return { status: 200, text: '' };
  });
  const sleep = join(folder, 'sleep');
  writeFileSync(sleep, `#!/bin/sh\nexec curl --silent --fail ${sleeper.url}/"$1"\n`);
  chmodSync(sleep, 0o755);
});
afterEach(async () => {
  await sleeper.close();
  await setting.keydesk.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(job: Parameters<typeof runStep>[0]['job']) {
  const { keydesk } = setting;
  const script = join(folder, 'request.sh');
  writeFileSync(
    script,
    STEP.replaceAll('production-config', 'staging-config').replaceAll('acme-production', keydesk.project),
  );
  return runStep({
    step: { command: `bash '${script}'`, plugins: [], env: {} },
    job,
    buildkite: keydesk.buildkite,
    plugins: {},
    path: [folder],
    environment: { KEYDESK: keydesk.tokenUrl, FIRESTORE: `http://${inject('firestoreHost')}` },
  });
}

const waitingLines = (output: string) => output.split('\n').filter((line) => line.startsWith('Waiting until'));

it('waits for the approval and while a team was not read, says once what for, and uses the credential', async () => {
  const { keydesk } = setting;
  const { build, step, job } = setting.start();
  const [team] = (await databaseOf(keydesk.project, 'ledger').collection('teams').get()).docs;
  if (!team) throw new Error('the ledger has no team');
  await team.ref.delete();
  events = [
    async () => {},
    async () => {
      keydesk.buildkite.builds.unblock(step, BERT);
      await setting.notifyOf(build, step);
    },
    async () => {
      await team.ref.set(team.data());
      setting.later(MINUTE);
    },
  ];
  const ran = await run(job);
  expect([ran.exitCode, ran.output]).toEqual([0, expect.stringContaining('"replicas"')]);
  expect(waitingLines(ran.output)).toEqual([expect.stringContaining('approve-production')]);
  expect(ran.output).not.toContain('curl: (');
  const answers = keydesk.audit.filter(({ event }) => event === 'grant.refused' || event === 'grant.issued');
  expect(answers.map(({ event, reason }) => reason ?? event)).toEqual([
    ...['approval_pending', 'approval_pending', 'conditions_unknown', 'grant.issued'],
  ]);
  expect(sleeps.slice(0, 2)).toEqual([10, 10]);
  expect(sleeps[2]).toBeGreaterThan(0);
});

it('ends with the refusal when the approval is none', async () => {
  const { build, step, job } = setting.start();
  events = [
    async () => {
      setting.keydesk.buildkite.builds.unblock(step, ANNE);
      await setting.notifyOf(build, step);
    },
  ];
  const ran = await run(job);
  expect(ran.exitCode).toBe(1);
  expect(ran.output).toContain('who started a build does not approve it');
  expect(sleeps).toEqual([10]);
});
