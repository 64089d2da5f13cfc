// Sweeps, each after something that was left to it.

import { grantEndMark } from '../../../shared/core/grant/end.ts';
import { toStored } from '../../../shared/firestore/stored-record.ts';
import type { InProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { enableAccount } from '../../fixtures/operator.ts';
import { ANNE, BERT } from '../approval-setting.ts';
import type { Case } from './recorder.ts';
import { aHolder, anExpired, answering, broken, DENIED, ledgerOf, MINUTE } from './requests.ts';

/** From the last token of an account until it may serve again, rounded up. */
const REST = 17 * MINUTE;
const SWEEP = {};

/** A job that ended while this could not be done. */
async function endedWithout(
  keydesk: InProcessKeydesk,
  what: 'closeGrantDocument' | 'disableAccount',
  credential: string,
) {
  const whole = { ...keydesk.sweepDeps };
  const holder = await aHolder(keydesk, credential);
  keydesk.sweepDeps[what] = broken;
  await keydesk.notify(keydesk.buildkite.event(holder.job));
  Object.assign(keydesk.sweepDeps, whole);
  keydesk.clock.advance(MINUTE);
  return holder;
}

/** A pooled account whose job has ended. */
async function aResting(keydesk: InProcessKeydesk): Promise<string> {
  const { job, held } = await aHolder(keydesk, 'staging-admin');
  await keydesk.notify(keydesk.buildkite.event(job));
  return held[0]?.audit[0].service_account;
}

/** One that somebody enabled this many times, each but the last found by a sweep. */
async function enabledByHand(keydesk: InProcessKeydesk, times: number): Promise<void> {
  const email = await aResting(keydesk);
  for (let time = 1; time <= times; time += 1) {
    if (time > 1) await keydesk.sweep();
    await enableAccount(keydesk, email);
    keydesk.clock.advance(2 * MINUTE);
  }
}

/** A running job with grants, whose check is due. */
async function aDue(keydesk: InProcessKeydesk, ...credentials: readonly string[]) {
  const { job } = await aHolder(keydesk, ...credentials);
  keydesk.clock.advance(4 * MINUTE);
  return job;
}

export const SWEEP_CASES: readonly Case[] = [
  ['nothing to do', () => SWEEP],
  [
    'a grant document that could not be closed',
    async (keydesk) => {
      await endedWithout(keydesk, 'closeGrantDocument', 'staging-config');
      return SWEEP;
    },
  ],
  ...['staging-admin', 'staging-artifacts'].map(
    (credential): Case => [
      `an account of ${credential} that could not be disabled`,
      async (keydesk) => {
        await endedWithout(keydesk, 'disableAccount', credential);
        return SWEEP;
      },
    ],
  ),
  [
    'a grant document that cannot be closed yet',
    async (keydesk) => {
      await endedWithout(keydesk, 'closeGrantDocument', 'staging-config');
      keydesk.sweepDeps.closeGrantDocument = broken;
      return SWEEP;
    },
  ],
  [
    'a revocation that did not succeed before its time was up',
    async (keydesk) => {
      await endedWithout(keydesk, 'disableAccount', 'staging-admin');
      keydesk.sweepDeps.disableAccount = broken;
      keydesk.clock.advance(20 * MINUTE);
      return SWEEP;
    },
  ],
  [
    'an end that was cut off after its first write',
    async (keydesk) => {
      const { held } = await aHolder(keydesk, 'staging-config');
      const grant = ledgerOf(keydesk).collection('grants').doc(held[0]?.json.grant_id);
      await grant.update(toStored(grantEndMark({ by: 'released' }, keydesk.clock.now())));
      return SWEEP;
    },
  ],
  ...['staging-config', 'staging-export', 'staging-admin', 'staging-artifacts'].map(
    (credential): Case => [
      `${credential} whose time is up`,
      async (keydesk) => {
        await anExpired(keydesk, credential);
        return SWEEP;
      },
    ],
  ),
  [
    'a shared account whose job had ended before its time was up',
    async (keydesk) => {
      const { job } = await aHolder(keydesk, 'staging-export');
      await keydesk.notify(keydesk.buildkite.event(job));
      keydesk.clock.advance(20 * MINUTE);
      return SWEEP;
    },
  ],
  [
    'a job that runs',
    async (keydesk) => {
      await aDue(keydesk, 'staging-config');
      return SWEEP;
    },
  ],
  [
    'a job whose webhook was lost',
    async (keydesk) => {
      const job = await aDue(keydesk, 'staging-config', 'staging-export');
      job.state = 'failed';
      return SWEEP;
    },
  ],
  [
    'a job whose agent was lost',
    async (keydesk) => {
      const job = await aDue(keydesk, 'staging-config');
      job.agentLost = true;
      return SWEEP;
    },
  ],
  [
    'a job that holds nothing any more',
    async (keydesk) => {
      await anExpired(keydesk, 'staging-config');
      await keydesk.sweep();
      keydesk.clock.advance(MINUTE);
      return SWEEP;
    },
  ],
  ...[401, 404, 429, 500].map(
    (status): Case => [
      `Buildkite that answers ${status}`,
      async (keydesk) => {
        await aDue(keydesk, 'staging-config');
        keydesk.buildkite.beforeJob = () => ({ status, json: { message: 'No.' } });
        return SWEEP;
      },
    ],
  ),
  [
    'Buildkite that has not answered for long',
    async (keydesk) => {
      await aHolder(keydesk, 'staging-admin');
      keydesk.buildkite.beforeJob = () => ({ status: 500 });
      keydesk.clock.advance(15 * MINUTE + 1);
      return SWEEP;
    },
  ],
  [
    'nobody who can be asked about jobs',
    async (keydesk) => {
      await aDue(keydesk, 'staging-config');
      keydesk.sweepDeps.buildkiteJobs = undefined;
      return SWEEP;
    },
  ],
  [
    'a pool that is in use',
    async (keydesk) => {
      await aResting(keydesk);
      await aHolder(keydesk, 'staging-admin');
      return SWEEP;
    },
  ],
  [
    'an account that has cooled down',
    async (keydesk) => {
      await aResting(keydesk);
      keydesk.clock.advance(REST);
      return SWEEP;
    },
  ],
  [
    'an account that has cooled down and that Google does not enable',
    async (keydesk) => {
      await aResting(keydesk);
      keydesk.clock.advance(REST);
      answering(keydesk, ['enable'], DENIED);
      return SWEEP;
    },
  ],
  [
    'an account that cools down',
    async (keydesk) => {
      await aResting(keydesk);
      keydesk.clock.advance(2 * MINUTE);
      return SWEEP;
    },
  ],
  ...[1, 3].map(
    (times): Case => [
      `an account that somebody enabled during its cooldown, ${times} times`,
      async (keydesk) => {
        await enabledByHand(keydesk, times);
        return SWEEP;
      },
    ],
  ),
  [
    'an account that somebody enabled during its cooldown and that Google does not disable',
    async (keydesk) => {
      await enabledByHand(keydesk, 1);
      keydesk.sweepDeps.disableAccount = broken;
      return SWEEP;
    },
  ],
  [
    'an account that is gone during its cooldown',
    async (keydesk) => {
      await aResting(keydesk);
      keydesk.clock.advance(2 * MINUTE);
      answering(keydesk, ['get'], { status: 404, json: { error: { code: 404, status: 'NOT_FOUND', message: 'No.' } } });
      return SWEEP;
    },
  ],
  [
    'an account whose grant was deleted by hand',
    async (keydesk) => {
      const { held } = await aHolder(keydesk, 'staging-admin');
      await ledgerOf(keydesk).collection('grants').doc(held[0]?.json.grant_id).delete();
      keydesk.clock.advance(20 * MINUTE);
      return SWEEP;
    },
  ],
  [
    'records that cannot be read',
    async (keydesk) => {
      const { job, held } = await aHolder(keydesk, 'staging-config');
      await ledgerOf(keydesk).collection('grants').doc(held[0]?.json.grant_id).update({ tokens: 'none' });
      await ledgerOf(keydesk).collection('jobs').doc(job.id).update({ grants: 'none' });
      await ledgerOf(keydesk)
        .collection('service_accounts')
        .doc(await aResting(keydesk))
        .update({ state: 'asleep' });
      keydesk.clock.advance(20 * MINUTE);
      return SWEEP;
    },
  ],
  [
    'accounts that cannot be read',
    (keydesk) => {
      keydesk.sweepDeps.sweepLedger = { ...keydesk.sweepDeps.sweepLedger, accounts: broken };
      return SWEEP;
    },
  ],
  [
    'a ledger that cannot be read',
    (keydesk) => {
      const { sweepLedger, jobCheckLedger } = keydesk.sweepDeps;
      const unread = { pendingEnds: broken, pendingRevocations: broken, overdue: broken, accounts: broken };
      keydesk.sweepDeps.sweepLedger = { ...sweepLedger, ...unread };
      keydesk.sweepDeps.jobCheckLedger = { ...jobCheckLedger, due: broken };
      return SWEEP;
    },
  ],
  [
    'a build for which a job waits, and one that Buildkite does not show',
    async (keydesk) => {
      const { builds, organization } = keydesk.buildkite;
      const build = builds.start({ creator: ANNE });
      builds.unblock(builds.addBlockStep(build, 'approve'), BERT);
      for (const build_number of [build.number, 7])
        await keydesk.tokenDeps.conditionLedger.requestLook({
          ...{ pipeline_id: build.pipeline.id, build_number },
          ...{ organization_slug: organization.slug, pipeline_slug: build.pipeline.slug },
        });
      return SWEEP;
    },
  ],
  [
    'a build whose record cannot be read',
    async (keydesk) => {
      await ledgerOf(keydesk)
        .collection('builds')
        .doc('a')
        .set({ look_at: new Date(0) });
      return SWEEP;
    },
  ],
  ['another path', () => ({ path: '/sweep' })],
  ['another method', () => ({ method: 'GET' })],
  ['too large a body', () => ({ body: 'x'.repeat(16 * 1024 + 1) })],
];
