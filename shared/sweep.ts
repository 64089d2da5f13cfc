// The net under everything else: finishes revocations that were cut off and ends grants whose time is up. Bounded in
// number and time, safe to run twice at once, and to be cut off anywhere: every step asks again before it writes.

import type { Grant } from './core/grant.ts';
import { type RevokeParts, revoke } from './revoke.ts';

const GRANTS_PER_RUN = 500;
const AT_ONCE = 10;
/** Milliseconds after which no further grant is begun: the sweep runs each minute. */
const BUDGET_MS = 45_000;

export interface Swept {
  readonly revoked: readonly Grant[];
  readonly expired: readonly Grant[];
  readonly failures: readonly { readonly grant: Grant; readonly detail: string }[];
  /** Grants this run found and did not get to. */
  readonly left: number;
}

/** Sweeps once. Throws Unavailable when the ledger cannot be read at all. */
export async function sweep(parts: RevokeParts): Promise<Swept> {
  const until = parts.now() + BUDGET_MS;
  const revoked: Grant[] = [];
  const expired: Grant[] = [];
  const failures: { grant: Grant; detail: string }[] = [];
  let left = 0;

  const eachOf = async (grants: Grant[], end: (grant: Grant) => Promise<Grant | undefined>, ended: Grant[]) => {
    const waiting = [...grants];
    const work = async () => {
      for (let grant = waiting.shift(); grant; grant = waiting.shift()) {
        if (parts.now() >= until) {
          left += 1;
          continue;
        }
        try {
          const done = await end(grant);
          if (done) ended.push(done);
        } catch (error) {
          failures.push({ grant, detail: error instanceof Error ? error.message : 'failed' });
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  };

  await eachOf(await parts.ledger.unfinished(GRANTS_PER_RUN), (grant) => revoke(parts, grant), revoked);
  await eachOf(await parts.ledger.overdue(GRANTS_PER_RUN), (grant) => parts.ledger.expire(grant), expired);
  return { revoked, expired, failures, left };
}
