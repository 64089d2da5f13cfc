// Covers what requests and webhooks did not finish: completes revocations that were cut off, ends grants that have expired,
// enables accounts after their cooldown, and looks up jobs whose webhook may be lost, and builds for which jobs wait. Bounded in number
// and time, safe to run twice at once, and to be cut off anywhere: every step reads again before it writes.

import type { EndCause } from '../core/grant/end.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import { LOOK_UNTIL_MS, SWEEP_GRANT_MS, SWEEP_STEP_MS } from '../core/timing.ts';
import { atRandom } from '../runtime/clock.ts';
import { toFailure } from '../runtime/errors.ts';
import { type Failure, forEachConcurrently } from '../runtime/work-queue.ts';
import { type EndResult, failureSubject, unreadablePending } from './end-job.ts';
import { type BuildLooks, lookUpBuilds } from './look-up-builds.ts';
import type { GrantPage } from './ports.ts';
import { type BuildkiteUsage, type ReconciledJob, reconcileJobs } from './reconcile-jobs.ts';
import { revokeGrant } from './revoke-grant.ts';
import { type AccountSweepResult, sweepAccounts } from './sweep-accounts.ts';
import type { SweepDeps } from './sweep-deps.ts';

/** Grants that one run finds of each kind. */
const MAX_GRANTS_PER_RUN = 2_000;

export interface SweepResult extends EndResult, AccountSweepResult {
  /** Jobs that had finished when they were looked up at Buildkite, and whose end no webhook had reported. */
  readonly reconciledJobs: readonly ReconciledJob[];
  /** The calls to Buildkite. */
  readonly buildkiteUsage: BuildkiteUsage;
  /** Builds for which jobs wait. */
  readonly buildLooks: BuildLooks;
  /** Jobs with live grants about which Buildkite has not responded for 15 minutes; null when that is not known. */
  readonly jobsUnchecked: number | null;
  /** When the first of the grants ended that this run left unfinished; null when it left none. Milliseconds. */
  readonly oldestPendingAt: number | null;
  /** How many grants this run left unfinished, among those that it found: 2,000 of each kind at most. */
  readonly left: { readonly pending_ends: number; readonly pending_revocations: number; readonly overdue: number };
  readonly failures: readonly Failure[];
  /** Whether grants or ended jobs are left that this run did not get to. */
  readonly hasBacklog: boolean;
  /** Whether a part of the ledger could not be read at all. */
  readonly incomplete: boolean;
  /** Whether grants were found whose records cannot be read: it is not known when their access should have ended. */
  readonly hasUnreadable: boolean;
}

/** Sweeps once: first the grants whose access should have ended. Never throws: failures are part of the result. */
export async function sweep(deps: SweepDeps): Promise<SweepResult> {
  const { ledger, sweepLedger, clock } = deps;
  // In parallel with the rest, so that its calls come at the same time of each minute: the sweeps share what a minute allows.
  const begun = clock.now();
  const reconciling = reconcileJobs(deps);
  const looking = reconciling.then(() => lookUpBuilds(deps, begun + LOOK_UNTIL_MS));
  // What these become is found as unfinished.
  const ends = await endEach(deps, sweepLedger.pendingEnds, async (grant) => {
    await ledger.endGrant(grant, causeOf(grant));
    return undefined;
  });
  const revocations = await endEach(deps, sweepLedger.pendingRevocations, (grant, until) =>
    revokeGrant(deps, grant, Math.min(until, clock.now() + SWEEP_GRANT_MS)),
  );
  const expirations = await endEach(deps, sweepLedger.overdue, (grant) => ledger.expire(grant));
  const accounts = await sweepAccounts(deps);
  const reconciled = await reconciling;
  const buildLooks = await looking;
  const ended = [...revocations.ended, ...expirations.ended];
  const endedAs = (wanted: Grant['state']) => ended.filter(({ state }) => state === wanted);
  return {
    ...accounts,
    reconciledJobs: reconciled.reconciledJobs,
    buildkiteUsage: reconciled.buildkiteUsage,
    buildLooks,
    jobsUnchecked: reconciled.jobsUnchecked,
    revoked: [...endedAs('revoked'), ...reconciled.revoked],
    expired: [...endedAs('expired'), ...reconciled.expired],
    notRenewed: [...endedAs('revoking'), ...reconciled.notRenewed],
    pending: reconciled.pending,
    failures: [
      ...ends.failures,
      ...revocations.failures,
      ...expirations.failures,
      ...accounts.failures,
      ...reconciled.failures,
      ...buildLooks.failures,
    ],
    left: {
      pending_ends: ends.left.length,
      pending_revocations: revocations.left.length,
      overdue: expirations.left.length,
    },
    oldestPendingAt: oldestEnd([...ends.left, ...revocations.left, ...expirations.left]),
    hasBacklog: ends.hasBacklog || revocations.hasBacklog || expirations.hasBacklog || reconciled.hasBacklog,
    incomplete:
      ends.incomplete ||
      revocations.incomplete ||
      expirations.incomplete ||
      accounts.incomplete ||
      reconciled.incomplete ||
      buildLooks.incomplete,
    hasUnreadable: ends.hasUnreadable || revocations.hasUnreadable || expirations.hasUnreadable,
  };
}

async function endEach(
  { clock }: SweepDeps,
  find: (limit: number) => Promise<GrantPage>,
  end: (grant: Grant, until: number) => Promise<Grant | undefined>,
) {
  const until = clock.now() + SWEEP_STEP_MS;
  const ended: Grant[] = [];
  const failures: Failure[] = [];
  try {
    const found = await find(MAX_GRANTS_PER_RUN);
    failures.push(...unreadablePending(found.unreadable));
    const options = { until, clock, failures, name: failureSubject };
    const left = await forEachConcurrently(atRandom(found.grants, clock), options, async (grant) => {
      const updated = await end(grant, until);
      if (updated) ended.push(updated);
    });
    const hasBacklog = left.length > 0 || found.grants.length + found.unreadable.length >= MAX_GRANTS_PER_RUN;
    const failed = new Set(failures.map(({ grant_id }) => grant_id));
    return {
      ended,
      left: [...left, ...found.grants.filter((grant) => failed.has(grantIdOf(grant)))],
      failures,
      hasBacklog,
      incomplete: false,
      hasUnreadable: found.unreadable.length > 0,
    };
  } catch (error) {
    const withError = [...failures, toFailure(error)];
    return { ended, left: [], failures: withError, hasBacklog: false, incomplete: true, hasUnreadable: false };
  }
}

function causeOf({ ending_by, ending_kill_switch_id }: Grant): EndCause {
  if (ending_by === null) throw new Error('is marked as ending, but not by whom');
  return { by: ending_by, ...(ending_kill_switch_id === null ? {} : { kill_switch_id: ending_kill_switch_id }) };
}

/** The first end among grants with access still to revoke; for one that nothing ended, its expiry. */
function oldestEnd(grants: readonly Grant[]): number | null {
  return grants.length > 0
    ? Math.min(...grants.map(({ ended_at, ending_since, expires_at }) => ended_at ?? ending_since ?? expires_at))
    : null;
}
