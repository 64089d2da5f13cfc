// The text of a policy that was in force, as it is kept: so that the basis of each grant can be read as long as the grant.
// Times are milliseconds since the epoch.

import * as z from 'zod';

export const policyRecordSchema = z.object({
  text: z.string().nullable(),
  text_gzip: z.instanceof(Uint8Array).nullable(),
  first_used_at: z.number(),
  last_started_at: z.number(),
  delete_at: z.number(),
});

/** Bytes of UTF-8. A document of Firestore has 1 MiB at most (firebase.google.com/docs/firestore/quotas): a longer text is compressed. */
export const MAX_PLAIN_TEXT_BYTES = 900_000;
