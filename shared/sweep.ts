// The net under everything else: ends grants whose time is up and finishes revocations that were cut off. Bounded in
// number and time, safe to run twice at once, and to be cut off anywhere: every step asks again before it writes.

import type { Grant } from './core/grant.ts';
import { grantId } from './core/grant-id.ts';
import type { Found } from './ledger/ending-ledger.ts';
import { type RevokeParts, revoke } from './revoke.ts';

const GRANTS_PER_PAGE = 500;
const PAGES = 20;
const AT_ONCE = 10;
/** Milliseconds after which no further grant is begun: the sweep runs each minute, and has two things to do. */
const BUDGET_MS = 22_000;

interface Failure {
  /** Undefined when it was not about one grant. */
  readonly grant_id: string | undefined;
  readonly detail: string;
}

export interface Swept {
  readonly revoked: readonly Grant[];
  readonly expired: readonly Grant[];
  readonly failures: readonly Failure[];
  /** Whether grants are left that this run did not get to. */
  readonly more: boolean;
}

/** Sweeps once. Throws Unavailable when the ledger cannot be read at all. */
export async function sweep(parts: RevokeParts): Promise<Swept> {
  const { ledger } = parts;
  const overdue = await endAll(parts, ledger.overdue, (grant) => ledger.expire(grant));
  const unfinished = await endAll(parts, ledger.unfinished, (grant) => revoke(parts, grant));
  if (overdue.unread && unfinished.unread) throw overdue.unread;
  const ended = [...overdue.ended, ...unfinished.ended];
  return {
    revoked: ended.filter(({ state }) => state === 'revoked'),
    expired: ended.filter(({ state }) => state === 'expired'),
    failures: [...overdue.failures, ...unfinished.failures],
    more: overdue.more || unfinished.more,
  };
}

async function endAll(
  { now }: RevokeParts,
  find: (limit: number) => Promise<Found>,
  end: (grant: Grant) => Promise<Grant | undefined>,
) {
  const until = now() + BUDGET_MS;
  const ended: Grant[] = [];
  const failures = new Map<string | undefined, Failure>();
  const fail = (grant_id: string | undefined, error: unknown) =>
    failures.set(grant_id, { grant_id, detail: error instanceof Error ? error.message : 'failed' });
  let more = false;
  let unread: unknown;
  for (let page = 0; page < PAGES; page += 1) {
    let found: Found;
    try {
      found = await find(GRANTS_PER_PAGE);
    } catch (error) {
      unread = error;
      fail(undefined, error);
      break;
    }
    for (const id of found.unreadable) fail(id, new Error('its record cannot be read'));
    const before = ended.length;
    const waiting = [...found.grants];
    const work = async () => {
      for (let grant = waiting.shift(); grant && now() < until; grant = waiting.shift()) {
        try {
          const done = await end(grant);
          if (done) ended.push(done);
        } catch (error) {
          fail(grantId(grant.job_id, grant.credential), error);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    more = found.grants.length + found.unreadable.length >= GRANTS_PER_PAGE || now() >= until;
    if (!more || ended.length === before || now() >= until) break;
  }
  return { ended, failures: [...failures.values()], more, unread };
}
