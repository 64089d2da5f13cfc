// The commit of a grant, for which other requests and the end of its job race.

import type { Timestamp, WriteBatch } from '../firestore/database.ts';
import { isWriteConflict, retryOnConflict } from '../firestore/records.ts';
import type { Refused } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { withLedgerTimeout } from './documents.ts';

/** Milliseconds that a request goes on losing races against others for its grant, in each of its two steps. */
export const GRANT_RETRY_MS = 400;
/** Seconds after which a request that lost its races may try again. */
const BUSY_RETRY_AFTER = 1;

/** What is written, or a refusal when other requests keep writing first. */
export function commitOrBusy<T>(
  clock: Clock,
  grant_id: string,
  retryMs: number,
  attempt: () => Promise<T>,
): Promise<T | Refused> {
  const busy: Refused = { refusal: { reason: 'grant_busy', grant_id, retryAfter: BUSY_RETRY_AFTER } };
  const writing = retryOnConflict<T | Refused>(clock, attempt, retryMs).catch((error: unknown) => {
    if (isWriteConflict(error)) return busy;
    throw error;
  });
  return withLedgerTimeout(clock, writing);
}

/** When the first write of the batch, the grant's, was written. */
export async function commitGrant(batch: WriteBatch): Promise<Timestamp> {
  const [first] = await batch.commit();
  if (!first) throw new Error('Firestore returned no write for a commit');
  return first.writeTime;
}
