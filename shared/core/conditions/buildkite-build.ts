// What a webhook and Buildkite's REST API say of a build in the same form: who started it, and a block step that somebody unblocked.
// Source: buildkite.com/docs/apis/rest-api/jobs (unblock a job) and /builds.

import * as z from 'zod';
import { neededTimestamp } from '../webhook/timestamp.ts';
import { LONGEST_STEP_KEY, type Unblock } from './build-record.ts';

/** In lower case. */
export const uuidSchema = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i)
  .transform((value) => value.toLowerCase());

const named = z.object({ id: uuidSchema });

/** The UUID of a user; null where Buildkite names nobody. */
export const userSchema = named.nullable().transform((user) => user?.id ?? null);

/** A block step with a key, which was unblocked. Buildkite calls it a manual job. Input steps have the same form. */
export const blockStepSchema = z
  .object({
    id: uuidSchema,
    type: z.literal('manual'),
    step_key: z
      .string()
      .min(1)
      .max(LONGEST_STEP_KEY)
      .refine((key) => key.isWellFormed()),
    step: named.nullish().catch(undefined),
    unblocked_by: userSchema,
    unblocked_at: neededTimestamp,
  })
  .transform(
    ({ id, step_key, step, unblocked_by, unblocked_at }): Unblock => ({
      job_id: id,
      step_key,
      step_id: step?.id ?? null,
      unblocked_by,
      unblocked_at,
    }),
  );
