// The kill switch: one order of an operator, on record, that ends every live grant it selects and can block new ones until
// the block is removed. The order of steps makes it complete: the block is written before the grants are searched, and a request
// reads the blocks after its grant is on record. So one of the two sees the other.

import { acceptedUntil } from '../core/grant/accepted.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import type { Selector } from '../core/kill-switch.ts';
import { maySelect, selects } from '../core/kill-switch.ts';
import { END_BUDGET_MS } from '../core/timing.ts';
import { type Failure, forEachConcurrently } from '../runtime/work-queue.ts';
import { completeRevocations, type EndResult, failureSubject, mergeEndResults, unreadablePending } from './end-job.ts';
import type { KillSwitchLedger, ReaderLedger, UnreadableRecord } from './ports.ts';
import type { RevokeDeps } from './revoke-grant.ts';

/** Milliseconds for ending what was found: an operator waits, and what is left says so. Node waits five minutes for a response. */
const KILL_BUDGET_MS = 4 * 60_000;

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
  /** Live when it began, and selected. */
  readonly selected: readonly Grant[];
  /** Grants without a `pipeline_id`, left alone because it is not known whether they are selected. */
  readonly ambiguous: readonly Grant[];
  /** Selected, also those that were ended before: nothing can reject their tokens before they expire. As on record afterwards. */
  readonly stillAccepted: readonly Grant[];
  readonly failures: readonly Failure[];
}

export interface KillSwitchDeps extends RevokeDeps {
  readonly killSwitchLedger: KillSwitchLedger;
  readonly readerLedger: Pick<ReaderLedger, 'grant'>;
}

/** What a look through the live grants found. */
export interface FoundGrants {
  readonly selected: readonly Grant[];
  readonly ambiguous: readonly Grant[];
  readonly unreadable: readonly UnreadableRecord[];
}

/** The live grants that a selector matches, and those where that is not known. Changes nothing. Throws DependencyError. */
export async function findGrants(
  { killSwitchLedger }: Pick<KillSwitchDeps, 'killSwitchLedger'>,
  selector: Selector,
): Promise<FoundGrants> {
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
 * @param found by a look just before, so that there is one. An order that blocks looks by itself: only grants that are searched after
 * the block is on record are all that it has to end. Each is read again before it is ended.
 */
export async function activateKillSwitch(
  deps: KillSwitchDeps,
  id: string,
  order: KillOrder,
  found?: FoundGrants,
): Promise<KillResult> {
  const { killSwitchLedger, clock } = deps;
  await killSwitchLedger.record(id, {
    ...order,
    activated_at: clock.now(),
    deactivated_at: null,
    deactivated_by: null,
  });
  const before = order.blocks_new ? undefined : found;
  const { selected, ambiguous, unreadable } = before ?? (await findGrants(deps, order.selector));
  const failures: Failure[] = unreadablePending(unreadable);
  const cause = { by: 'kill_switch', kill_switch_id: id } as const;
  const options = { until: clock.now() + KILL_BUDGET_MS, clock, failures, name: failureSubject };
  // All ends go on record first: from then on the sweep helps.
  const ended: Grant[] = [];
  const notEnded = await forEachConcurrently(selected, options, async (grant) => {
    const record = await deps.ledger.endGrant(grant, cause);
    if (record) ended.push(record);
  });
  const results: EndResult[] = [];
  const notCompleted = await forEachConcurrently(ended, options, async (grant) => {
    // Read again right before the account is disabled: by now the sweep may have enabled it for another job.
    const current = grant.state === 'revoking' ? await deps.ledger.endGrant(grant, cause) : grant;
    if (current) results.push(await completeRevocations(deps, [current], clock.now() + END_BUDGET_MS));
  });
  const merged = mergeEndResults(results);
  failures.push(...notEnded.map((grant) => notAttempted(grant, 'not ended for lack of time: repeat the command')));
  failures.push(...notCompleted.map((grant) => notAttempted(grant, 'on record as ending; the sweep goes on')));
  const stillAccepted = await findStillAccepted(deps, selected, [...merged.revoked, ...merged.expired]);
  return { ...merged, id, selected, ambiguous, stillAccepted, failures };
}

function notAttempted(grant: Grant, error: string): Failure {
  return { ...failureSubject(grant), code: 'not_attempted', error };
}

/** The grants, apart from those that have ended, whose tokens are accepted by their record and are not being revoked. */
async function findStillAccepted(
  { readerLedger, clock }: KillSwitchDeps,
  selected: readonly Grant[],
  ended: readonly Grant[],
): Promise<Grant[]> {
  const known = new Set(ended.map(grantIdOf));
  const accepted: Grant[] = [];
  const options = { until: Number.POSITIVE_INFINITY, clock, failures: [], name: failureSubject };
  await forEachConcurrently(
    selected.filter((grant) => !known.has(grantIdOf(grant))),
    options,
    async (grant) => {
      const current = await readerLedger.grant(grantIdOf(grant)).catch(() => grant);
      if (!current || (current.state === 'revoking' && current.access_ended_at === null)) return;
      if (acceptedUntil(current, clock.now()) !== null) accepted.push(current);
    },
  );
  return accepted;
}
