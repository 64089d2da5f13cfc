// The states of a grant, and every step between them. docs/LIFECYCLE.md draws this table, and the ledger writes no step
// that is not in it. How a step comes about: reserve.ts, activate.ts, end.ts.

import type { Grant } from './grant.ts';

/** From which state a record may become what; `none` is a record that does not exist. */
export const GRANT_TRANSITIONS = {
  none: ['issuing'],
  issuing: ['issuing', 'active', 'revoking', 'expired'],
  active: ['active', 'revoking', 'expired'],
  revoking: ['revoking', 'revoked', 'expired'],
  revoked: [],
  expired: ['expired', 'issuing'],
} as const satisfies Record<Grant['state'] | 'none', readonly Grant['state'][]>;

/** Throws when a grant may not become what `after` says: then a defect would have been written. */
export function assertGrantTransition(before: Grant | undefined, after: Grant): void {
  const allowed: readonly string[] = GRANT_TRANSITIONS[before?.state ?? 'none'];
  if (!allowed.includes(after.state))
    throw new Error(`a grant may not go from ${before?.state ?? 'none'} to ${after.state}`);
}
