// Takes a grant's access away and only then records that it is revoked. Safe to repeat, and to be cut off anywhere:
// until the record says `revoked` it says `revoking`, and the sweep comes here again.

import type { Grant } from '../core/grant/grant.ts';
import { auditReason, grantIdOf } from '../core/grant/id.ts';
import { revocableAccess } from '../core/kinds/kinds.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { CloseGrantDocument, DisableAccount, RevocationLedger } from './ports.ts';

export interface RevokeDeps {
  readonly ledger: RevocationLedger;
  readonly closeGrantDocument: CloseGrantDocument;
  readonly disableAccount: DisableAccount;
  /** Milliseconds since the epoch. */
  readonly clock: Clock;
  /** Gets a grant that was called pending, because its time was up, once its end is on record after all. */
  readonly onLateEnd?: (grant: Grant) => void;
}

/**
 * Revokes a grant whose record says `revoking`.
 * @param until when to leave it to the sweep, in milliseconds since the epoch: a caller no longer waits after that
 * @returns the record once it says `revoked`, or `expired` when only expiry ended access, or `revoking` with the
 * end of its tokens when everything possible was done; undefined when that was on record before
 * @throws DependencyError when access could not be revoked, or the revocation could not be recorded
 */
export async function revokeGrant(deps: RevokeDeps, grant: Grant, until: number): Promise<Grant | undefined> {
  // What can be taken away was; its tokens' end is awaited.
  if (grant.access_ended_at !== null)
    return deps.clock.now() < grant.access_ended_at ? undefined : deps.ledger.expire(grant);
  try {
    await removeAccess(deps, grant, until);
  } catch (error) {
    // A database or an account that is gone or out of reach for good: by now the grant's own end has taken access away.
    const expired = deps.clock.now() < until ? await deps.ledger.expire(grant) : undefined;
    if (expired) return expired;
    throw error;
  }
  if (deps.clock.now() >= until)
    throw new DependencyError('revocation', 'not_recorded', 'done too late to be recorded; the sweep records it');
  return deps.ledger.confirmRevoked(grant);
}

async function removeAccess(deps: RevokeDeps, grant: Grant, until: number): Promise<void> {
  const access = revocableAccess(grant);
  switch (access?.by) {
    case 'grant_document': {
      const { project, database } = access;
      return deps.closeGrantDocument({ project, database, grant_id: grantIdOf(grant) }, deps.clock.now());
    }
    case 'service_account':
      return deps.disableAccount(access.email, auditReason(grant.subject.id), until);
    case undefined:
      throw new Error('a token of a shared account cannot be taken away');
  }
}
