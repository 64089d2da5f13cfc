// A grant as it is on record: one job's hold on one credential. Repeats and renewals land on the same record. Times are
// milliseconds since the epoch and end in `_at` or `_since`. How it changes: reserve.ts, activate.ts, end.ts. Knows nothing about Firestore or Google.

import * as z from 'zod';
import { conditionBasisSchema } from '../conditions/basis.ts';
import { firestoreRecord } from '../kinds/firestore.ts';
import { pooledServiceAccountRecord } from '../kinds/pooled-service-account.ts';
import { serviceAccountRecord } from '../kinds/service-account.ts';
import { storedStorageScope } from '../policy/storage-key.ts';
import { subjectSchema } from '../subject/buildkite-job.ts';
import { END_CAUSE_NAMES } from './end-causes.ts';

export const GRANT_STATES = ['issuing', 'active', 'revoking', 'revoked', 'expired'] as const;
/** Those of grants that have not come to their end. */
export const LIVE_STATES = [
  'issuing',
  'active',
  'revoking',
] as const satisfies readonly (typeof GRANT_STATES)[number][];

const time = z.number();
const common = {
  subject: subjectSchema,
  credential: z.string(),
  environment: z.string(),
  rule: z.string(),
  policy_sha256: z.string(),
  /** Of the latest issuance; null where the rule has no conditions. */
  conditions: conditionBasisSchema.nullable().default(null),
  state: z.enum(GRANT_STATES),
  created_at: time,
  /** When it was last requested. */
  requested_at: time,
  /** When a token last left; null while none has. */
  issued_at: time.nullable(),
  tokens_issued: z.number(),
  /** Requests for a token since `rate_window_at`, within a minute of it. */
  rate_window_at: time,
  rate_window_count: z.number(),
  /** Each token that may be accepted, with the latest moment at which it could be. */
  tokens: z.array(z.object({ sha256: z.string(), expires_at: time })),
  /** No token of this grant lives longer. */
  expires_at: time,
  /** When the grant stopped being renewed. */
  ended_at: time.nullable(),
  ended_by: z.enum(END_CAUSE_NAMES).nullable(),
  /** When recording its end began while its job kept writing: who reads this issues nothing. Null once it has ended. */
  ending_since: time.nullable().default(null),
  ending_by: z.enum(['released', 'kill_switch']).nullable().default(null),
  ending_kill_switch_id: z.string().nullable().default(null),
  /** The act of an operator that ended it. */
  kill_switch_id: z.string().nullable(),
  /** When the job ended; null while it runs, and where the grant had been taken away before. */
  job_ended_at: time.nullable(),
  /** When the job finished by Buildkite's clock, where it says so and that can be. */
  job_finished_at: time.nullable().default(null),
  /** From when on no token of this grant is accepted any more. */
  access_ended_at: time.nullable(),
  delete_at: time,
};

/**
 * On what basis, and for what, tokens were issued before policy changed. Their latest end; kept until that has passed.
 */
const superseded = z
  .array(
    z.object({
      rule: z.string(),
      policy_sha256: z.string(),
      /** Who approved it; null where nobody had to. */
      approved_by: z.string().nullable().default(null),
      /** Empty for what rules judge or a boundary narrows. */
      scopes: z.array(z.string()),
      storage: storedStorageScope,
      expires_at: time,
    }),
  )
  .default([]);

/** A grant as it is stored. Document id: see id.ts. */
export const grantSchema = z.discriminatedUnion('kind', [
  z.object({ ...common, superseded, ...firestoreRecord }),
  z.object({ ...common, superseded, ...serviceAccountRecord }),
  z.object({ ...common, superseded, ...pooledServiceAccountRecord }),
]);
export type Grant = z.output<typeof grantSchema>;
