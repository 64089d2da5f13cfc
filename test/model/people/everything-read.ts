// What must come of a request when faults are over and everything has been read: a job that may have a credential gets it, and one
// that may not does not. Webhooks that were lost stay lost: the sweep finds what they reported.

import type { Real } from '../move.ts';
import { jobId } from '../setting.ts';
import { machineToken } from './machines.ts';
import type { Person } from './rules.ts';

const MINUTE = 60_000;
/** The sweep looks a build up for which a job waits after 15 minutes at most, and clocks differ by 90 seconds at most. */
const LONGEST_LOOK_MS = 17 * MINUTE;
/** A refusal for these reasons is not by the conditions. */
const OTHER_REASONS: ReadonlySet<string> = new Set([
  'job_ended',
  'grant_revoked',
  'blocked',
  'pool_exhausted',
  'google_refused',
]);
/** Of jobs that no move of the history has. */
const UNUSED = 900_000;

/** @param by unblocks the step of the build once the job has requested something, and no webhook reports it */
export async function requestAfterAll({ deployment, operations }: Real, slot: number, by: Person): Promise<void> {
  const { world, google, judge } = deployment;
  if (!judge) return;
  const { people } = google;
  people.directoryFails = undefined;
  const job_id = jobId(slot, UNUSED);
  void operations.issueToken(job_id, 'admin');
  await world.settle();
  people.unblock(people.buildOf(job_id), 'approve', by, false);
  void operations.issueToken(job_id, 'admin');
  await world.settle();
  await world.pass(LONGEST_LOOK_MS);
  void operations.sweep();
  await world.settle();
  for (const [credential, provider] of [
    ['admin', 'cloud'],
    ['cache', 'cloud'],
    ['cache', 'cluster'],
    ['config', 'cloud'],
  ] as const) {
    const machine = machineToken(provider, 'none', world.now());
    const may = judge.mayBeGranted(judge.requested(job_id, machine), credential);
    const result = await issue();
    const reason = result?.outcome === 'refused' ? result.refusal.reason : result?.outcome;
    world.tell(`after all: ${credential} may ${may ? '' : 'not '}be granted, and the result is ${reason}`);
    if (may && reason !== 'issued' && !OTHER_REASONS.has(String(reason)))
      world.violate('CONDITIONS', `job ${job_id} may have ${credential}, everything was read, and it got ${reason}`);

    async function issue() {
      const issuing = operations.issueToken(job_id, credential, { machine });
      await world.settle();
      return issuing;
    }
  }
}
