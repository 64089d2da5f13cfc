// What must come of a request when faults are over and everything has been read: a job that may have a credential gets it after one sweep,
// or after two. Webhooks that were lost stay lost: the sweep finds what they reported.

import type { Real } from '../move.ts';
import { jobId } from '../setting.ts';
import { machineToken } from './machines.ts';
import type { Person, ProviderName } from './rules.ts';

const MINUTE = 60_000;
/** The sweep looks a build up for which a job waits after 15 minutes at most, and clocks differ by 90 seconds at most. */
const LONGEST_LOOK_MS = 17 * MINUTE;
/** A refusal for these reasons is not by the conditions. */
const OTHER_REASONS: ReadonlySet<string> = new Set([
  ...['job_ended', 'grant_revoked', 'blocked', 'pool_exhausted', 'google_refused'],
]);
/** Of jobs that no move of the history has. */
const UNUSED = 900_000;

/** @param by unblocks the step of the build once the job has requested something, and no webhook reports it */
export async function requestAfterAll(real: Real, slot: number, by: Person): Promise<void> {
  const { deployment, operations } = real;
  const { world, google } = deployment;
  const { people } = google;
  people.directoryFails = undefined;
  // Of a build of the history, or of one that nothing is known of.
  const job_id = world.random() < 0.5 ? deployment.jobIn(slot, true) : jobId(slot, UNUSED);
  void operations.issueToken(job_id, 'admin');
  await world.settle();
  // Of two unblocks at the same time, either may count.
  await world.pass(1_000);
  people.unblock(people.buildOf(job_id), 'approve', by, false);
  await isGranted(real, job_id, 'admin', 'cloud');
  await sweepLater(real);
  await isGranted(real, job_id, 'cache', 'cloud');
  await isGranted(real, job_id, 'config', 'cloud');
}

/**
 * A request that is refused although it may be granted is granted after two sweeps at the latest: only once its team was read is it seen
 * that the approval on record does not count, and another one is looked for.
 */
async function isGranted(real: Real, job_id: string, credential: string, provider: ProviderName): Promise<void> {
  const { world, judge } = real.deployment;
  for (let sweeps = 0; sweeps < 2; sweeps += 1) {
    if (!(await request()).isWrong) return;
    await sweepLater(real);
  }
  const { isWrong, reason } = await request();
  if (isWrong)
    world.violate('CONDITIONS', `job ${job_id} may have ${credential}, everything was read, and it got ${reason}`);

  async function request() {
    const machine = machineToken(provider, 'none', world.now());
    const may = judge?.mayBeGranted(judge.requested(job_id, machine), credential) ?? false;
    const issuing = real.operations.issueToken(job_id, credential, { machine });
    await world.settle();
    const result = await issuing;
    const reason = result?.outcome === 'refused' ? result.refusal.reason : (result?.outcome ?? 'a failure');
    world.tell(`after all: ${credential} may ${may ? '' : 'not '}be granted, and the result is ${reason}`);
    return { reason, isWrong: may && reason !== 'issued' && !OTHER_REASONS.has(reason) };
  }
}

async function sweepLater({ deployment: { world }, operations }: Real): Promise<void> {
  await world.pass(LONGEST_LOOK_MS);
  void operations.sweep();
  await world.settle();
}
