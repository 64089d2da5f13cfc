// The kill switch: one act of an operator, on record, that ends every live grant it selects and can bar new ones until it
// is lifted. Order is what makes it complete: the block stands before the grants are looked through, and a hand-out
// looks for blocks after its grant is on record, so of the two one sees the other.

import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import type { Selector } from '../core/kill-switch.ts';
import { maySelect, selects } from '../core/kill-switch.ts';
import { END_BUDGET_MS } from '../core/timing.ts';
import { type Failure, forEachConcurrently } from '../runtime/work-queue.ts';
import { completeRevocations, type EndResult, failureSubject, mergeEndResults, unreadablePending } from './end-job.ts';
import type { KillSwitchLedger, UnreadableRecord } from './ports.ts';
import type { RevokeDeps } from './revoke-grant.ts';

/** Milliseconds for ending what was found: an operator waits, and what is left says so. */
const KILL_BUDGET_MS = 10 * 60_000;

export interface KillOrder {
  readonly selector: Selector;
  /** Who activates it, and why. */
  readonly actor: string;
  readonly reason: string;
  /** Whether new hand-outs are barred until it is lifted. */
  readonly blocks_new: boolean;
}

export interface KillResult extends EndResult {
  readonly id: string;
  /** Grants without a `pipeline_id`, left because it cannot be told whether they are meant. */
  readonly ambiguous: readonly Grant[];
  /** Grants that had ended before, of which what can be taken away was; their tokens die at `access_ended_at`. */
  readonly stillAccepted: readonly Grant[];
  readonly failures: readonly Failure[];
}

export interface KillSwitchDeps extends RevokeDeps {
  readonly killSwitchLedger: KillSwitchLedger;
}

/** The live grants that a selector means, and those of which that cannot be told. Changes nothing. Throws DependencyError. */
export async function findGrants({ killSwitchLedger }: Pick<KillSwitchDeps, 'killSwitchLedger'>, selector: Selector) {
  const selected: Grant[] = [];
  const ambiguous: Grant[] = [];
  const unreadable: UnreadableRecord[] = [];
  for await (const page of killSwitchLedger.liveGrants()) {
    selected.push(...page.grants.filter((grant) => selects(selector, grant)));
    ambiguous.push(...page.grants.filter((grant) => maySelect(selector, grant)));
    unreadable.push(...page.unreadable);
  }
  return { selected, ambiguous, unreadable };
}

/**
 * Throws the switch. Safe to repeat, also with the same id. Throws DependencyError when the act could not be recorded or the grants
 * not be read; what could not be ended is in the answer.
 */
export async function activateKillSwitch(deps: KillSwitchDeps, id: string, order: KillOrder): Promise<KillResult> {
  const { killSwitchLedger, clock } = deps;
  await killSwitchLedger.record(id, {
    ...order,
    activated_at: clock.now(),
    deactivated_at: null,
    deactivated_by: null,
  });
  const { selected, ambiguous, unreadable } = await findGrants(deps, order.selector);
  const failures: Failure[] = unreadablePending(unreadable);
  const ended: Grant[] = [];
  const results: EndResult[] = [];
  const options = { until: clock.now() + KILL_BUDGET_MS, clock, failures, name: failureSubject };
  // All ends go on record first: from then on the sweep helps.
  const left = await forEachConcurrently(selected, options, async (grant) => {
    const record = await deps.ledger.endGrant(grant, { by: 'kill_switch', kill_switch_id: id });
    if (record) ended.push(record);
  });
  failures.push(
    ...left.map((grant) => ({
      ...failureSubject(grant),
      code: 'not_attempted' as const,
      error: 'not ended for lack of time: throw it again',
    })),
  );
  const notCompleted = await forEachConcurrently(ended, options, async (grant) => {
    results.push(await completeRevocations(deps, [grant], clock.now() + END_BUDGET_MS));
  });
  const queued = notCompleted.map((grant) => ({
    grant_id: grantIdOf(grant),
    code: 'not_attempted' as const,
    error: 'on record as ending; the sweep goes on',
  }));
  const merged = mergeEndResults(results);
  const stillAccepted = ended.filter(
    ({ access_ended_at }) => access_ended_at !== null && access_ended_at > clock.now(),
  );
  return { ...merged, pending: [...merged.pending, ...queued], id, ambiguous, stillAccepted, failures };
}
