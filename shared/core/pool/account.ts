// A service account on record: pooled, or shared by jobs. A pooled one serves one job at a time, is disabled when that job
// ends, and cools down until the last token ever issued from it has expired. Times are milliseconds since the epoch and end in `_at`,
// `_until` or `_since`. How it changes: pool/lifecycle.ts. An account without a record has never served: it is free.

import * as z from 'zod';

const time = z.number();

/** An account as it is stored. Document id: the account's e-mail address. */
export const accountSchema = z.object({
  /** The credential that it serves, and how many accounts the pool had when it was last leased; 0 for a shared one. */
  pool: z.string(),
  pool_size: z.number(),
  state: z.enum(['free', 'leased', 'revoking', 'cooling_down', 'shared']),
  /** The grant it serves, or served last while it is revoking or cooling down; null when it is free. */
  grant_id: z.string().nullable(),
  /** When it was last leased, or first shared. */
  leased_at: time,
  /** No token of it is accepted any more from then on: it may serve another job, or a pool, and if disabled be enabled. */
  reusable_at: time,
  /** When IAM last confirmed that it is disabled; null when it was not disabled for this grant. */
  disabled_at: time.nullable(),
  /** When a sweep began to enable it. Nobody else may, until that sweep can no longer be at it. */
  enabling_since: time.nullable(),
  /** When a sweep last began to disable it again. No sweep enables it until none of those requests can take effect any more. */
  disabling_since: time.nullable().default(null),
  /** When IAM last confirmed that it is still disabled. */
  last_checked_at: time.nullable(),
  /** How often IAM said that it is enabled since its cooldown began. One such response may be an old one. */
  found_enabled: z.number().default(0),
  /** Null unless it is free or shared: a record that something depends on is never deleted. */
  delete_at: time.nullable(),
});
export type Account = z.output<typeof accountSchema>;
