// The act that belongs to a restore: it blocks and ends everything that was requested since the time that the restored ledger shows.

import type { ActView } from '../../shared/core/operator-api/review.ts';
import type { SelectorOnWire } from '../../shared/core/operator-api/selector.ts';
import type { ReaderApi } from '../grants/pages.ts';
import { EXIT, fail } from '../terminal.ts';
import type { Restore } from './options.ts';

const EVER = '9999-01-01T00:00:00Z';

/** Undefined when there was none since the snapshot. Of several the last: also one whose block was removed. */
export async function findHold(call: ReaderApi, { snapshot }: Restore): Promise<ActView | undefined> {
  const { as_of } = await call('listGrants', { query: { limit: '1' } });
  const { acts } = await call('getReview', { query: { as_of, from: snapshot.iso, to: EVER } });
  const holds = acts.filter(({ blocks_new, selector }) => blocks_new && holdsSince(selector, snapshot.at));
  return holds.findLast(({ deactivated_at }) => deactivated_at === null) ?? holds.at(-1);
}

/** Ends the process when everything is not blocked. */
export async function requireHold(call: ReaderApi, restore: Restore): Promise<ActView> {
  const hold = await findHold(call, restore);
  if (hold && hold.deactivated_at === null) return hold;
  return fail(
    EXIT.failure,
    `Nothing was done: no block of everything since ${restore.snapshot.iso} is in force. Run: keydesk restore hold`,
  );
}

function holdsSince({ issued_since, ...named }: SelectorOnWire, at: number): boolean {
  return issued_since !== undefined && Date.parse(issued_since) === at && Object.values(named).every((value) => !value);
}
