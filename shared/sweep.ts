// The net under everything else: ends grants whose time is up, finishes revocations that were cut off, asks Buildkite
// about jobs whose end may have been missed, and lets rested accounts work again. Bounded in number and time, safe to
// run twice at once, and to be cut off anywhere: every step asks again before it writes.

import type { Grant } from './core/grant.ts';
import { idOf } from './core/grant-life.ts';
import type { Ending } from './end-job.ts';
import type { Found } from './ledger/sweep-ledger.ts';
import { endMissed, type FoundFinished } from './missed-ends.ts';
import { revoke } from './revoke.ts';
import { type SweptAccounts, sweepAccounts } from './sweep-accounts.ts';
import { detailOf, type Failure, nameGrant, type SweepParts, unreadableGrants, workThrough } from './sweep-step.ts';

const GRANTS_PER_PAGE = 500;
const PAGES = 20;
/** Milliseconds after which a step begins nothing more: the sweep runs each minute, and has four to do. */
const STEP_MS = 12_000;

export interface Swept extends Ending, SweptAccounts {
  /** Jobs that Buildkite, when asked, said had finished: no webhook had told. */
  readonly foundFinished: readonly FoundFinished[];
  /** Jobs about which Buildkite was asked. */
  readonly asked: number;
  readonly failures: readonly Failure[];
  /** Whether grants are left that this run did not get to. */
  readonly more: boolean;
}

/** Sweeps once. Throws Unavailable when the ledger cannot be read at all. */
export async function sweep(parts: SweepParts): Promise<Swept> {
  const { ledger, sweepLedger } = parts;
  const overdue = await endAll(parts, sweepLedger.overdue, (grant) => ledger.expire(grant));
  const missed = await endMissed(parts);
  const unfinished = await endAll(parts, sweepLedger.unfinished, (grant, until) => revoke(parts, grant, until));
  const accounts = await sweepAccounts(parts);
  if (overdue.unread && unfinished.unread) throw overdue.unread;
  const ended = [...overdue.ended, ...unfinished.ended];
  return {
    ...accounts,
    foundFinished: missed.foundFinished,
    asked: missed.asked,
    revoked: [...missed.revoked, ...ended.filter(({ state }) => state === 'revoked')],
    expired: [...missed.expired, ...ended.filter(({ state }) => state === 'expired')],
    renewalEnded: missed.renewalEnded,
    unfinished: missed.unfinished,
    failures: [...overdue.failures, ...missed.failures, ...unfinished.failures, ...accounts.failures],
    more: overdue.more || unfinished.more,
  };
}

async function endAll(
  { now }: SweepParts,
  find: (limit: number) => Promise<Found>,
  end: (grant: Grant, until: number) => Promise<Grant | undefined>,
) {
  const until = now() + STEP_MS;
  const ended: Grant[] = [];
  const failures: Failure[] = [];
  const tried = new Set<string>();
  let more = false;
  let unread: unknown;
  for (let page = 0; page < PAGES; page += 1) {
    let found: Found;
    try {
      found = await find(GRANTS_PER_PAGE);
    } catch (error) {
      unread = error;
      failures.push({ detail: detailOf(error) });
      break;
    }
    const before = ended.length;
    const fresh = found.grants.filter((grant) => !tried.has(idOf(grant)));
    if (page === 0) failures.push(...unreadableGrants(found));
    await workThrough(fresh, { until, now, failures, name: nameGrant }, async (grant) => {
      tried.add(idOf(grant));
      const done = await end(grant, until);
      if (done) ended.push(done);
    });
    more = found.grants.length + found.unreadable.length >= GRANTS_PER_PAGE || now() >= until;
    if (!more || ended.length === before || now() >= until) break;
  }
  return { ended, failures, more, unread };
}
