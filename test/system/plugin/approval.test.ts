// Steps that wait for an approval, against a Keydesk to which Buildkite's webhooks come: until somebody unblocks the step of their build,
// and no longer than their limit. The plugin's waits last until the test ends them, not for as long as Keydesk says.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeCluster, startFakeCluster } from '../../../sandbox/fakes/issuers/kubernetes.ts';
import { type Clock, systemClock } from '../../../shared/runtime/clock.ts';
import { databaseOf } from '../../fixtures/in-process-keydesk.ts';
import { AUDIENCE, type Data } from '../../fixtures/policies.ts';
import {
  ANNE,
  type ApprovalSetting,
  BERT,
  CREATED as BY_BOTH,
  openApprovalSetting,
  STEP,
} from '../../http/approval-setting.ts';
import { grantEvents, SECRET, type StepSetup, startAStep } from './step.ts';

const WHO = 'system:serviceaccount:buildkite:agents';
const WAITING = `waiting until the step ${STEP} of this build is unblocked, for 30 min at most`;

let setting: ApprovalSetting;
let cluster: FakeCluster;
let folder: string;
beforeAll(async () => {
  let open: ApprovalSetting | undefined;
  const now = () => open?.keydesk.clock.now() ?? systemClock.now();
  const clock: Clock = { now, random: () => 0, sleep: async () => {} };
  cluster = await startFakeCluster({ clock });
  open = await openApprovalSetting({}, withMachine);
  setting = open;
});
afterAll(async () => {
  await setting.keydesk.close();
  await cluster.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-approval-'));
  return () => rmSync(folder, { recursive: true, force: true });
});

/** The second rule demands an approval and a token of the machine. */
function withMachine(policy: Data): Data {
  const [approved] = policy.rules;
  const agent = { provider: 'cluster', claims: { sub: WHO } };
  const ofCluster = { issuer: cluster.issuer, keys: cluster.keysUrl, audience: AUDIENCE, algorithms: ['RS256'] };
  return {
    ...policy,
    identityProviders: { cluster: { ...ofCluster, claims: { sub: { setBy: 'platform' } } } },
    rules: [approved, { ...approved, name: 'approved, by a machine', agent, grants: [BY_BOTH] }],
  };
}

const credentials = (name = 'staging-config') => ({ name, token: 'THE_TOKEN' });
const COMMAND = '[ -n "$THE_TOKEN" ] && echo "it has it"';
const release = () => writeFileSync(join(folder, 'go'), '');
/** How many seconds each wait was to last. */
const waits = () => readFileSync(join(folder, 'waits'), 'utf8').split('\n').filter(Boolean);

/** A step whose waits last until `release`. */
function startAWaitingStep(job: StepSetup['job'], use: NonNullable<StepSetup['uses']>[number]) {
  const script = `#!/bin/sh\necho "$1" >>'${folder}/waits'\nwhile [ ! -e '${folder}/go' ]; do /bin/sleep 0.05; done\n`;
  writeFileSync(join(folder, 'sleep'), script, { mode: 0o755 });
  return startAStep(setting.keydesk, { ...(job ? { job } : {}), uses: [use], path: [folder], command: COMMAND });
}

const refusals = (job: { readonly id: string }) =>
  setting.keydesk.audit
    .filter((line) => line.event === 'grant.refused' && JSON.stringify(line).includes(job.id))
    .map(({ reason }) => reason);

describe('a step that waits for an approval', () => {
  it('gets its credential once Buildkite reports that somebody of the team unblocked the step', async () => {
    const { build, step, job } = setting.start();
    const running = startAWaitingStep(job, { credentials: credentials() });
    await running.saw(WAITING);
    setting.keydesk.buildkite.builds.unblock(step, BERT);
    expect(await setting.notifyOf(build, step)).toMatchObject({ status: 200, json: { result: 'build_recorded' } });
    release();
    const { exitCode, output, raw, leftBehind } = await running.finished;
    expect(output).toContain('it has it');
    expect(exitCode).toBe(0);
    expect(waits()).toEqual(['10']);
    expect(output.split(WAITING)).toHaveLength(2);
    expect(refusals(job)).toEqual(['approval_pending']);
    expect(grantEvents(setting.keydesk, job).slice(1)).toEqual([
      'grant.issued staging-config',
      'grant.released staging-config',
      'grant.revoked staging-config',
    ]);
    expect(raw).not.toMatch(SECRET);
    expect(leftBehind).toEqual([]);
  });

  it('fails with Keydesk’s message when the creator of the build unblocked it', async () => {
    const { build, step, job } = setting.start({ creator: ANNE });
    const running = startAWaitingStep(job, { credentials: credentials() });
    await running.saw(WAITING);
    setting.keydesk.buildkite.builds.unblock(step, ANNE);
    await setting.notifyOf(build, step);
    release();
    const { exitCode, output, phases } = await running.finished;
    expect(exitCode).toBe(1);
    expect(phases.map(({ name }) => name)).not.toContain('commands');
    expect(output).toContain('did not issue staging-config (400 access_denied).');
    expect(output).toMatch(new RegExp(`Message: .*${STEP}`));
    expect(output).toContain('Another approval, build or machine can help');
    expect(refusals(job)).toEqual(['approval_pending', 'approval_not_accepted']);
  });

  it('ends its wait when the job is cancelled', async () => {
    const { job } = setting.start();
    const running = startAWaitingStep(job, { credentials: credentials() });
    await running.saw(WAITING);
    running.cancel();
    const { exitCode, leftBehind, phases } = await running.finished;
    expect(exitCode).toBe(143);
    expect(phases.map(({ name }) => name)).not.toContain('commands');
    expect(leftBehind).toEqual([]);
  });

  it('fails at its limit, names the step, and says what to do', async () => {
    const { job } = setting.start();
    // The first wait would be longer.
    const running = startAWaitingStep(job, { credentials: credentials(), 'approval-timeout': 5 });
    const { exitCode, output } = await running.finished;
    expect(exitCode).toBe(1);
    expect(output).toContain(`the step ${STEP} of this build was not unblocked in time.`);
    expect(output).toContain('Waited for: 5 s, which is approval-timeout');
    expect(output).toContain('What to do: unblock the step, and retry the job.');
    expect(refusals(job)).toEqual(['approval_pending']);
  });
});

describe('a step whose rule demands an approval and a token of the machine', () => {
  it('presents the token, waits, and gets its credential for both', async () => {
    const file = join(folder, 'projected');
    writeFileSync(file, cluster.token({ audience: AUDIENCE, expirationSeconds: 600 }));
    const { build, step, job } = setting.start();
    const running = startAWaitingStep(job, { credentials: credentials(BY_BOTH), 'agent-token': { file } });
    await running.saw(WAITING);
    setting.keydesk.buildkite.builds.unblock(step, BERT);
    await setting.notifyOf(build, step);
    release();
    const { exitCode, output, raw } = await running.finished;
    expect(output).toContain('it has it');
    expect(exitCode).toBe(0);
    expect(raw).not.toMatch(SECRET);
    const grants = await databaseOf(setting.keydesk.project, 'ledger').collection('grants').get();
    const [grant] = grants.docs.filter((one) => JSON.stringify(one.data()).includes(job.id));
    expect(grant?.get('conditions')).toMatchObject({
      approval: { step_key: STEP, approved_by: BERT.id },
      agent: { provider: 'cluster', claims: { sub: WHO } },
    });
  });

  it('is refused at once without the token: an approval could not help', async () => {
    const { job } = setting.start();
    const { exitCode, output } = await startAWaitingStep(job, { credentials: credentials(BY_BOTH) }).finished;
    expect(exitCode).toBe(1);
    expect(output).not.toContain('waiting until');
    expect(output).toContain(`did not issue ${BY_BOTH} (400 invalid_request).`);
    expect(output).toContain(
      'Message: This credential needs a token of the machine, from the identity provider cluster.',
    );
    expect(output).toContain('Where the policy demands a token of the machine, set agent-token.');
    expect(refusals(job)).toEqual(['agent_token_missing']);
  });
});
