// The kill switch: one act of an operator, on record, that ends every live grant it selects and can bar new ones until it
// is lifted. Order is what makes it complete: the block stands before the grants are looked through, and a hand-out
// looks for blocks after its grant is on record, so of the two one sees the other.

import type { Grant } from '../core/grant/grant.ts';
import { idOf } from '../core/grant/lifecycle.ts';
import type { Selector } from '../core/grant/selector.ts';
import { mayBeMeant, selects } from '../core/grant/selector.ts';
import type { KillLedger } from '../ledger/kill-switch.ts';
import { type Failure, workThrough } from '../runtime/work-queue.ts';
import { BUDGET_MS as ENDING_MS, type Ending, finish, mergeEndings, nameGrant, unreadableGrants } from './end-job.ts';
import type { RevokeParts } from './revoke-grant.ts';

/** Milliseconds for ending what was found: an operator waits, and what is left says so. */
const BUDGET_MS = 10 * 60_000;

export interface KillSwitch {
  readonly selector: Selector;
  /** Who activates it, and why. */
  readonly actor: string;
  readonly reason: string;
  /** Whether new hand-outs are barred until it is lifted. */
  readonly blocks_new: boolean;
}

export interface Killed extends Ending {
  readonly id: string;
  /** Grants without a `pipeline_id`, left because it cannot be told whether they are meant. */
  readonly undetermined: readonly Grant[];
  /** Grants that had ended before, of which what can be taken away was; their tokens die at `access_ended_at`. */
  readonly lingering: readonly Grant[];
  readonly failures: readonly Failure[];
}

export interface KillParts extends RevokeParts {
  readonly killLedger: KillLedger;
}

/** The live grants that a selector means, and those of which that cannot be told. Changes nothing. Throws Unavailable. */
export async function findSelected({ killLedger }: Pick<KillParts, 'killLedger'>, selector: Selector) {
  const selected: Grant[] = [];
  const undetermined: Grant[] = [];
  const unreadable: string[] = [];
  let after: Awaited<ReturnType<KillLedger['live']>>['next'];
  do {
    const page = await killLedger.live(after);
    selected.push(...page.grants.filter((grant) => selects(selector, grant)));
    undetermined.push(...page.grants.filter((grant) => mayBeMeant(selector, grant)));
    unreadable.push(...page.unreadable);
    after = page.next;
  } while (after !== undefined);
  return { selected, undetermined, unreadable };
}

/**
 * Throws the switch. Safe to repeat, also with the same id. Throws Unavailable when the act could not be recorded or the grants
 * not be read; what could not be ended is in the answer.
 */
export async function throwKillSwitch(parts: KillParts, id: string, act: KillSwitch): Promise<Killed> {
  const { killLedger, clock } = parts;
  await killLedger.record(id, { ...act, activated_at: clock.now(), deactivated_at: null, deactivated_by: null });
  const { selected, undetermined, unreadable } = await findSelected(parts, act.selector);
  const failures: Failure[] = unreadableGrants(unreadable);
  const ended: Grant[] = [];
  const endings: Ending[] = [];
  const options = { until: clock.now() + BUDGET_MS, clock, failures, name: nameGrant };
  // All ends go on record first: from then on the sweep helps.
  const left = await workThrough(selected, options, async (grant) => {
    const record = await parts.ledger.endGrant(grant, { by: 'kill_switch', kill_switch_id: id });
    if (record) ended.push(record);
  });
  failures.push(...left.map((grant) => ({ ...nameGrant(grant), error: 'not ended for lack of time: throw it again' })));
  const toFinish = await workThrough(ended, options, async (grant) => {
    endings.push(await finish(parts, [grant], clock.now() + ENDING_MS));
  });
  const waiting = toFinish.map((grant) => ({
    grant_id: idOf(grant),
    error: 'on record as ending; the sweep goes on',
  }));
  const merged = mergeEndings(endings);
  const lingering = ended.filter(({ access_ended_at }) => access_ended_at !== null && access_ended_at > clock.now());
  return { ...merged, unfinished: [...merged.unfinished, ...waiting], id, undetermined, lingering, failures };
}
