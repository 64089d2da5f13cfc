// The net under everything else: finishes revocations that were cut off, ends grants whose time is up, lets rested
// accounts work again, and asks Buildkite about jobs whose end may have been missed. Bounded in number and time, safe to
// run twice at once, and to be cut off anywhere: every step asks again before it writes.

import type { Grant } from '../core/grant/grant.ts';
import { type HowEnded, idOf } from '../core/grant/lifecycle.ts';
import type { Found } from '../ledger/sweep.ts';
import { atRandom } from '../runtime/clock.ts';
import { failureOf } from '../runtime/errors.ts';
import { type Failure, workThrough } from '../runtime/work-queue.ts';
import { type Ending, nameGrant, unreadableGrants } from './end-job.ts';
import { type Asked, endMissed, type FoundFinished } from './reconcile-jobs.ts';
import { revoke } from './revoke-grant.ts';
import { type SweptAccounts, sweepAccounts } from './sweep-accounts.ts';
import type { SweepParts } from './sweep-deps.ts';

/** Grants that one run finds of each kind. */
const GRANTS = 2_000;
/** Milliseconds after which a step begins nothing more; the steps, and what they have begun by then, fit into a minute. */
const STEP_MS = 9_000;
/** Milliseconds for one grant, so that a few that hang do not use up the time of all. */
const GRANT_MS = 5_000;

export interface Swept extends Ending, SweptAccounts {
  /** Jobs that Buildkite, when asked, said had finished, and of which no webhook had told so far. */
  readonly foundFinished: readonly FoundFinished[];
  /** What Buildkite was asked. */
  readonly asked: Asked;
  /** Jobs with live grants about which Buildkite has not responded for 15 minutes; null when that is not known. */
  readonly jobsUnchecked: number | null;
  /** When the first of the grants ended that this run left unfinished; null when it left none. Milliseconds. */
  readonly oldestUnfinishedAt: number | null;
  readonly failures: readonly Failure[];
  /** Whether grants or ended jobs are left that this run did not get to. */
  readonly more: boolean;
  /** Whether a part of the ledger could not be read at all. */
  readonly unread: boolean;
  /** Whether grants were found whose records cannot be read: of them nobody knows since when they should be dead. */
  readonly unreadable: boolean;
}

/** Sweeps once: first what should be dead by now. Never throws: what fails is told. */
export async function sweep(parts: SweepParts): Promise<Swept> {
  const { ledger, sweepLedger, clock } = parts;
  // Beside everything else, so that its calls come at the same time of each minute: the sweeps share what a minute allows.
  const missing = endMissed(parts);
  // What these become is found as unfinished.
  const ending = await endAll(parts, sweepLedger.ending, async (grant) => {
    await ledger.endGrant(grant, howEnding(grant));
    return undefined;
  });
  const unfinished = await endAll(parts, sweepLedger.unfinished, (grant, until) =>
    revoke(parts, grant, Math.min(until, clock.now() + GRANT_MS)),
  );
  const overdue = await endAll(parts, sweepLedger.overdue, (grant) => ledger.expire(grant));
  const accounts = await sweepAccounts(parts);
  const missed = await missing;
  const ended = [...unfinished.ended, ...overdue.ended];
  const endedAs = (wanted: Grant['state']) => ended.filter(({ state }) => state === wanted);
  return {
    ...accounts,
    foundFinished: missed.foundFinished,
    asked: missed.asked,
    jobsUnchecked: missed.jobsUnchecked,
    revoked: [...endedAs('revoked'), ...missed.revoked],
    expired: [...endedAs('expired'), ...missed.expired],
    renewalEnded: [...endedAs('revoking'), ...missed.renewalEnded],
    unfinished: missed.unfinished,
    failures: [
      ...ending.failures,
      ...unfinished.failures,
      ...overdue.failures,
      ...accounts.failures,
      ...missed.failures,
    ],
    oldestUnfinishedAt: oldestEnd([...ending.left, ...unfinished.left, ...overdue.left]),
    more: ending.more || unfinished.more || overdue.more || missed.more,
    unread: ending.unread || unfinished.unread || overdue.unread || accounts.unread || missed.unread,
    unreadable: ending.unreadable || unfinished.unreadable || overdue.unreadable,
  };
}

async function endAll(
  { clock }: SweepParts,
  find: (limit: number) => Promise<Found>,
  end: (grant: Grant, until: number) => Promise<Grant | undefined>,
) {
  const until = clock.now() + STEP_MS;
  const ended: Grant[] = [];
  const failures: Failure[] = [];
  try {
    const found = await find(GRANTS);
    failures.push(...unreadableGrants(found.unreadable));
    const options = { until, clock, failures, name: nameGrant };
    const left = await workThrough(atRandom(found.grants, clock), options, async (grant) => {
      const done = await end(grant, until);
      if (done) ended.push(done);
    });
    const more = left.length > 0 || found.grants.length + found.unreadable.length >= GRANTS;
    const failed = new Set(failures.map(({ grant_id }) => grant_id));
    return {
      ended,
      left: [...left, ...found.grants.filter((grant) => failed.has(idOf(grant)))],
      failures,
      more,
      unread: false,
      unreadable: found.unreadable.length > 0,
    };
  } catch (error) {
    const told = [...failures, failureOf(error)];
    return { ended, left: [], failures: told, more: false, unread: true, unreadable: false };
  }
}

function howEnding({ ending_by, ending_kill_switch_id }: Grant): HowEnded {
  if (ending_by === null) throw new Error('is marked as ending, but not by whom');
  return { by: ending_by, ...(ending_kill_switch_id === null ? {} : { kill_switch_id: ending_kill_switch_id }) };
}

/** The first end among grants of which something was still to be done; one that nothing ended has its time's. */
function oldestEnd(grants: readonly Grant[]): number | null {
  return grants.length > 0
    ? Math.min(...grants.map(({ ended_at, ending_since, expires_at }) => ended_at ?? ending_since ?? expires_at))
    : null;
}
