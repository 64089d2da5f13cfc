// The states of a grant and of a pooled account, and every step between them. docs/LIFECYCLE.md draws these tables, and the
// ledger writes no step that is not in them. How a step comes about: grant-life.ts and account-life.ts.

import type { Account } from './account.ts';
import type { Grant } from './grant.ts';

/** From which state a record may become what; `none` is a record that does not exist. */
export const GRANT_STEPS = {
  none: ['issuing'],
  issuing: ['issuing', 'active', 'revoking', 'expired'],
  active: ['active', 'revoking', 'expired'],
  revoking: ['revoking', 'revoked', 'expired'],
  revoked: [],
  expired: ['expired', 'issuing'],
} as const satisfies Record<Grant['state'] | 'none', readonly Grant['state'][]>;

export const ACCOUNT_STEPS = {
  none: ['leased', 'shared'],
  free: ['leased', 'shared'],
  shared: ['shared', 'leased'],
  leased: ['leased', 'free', 'revoking', 'cooling_down'],
  revoking: ['cooling_down'],
  cooling_down: ['cooling_down', 'free'],
} as const satisfies Record<Account['state'] | 'none', readonly Account['state'][]>;

/** Throws when a grant may not become what `after` says: then a defect would have been written. */
export function checkGrantStep(before: Grant | undefined, after: Grant): void {
  const steps: readonly string[] = GRANT_STEPS[before?.state ?? 'none'];
  if (!steps.includes(after.state))
    throw new Error(`a grant may not go from ${before?.state ?? 'none'} to ${after.state}`);
}

/** The same for an account. */
export function checkAccountStep(before: Account | undefined, after: Account): void {
  const steps: readonly string[] = ACCOUNT_STEPS[before?.state ?? 'none'];
  if (!steps.includes(after.state))
    throw new Error(`an account may not go from ${before?.state ?? 'none'} to ${after.state}`);
}
