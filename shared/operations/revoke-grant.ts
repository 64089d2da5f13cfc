// Takes a grant's access away and only then records that it is revoked. Safe to repeat, and to be cut off anywhere:
// until the record says `revoked` it says `revoking`, and the sweep comes here again.

import type { Grant } from '../core/grant/grant.ts';
import { jobReason } from '../core/grant/id.ts';
import { idOf } from '../core/grant/lifecycle.ts';
import type { DisableAccount } from '../google/disable-account.ts';
import type { CloseGrantDocument } from '../ledger/grant-document.ts';
import type { EndingLedger } from '../ledger/revocation.ts';
import type { Clock } from '../runtime/clock.ts';
import { Unavailable } from '../runtime/errors.ts';

export interface RevokeParts {
  readonly ledger: EndingLedger;
  readonly closeGrantDocument: CloseGrantDocument;
  readonly disableAccount: DisableAccount;
  /** Milliseconds since the epoch. */
  readonly clock: Clock;
}

/**
 * Revokes a grant whose record says `revoking`.
 * @param until when to leave it to the sweep, in milliseconds since the epoch: later nobody would hear of it
 * @returns the record once it says `revoked`, or `expired` when only its time took access away, or `revoking` with the
 * time of its tokens' end when all was done that can be; undefined when that was on record before
 * @throws Unavailable when access could not be taken away, or that it was could not be recorded
 */
export async function revoke(parts: RevokeParts, grant: Grant, until: number): Promise<Grant | undefined> {
  // What can be taken away was; its tokens' end is awaited.
  if (grant.access_ended_at !== null)
    return parts.clock.now() < grant.access_ended_at ? undefined : parts.ledger.expire(grant);
  try {
    await takeAway(parts, grant, until);
  } catch (error) {
    // A database or an account that is gone or out of reach for good: by now the grant's own end has taken access away.
    const expired = parts.clock.now() < until ? await parts.ledger.expire(grant) : undefined;
    if (expired) return expired;
    throw error;
  }
  if (parts.clock.now() >= until)
    throw new Unavailable('revocation', 'done too late to be recorded; the sweep records it');
  return parts.ledger.confirmTakenAway(grant);
}

async function takeAway(parts: RevokeParts, grant: Grant, until: number): Promise<void> {
  switch (grant.kind) {
    case 'firestore': {
      const { project, database } = grant;
      return parts.closeGrantDocument({ project, database, grant_id: idOf(grant) }, parts.clock.now());
    }
    case 'pooled_service_account':
      return parts.disableAccount(grant.service_account, jobReason(grant.job_id), until);
    case 'service_account':
      throw new Error('a token of a shared account cannot be taken away');
  }
}
