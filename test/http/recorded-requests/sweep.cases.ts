// Sweeps, each after something that was left to it.

import { grantEndingMark } from '../../../shared/core/grant/lifecycle.ts';
import { toStored } from '../../../shared/ledger/client.ts';
import type { InProcessDesk } from '../../fixtures/in-process-keydesk.ts';
import { enableAccount } from '../../fixtures/operator.ts';
import type { Case } from './recorder.ts';
import { aHolder, anExpired, answering, broken, DENIED, ledgerOf, MINUTE } from './requests.ts';

/** From the last token of an account until it may serve again, rounded up. */
const REST = 17 * MINUTE;
const SWEEP = {};

/** A job that ended while this could not be done. */
async function endedWithout(desk: InProcessDesk, what: 'closeGrantDocument' | 'disableAccount', credential: string) {
  const whole = { ...desk.ending };
  const holder = await aHolder(desk, credential);
  desk.ending[what] = broken;
  await desk.notify(desk.buildkite.event(holder.job));
  Object.assign(desk.ending, whole);
  desk.clock.advance(MINUTE);
  return holder;
}

/** A pooled account whose job has ended. */
async function aResting(desk: InProcessDesk): Promise<string> {
  const { job, held } = await aHolder(desk, 'staging-admin');
  await desk.notify(desk.buildkite.event(job));
  return held[0]?.audit[0].service_account;
}

/** One that somebody enabled so many times, each but the last found by a sweep. */
async function enabledByHand(desk: InProcessDesk, times: number): Promise<void> {
  const email = await aResting(desk);
  for (let time = 1; time <= times; time += 1) {
    if (time > 1) await desk.sweep();
    await enableAccount(desk, email);
    desk.clock.advance(2 * MINUTE);
  }
}

/** A running job with grants, whose check is due. */
async function aDue(desk: InProcessDesk, ...credentials: readonly string[]) {
  const { job } = await aHolder(desk, ...credentials);
  desk.clock.advance(4 * MINUTE);
  return job;
}

export const SWEEP_CASES: readonly Case[] = [
  ['nothing to do', () => SWEEP],
  [
    'a grant document that could not be closed',
    async (desk) => {
      await endedWithout(desk, 'closeGrantDocument', 'staging-config');
      return SWEEP;
    },
  ],
  ...['staging-admin', 'staging-artifacts'].map(
    (credential): Case => [
      `an account of ${credential} that could not be disabled`,
      async (desk) => {
        await endedWithout(desk, 'disableAccount', credential);
        return SWEEP;
      },
    ],
  ),
  [
    'a grant document that cannot be closed yet',
    async (desk) => {
      await endedWithout(desk, 'closeGrantDocument', 'staging-config');
      desk.ending.closeGrantDocument = broken;
      return SWEEP;
    },
  ],
  [
    'a revocation that did not succeed before its time was up',
    async (desk) => {
      await endedWithout(desk, 'disableAccount', 'staging-admin');
      desk.ending.disableAccount = broken;
      desk.clock.advance(20 * MINUTE);
      return SWEEP;
    },
  ],
  [
    'an end that was cut off after its first write',
    async (desk) => {
      const { held } = await aHolder(desk, 'staging-config');
      const grant = ledgerOf(desk).collection('grants').doc(held[0]?.json.grant_id);
      await grant.update(toStored(grantEndingMark({ by: 'released' }, desk.clock.now())));
      return SWEEP;
    },
  ],
  ...['staging-config', 'staging-export', 'staging-admin', 'staging-artifacts'].map(
    (credential): Case => [
      `${credential} whose time is up`,
      async (desk) => {
        await anExpired(desk, credential);
        return SWEEP;
      },
    ],
  ),
  [
    'a shared account whose job had ended before its time was up',
    async (desk) => {
      const { job } = await aHolder(desk, 'staging-export');
      await desk.notify(desk.buildkite.event(job));
      desk.clock.advance(20 * MINUTE);
      return SWEEP;
    },
  ],
  [
    'a job that runs',
    async (desk) => {
      await aDue(desk, 'staging-config');
      return SWEEP;
    },
  ],
  [
    'a job whose webhook was lost',
    async (desk) => {
      const job = await aDue(desk, 'staging-config', 'staging-export');
      job.state = 'failed';
      return SWEEP;
    },
  ],
  [
    'a job whose agent was lost',
    async (desk) => {
      const job = await aDue(desk, 'staging-config');
      job.agentLost = true;
      return SWEEP;
    },
  ],
  [
    'a job that holds nothing any more',
    async (desk) => {
      await anExpired(desk, 'staging-config');
      await desk.sweep();
      desk.clock.advance(MINUTE);
      return SWEEP;
    },
  ],
  ...[401, 404, 429, 500].map(
    (status): Case => [
      `Buildkite that answers ${status}`,
      async (desk) => {
        await aDue(desk, 'staging-config');
        desk.buildkite.beforeJob = () => ({ status, json: { message: 'No.' } });
        return SWEEP;
      },
    ],
  ),
  [
    'Buildkite that has not answered for long',
    async (desk) => {
      await aHolder(desk, 'staging-admin');
      desk.buildkite.beforeJob = () => ({ status: 500 });
      desk.clock.advance(15 * MINUTE + 1);
      return SWEEP;
    },
  ],
  [
    'nobody who can be asked about jobs',
    async (desk) => {
      await aDue(desk, 'staging-config');
      desk.ending.buildkiteJobs = undefined;
      return SWEEP;
    },
  ],
  [
    'a pool that is in use',
    async (desk) => {
      await aResting(desk);
      await aHolder(desk, 'staging-admin');
      return SWEEP;
    },
  ],
  [
    'an account that has rested',
    async (desk) => {
      await aResting(desk);
      desk.clock.advance(REST);
      return SWEEP;
    },
  ],
  [
    'an account that has rested and that Google does not enable',
    async (desk) => {
      await aResting(desk);
      desk.clock.advance(REST);
      answering(desk, ['enable'], DENIED);
      return SWEEP;
    },
  ],
  [
    'an account that rests',
    async (desk) => {
      await aResting(desk);
      desk.clock.advance(2 * MINUTE);
      return SWEEP;
    },
  ],
  ...[1, 3].map(
    (times): Case => [
      `an account that somebody enabled while it rests, ${times} times`,
      async (desk) => {
        await enabledByHand(desk, times);
        return SWEEP;
      },
    ],
  ),
  [
    'an account that somebody enabled while it rests and that Google does not disable',
    async (desk) => {
      await enabledByHand(desk, 1);
      desk.ending.disableAccount = broken;
      return SWEEP;
    },
  ],
  [
    'an account that is gone while it rests',
    async (desk) => {
      await aResting(desk);
      desk.clock.advance(2 * MINUTE);
      answering(desk, ['get'], { status: 404, json: { error: { code: 404, status: 'NOT_FOUND', message: 'No.' } } });
      return SWEEP;
    },
  ],
  [
    'an account whose grant was deleted by hand',
    async (desk) => {
      const { held } = await aHolder(desk, 'staging-admin');
      await ledgerOf(desk).collection('grants').doc(held[0]?.json.grant_id).delete();
      desk.clock.advance(20 * MINUTE);
      return SWEEP;
    },
  ],
  [
    'records that cannot be read',
    async (desk) => {
      const { job, held } = await aHolder(desk, 'staging-config');
      await ledgerOf(desk).collection('grants').doc(held[0]?.json.grant_id).update({ tokens: 'none' });
      await ledgerOf(desk).collection('jobs').doc(job.id).update({ grants: 'none' });
      await ledgerOf(desk)
        .collection('service_accounts')
        .doc(await aResting(desk))
        .update({ state: 'asleep' });
      desk.clock.advance(20 * MINUTE);
      return SWEEP;
    },
  ],
  [
    'accounts that cannot be read',
    (desk) => {
      desk.ending.sweepLedger = { ...desk.ending.sweepLedger, accounts: broken };
      return SWEEP;
    },
  ],
  [
    'a ledger that cannot be read',
    (desk) => {
      const { sweepLedger, checkLedger } = desk.ending;
      const unread = { ending: broken, unfinished: broken, overdue: broken, accounts: broken };
      desk.ending.sweepLedger = { ...sweepLedger, ...unread };
      desk.ending.checkLedger = { ...checkLedger, due: broken };
      return SWEEP;
    },
  ],
  ['another path', () => ({ path: '/sweep' })],
  ['another method', () => ({ method: 'GET' })],
  ['too large a body', () => ({ body: 'x'.repeat(16 * 1024 + 1) })],
];
