// The kill switch: one order of an operator, on record, that ends every live grant it selects and can block new ones until
// the block is removed. The order of steps makes it complete: the block is written before the grants are searched, and a request
// reads the blocks after its grant is on record. So one of the two sees the other.

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
  /** Whether new requests are blocked until the block is removed. */
  readonly blocks_new: boolean;
}

export interface KillResult extends EndResult {
  readonly id: string;
  /** Grants without a `pipeline_id`, left alone because it is not known whether they are selected. */
  readonly ambiguous: readonly Grant[];
  /** Grants that had already ended and were revoked as far as possible; their tokens work until `access_ended_at`. */
  readonly stillAccepted: readonly Grant[];
  readonly failures: readonly Failure[];
}

export interface KillSwitchDeps extends RevokeDeps {
  readonly killSwitchLedger: KillSwitchLedger;
}

/** The live grants that a selector matches, and those where that is not known. Changes nothing. Throws DependencyError. */
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
 * Activates the kill switch. Safe to repeat, also with the same id. Throws DependencyError when the order could not be recorded or
 * the grants not be read; the result lists what could not be ended.
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
