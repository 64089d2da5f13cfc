// A pooled service account as it is on record. It serves one job at a time, is disabled when that job ends, and rests
// until the last token ever issued from it has expired. Times are milliseconds since the epoch and end in `_at` or
// `_until`. How it changes: account-life.ts. An account without a record has never served: it is free.

import * as z from 'zod';

const time = z.number();

/** An account as it is stored. Document id: the account's e-mail address. */
export const accountSchema = z.object({
  /** The credential whose pool it is in, and how many accounts that pool had when it was last leased. */
  pool: z.string(),
  pool_size: z.number(),
  state: z.enum(['free', 'leased', 'revoking', 'resting']),
  /** The grant it serves, or served last while it is being disabled or rests; null when it is free. */
  grant: z.string().nullable(),
  /** When it was last leased. */
  leased_at: time,
  /** No token of it is accepted any more from then on: it may serve another job, and if disabled be enabled. */
  rests_until: time,
  /** When IAM last confirmed that it is disabled; null when it was not disabled for this grant. */
  disabled_at: time.nullable(),
  /** When a sweep began to enable it. Nobody else may, until that sweep can no longer be at it. */
  waking_at: time.nullable(),
  /** When IAM was last asked whether it is still disabled. */
  checked_at: time.nullable(),
  /** Null unless it is free: a record that something depends on is never deleted. */
  delete_at: time.nullable(),
});
export type Account = z.output<typeof accountSchema>;
