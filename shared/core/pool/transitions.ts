// The states of a pooled account, and every step between them. docs/LIFECYCLE.md draws this table, and the ledger writes no
// step that is not in it. How a step comes about: lifecycle.ts.

import type { Account } from './account.ts';

export const ACCOUNT_TRANSITIONS = {
  none: ['leased', 'shared'],
  free: ['leased', 'shared'],
  shared: ['shared', 'leased'],
  leased: ['leased', 'free', 'revoking', 'cooling_down'],
  revoking: ['cooling_down'],
  cooling_down: ['cooling_down', 'free'],
} as const satisfies Record<Account['state'] | 'none', readonly Account['state'][]>;

/** Throws when an account may not become what `after` says: then a defect would have been written. */
export function assertAccountTransition(before: Account | undefined, after: Account): void {
  const allowed: readonly string[] = ACCOUNT_TRANSITIONS[before?.state ?? 'none'];
  if (!allowed.includes(after.state))
    throw new Error(`an account may not go from ${before?.state ?? 'none'} to ${after.state}`);
}
