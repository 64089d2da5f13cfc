// Takes a grant's access away and only then records that it is revoked. Safe to repeat, and to be cut off anywhere:
// until the record says `revoked` it says `revoking`, and the sweep comes here again.

import type { Grant } from './core/grant.ts';
import { grantId } from './core/grant-id.ts';
import type { EndingLedger } from './ledger/ending-ledger.ts';
import type { CloseGrantDocument } from './ledger/grant-document.ts';

export interface RevokeParts {
  readonly ledger: EndingLedger;
  readonly closeGrantDocument: CloseGrantDocument;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Revokes a grant whose record says `revoking`.
 * @returns the record once it says `revoked`, or `expired` when only its time took access away; undefined when that was
 * on record before
 * @throws Unavailable when access could not be taken away, or that it was could not be recorded
 */
export async function revoke(parts: RevokeParts, grant: Grant): Promise<Grant | undefined> {
  if (grant.kind === 'firestore') {
    const { project, database } = grant;
    const name = { project, database, grant_id: grantId(grant.job_id, grant.credential) };
    try {
      await parts.closeGrantDocument(name, parts.now());
    } catch (error) {
      // A database that is gone or out of reach for good: by now the grant's own end has taken access away.
      const expired = await parts.ledger.expire(grant);
      if (expired) return expired;
      throw error;
    }
  }
  return parts.ledger.confirmRevoked(grant);
}
