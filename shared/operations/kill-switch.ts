// The kill switch: one order of an operator, on record, that ends every live grant it selects and can block new ones until
// the block is removed. The order of steps makes it complete: the block is written before the grants are searched, and a request
// reads the blocks after its grant is on record. So one of the two sees the other.

import type { EndCause } from '../core/grant/end.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import { maySelect, type Selector, selects } from '../core/kill-switch.ts';
import { END_BUDGET_MS } from '../core/timing.ts';
import { type Failure, forEachConcurrently } from '../runtime/work-queue.ts';
import { completeRevocations, type EndResult, failureSubject } from './end-job.ts';
import { type KillResult, KillTally } from './kill-tally.ts';
import type { ActProblem, GrantPage, KillSwitchLedger } from './ports.ts';
import type { RevokeDeps } from './revoke-grant.ts';

/** Milliseconds for an act, from the request's begin. Cloud Run ends a request of `admin` after five minutes. */
export const KILL_BUDGET_MS = 4 * 60_000;
/** The share of the time that is left in which ends are recorded. The rest takes access away. */
const RECORDING_SHARE = 2 / 3;
/** The most grants that wait in memory until access is taken away, at about 1.5 KB each. The sweep goes on with the others. */
const MAX_WAITING = 20_000;

export interface KillOrder {
  readonly selector: Selector;
  /** Who activates it, and why. */
  readonly actor: string;
  readonly reason: string;
  /** Whether new requests are blocked until the block is removed. */
  readonly blocks_new: boolean;
}

export interface KillSwitchDeps extends RevokeDeps {
  readonly killSwitchLedger: KillSwitchLedger;
}

interface KillOptions {
  /** From when on it begins nothing more: milliseconds since the epoch. */
  readonly until?: number;
  /**
   * Live grants, from {@link lookForGrants}. An order that blocks does not use them: only grants that are searched after the block
   * is on record are all that it has to end.
   */
  readonly pages?: AsyncIterable<GrantPage> | undefined;
  /** Called once the act is on record. */
  readonly onRecord?: () => void;
  /** Called with each end, as soon as it is on record. */
  readonly onEnd?: (ended: EndResult) => void;
}

/** The order was not recorded, and nothing was done. */
export class OrderRefused extends Error {
  override readonly name = 'OrderRefused';
  readonly problem: ActProblem;

  constructor(id: string, problem: ActProblem) {
    super(
      problem === 'too_many_blocks'
        ? 'too many blocks are in force'
        : `${id} is the id of another order, or of a block that was removed`,
    );
    this.problem = problem;
  }
}

/**
 * Activates the kill switch. Safe to repeat with the same id: what was ended before costs no time. Throws OrderRefused, and
 * DependencyError when the order could not be recorded or the grants not be read; the result lists what could not be ended.
 */
export async function activateKillSwitch(
  deps: KillSwitchDeps,
  id: string,
  order: KillOrder,
  options: KillOptions = {},
): Promise<KillResult> {
  const { killSwitchLedger, clock } = deps;
  const { until = clock.now() + KILL_BUDGET_MS, pages, onRecord, onEnd = () => {} } = options;
  const problem = await killSwitchLedger.record(id, {
    ...order,
    activated_at: clock.now(),
    deactivated_at: null,
    deactivated_by: null,
  });
  if (problem) throw new OrderRefused(id, problem);
  onRecord?.();
  const tally = new KillTally();
  const act = { id, selector: order.selector, tally, onEnd, until };
  const live = order.blocks_new ? undefined : pages;
  // All ends go on record first: from then on the sweep helps.
  const waiting = await recordEnds(deps, act, live ?? killSwitchLedger.liveGrants());
  await takeAccess(deps, act, waiting);
  return tally.result(id);
}

interface Act {
  readonly id: string;
  readonly selector: Selector;
  readonly tally: KillTally;
  readonly onEnd: (ended: EndResult) => void;
  readonly until: number;
}

const causeOf = ({ id }: Act): EndCause => ({ by: 'kill_switch', kill_switch_id: id });

/** Records the ends, page by page. @returns the grants whose access is to be taken away */
async function recordEnds(deps: KillSwitchDeps, act: Act, pages: AsyncIterable<GrantPage>): Promise<Grant[]> {
  const { clock } = deps;
  const { selector, tally } = act;
  const until = clock.now() + (act.until - clock.now()) * RECORDING_SHARE;
  const waiting: Grant[] = [];
  for await (const { grants, unreadable } of pages) {
    if (clock.now() >= until) {
      if (grants.length + unreadable.length > 0) tally.notAllRead(`${NOT_ALL_READ}: ${resume(act.id)}`);
      break;
    }
    const selected = grants.filter((grant) => selects(selector, grant));
    const ambiguous = grants.filter((grant) => maySelect(selector, grant));
    tally.found(selected, ambiguous, unreadable);
    const left = await forEachOf(deps, act, { grants: selected, until }, async (grant) => {
      const ended = await recordEnd(deps, act, grant);
      if (ended && waiting.length < MAX_WAITING) waiting.push(ended);
      else if (ended) tally.left([ended], SWEEP_GOES_ON);
    });
    tally.left(left, `not ended for lack of time: ${resume(act.id)}`);
  }
  return waiting;
}

/** @returns the record where access is still to be taken away */
async function recordEnd(deps: KillSwitchDeps, act: Act, grant: Grant): Promise<Grant | undefined> {
  const { clock, ledger } = deps;
  const { tally } = act;
  if (isWaiting(grant)) return grant;
  if (grant.state === 'revoking' || grant.ended_at !== null) {
    tally.endedBefore(grant, clock.now());
    return undefined;
  }
  const ended = await ledger.endGrant(grant, causeOf(act));
  if (!ended) tally.gone();
  else if (isWaiting(ended)) return ended;
  else if (ended.state === 'revoking') tally.endedBefore(ended, clock.now());
  else report(act, ended, await completeRevocations(deps, [ended], clock.now()), clock.now());
  return undefined;
}

async function takeAccess(deps: KillSwitchDeps, act: Act, waiting: readonly Grant[]): Promise<void> {
  const { clock, ledger } = deps;
  const left = await forEachOf(deps, act, { grants: waiting, until: act.until }, async (grant) => {
    // Read again right before the account is disabled: by now the sweep may have enabled it for another job. The time counts from
    // before that, so that an instance that was frozen after it sends nothing.
    const until = clock.now() + END_BUDGET_MS;
    const current = await ledger.endGrant(grant, causeOf(act));
    if (!current) return act.tally.gone();
    report(act, current, await completeRevocations(deps, [current], until), clock.now());
  });
  act.tally.left(left, SWEEP_GOES_ON);
}

const SWEEP_GOES_ON = 'on record as ending; the sweep goes on';

function isWaiting({ state, access_ended_at }: Grant): boolean {
  return state === 'revoking' && access_ended_at === null;
}

function report({ tally, onEnd }: Act, grant: Grant, result: EndResult, now: number): void {
  tally.ended(grant, result, now);
  onEnd(result);
}

/** What fails is tallied. @returns the grants that it did not come to */
async function forEachOf(
  { clock }: KillSwitchDeps,
  { tally }: Act,
  { grants, until }: { readonly grants: readonly Grant[]; readonly until: number },
  work: (grant: Grant) => Promise<unknown>,
): Promise<readonly Grant[]> {
  const failures: Failure[] = [];
  const ends = new Map(grants.map((grant) => [grantIdOf(grant), grant.expires_at]));
  const left = await forEachConcurrently(grants, { until, clock, failures, name: failureSubject }, work);
  tally.failed(failures.map((failure) => ({ ...failure, accepted_until: ends.get(failure.grant_id ?? '') ?? null })));
  return left;
}

const NOT_ALL_READ = 'not all live grants were looked through for lack of time';

function resume(id: string): string {
  return `run the command again with --resume ${id}`;
}

/**
 * Live grants from the first page on that has one which the selector means, or may mean, or that cannot be read. Undefined when there
 * is none. Throws DependencyError.
 */
export async function lookForGrants(
  pages: AsyncIterable<GrantPage>,
  selector: Selector,
): Promise<AsyncIterable<GrantPage> | undefined> {
  const rest = pages[Symbol.asyncIterator]();
  for (let read = await rest.next(); !read.done; read = await rest.next()) {
    const { grants, unreadable } = read.value;
    if (unreadable.length > 0 || grants.some((grant) => selects(selector, grant) || maySelect(selector, grant)))
      return beginningWith(read.value, rest);
  }
  return undefined;
}

async function* beginningWith(first: GrantPage, rest: AsyncIterator<GrantPage>): AsyncGenerator<GrantPage> {
  yield first;
  for (let read = await rest.next(); !read.done; read = await rest.next()) yield read.value;
}

/** What an order would do. Changes nothing. Throws DependencyError. @param until as in {@link KillOptions} */
export async function previewKill(
  { clock }: Pick<KillSwitchDeps, 'clock'>,
  selector: Selector,
  pages: AsyncIterable<GrantPage>,
  until: number,
): Promise<KillResult> {
  const tally = new KillTally();
  for await (const { grants, unreadable } of pages) {
    if (clock.now() >= until) {
      tally.notAllRead(`${NOT_ALL_READ}: others may match`);
      break;
    }
    const selected = grants.filter((grant) => selects(selector, grant));
    tally.found(
      selected,
      grants.filter((grant) => maySelect(selector, grant)),
      unreadable,
    );
    for (const grant of selected) if (grant.revocation === 'expiry') tally.endedBefore(grant, clock.now());
  }
  return tally.result('');
}
