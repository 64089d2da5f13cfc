// What the ledger keeps of a job: the grants it has, and its end. Once it says that the job ended, it is the tombstone
// that keeps every later request of the job from getting anything. Times are milliseconds since the epoch.

import * as z from 'zod';

const RETENTION_MS = 400 * 86_400_000;

export const jobRecordSchema = z.object({
  /** Ids of the job's grants, in the order of their first hand-out. */
  grants: z.array(z.string()),
  ended_at: z.number().nullable(),
  ended_by: z.enum(['job.finished', 'job.found_finished']).nullable(),
  delete_at: z.number(),
});
export type JobRecord = z.output<typeof jobRecordSchema>;

/** The record with one more grant. */
export function withGrant(existing: JobRecord | undefined, grant_id: string, now: number): JobRecord {
  const grants = [...(existing?.grants ?? []), grant_id];
  return { ended_at: null, ended_by: null, ...existing, grants, delete_at: now + RETENTION_MS };
}

/** How a job's end became known: Buildkite said so, or was asked. */
export type JobEndedBy = NonNullable<JobRecord['ended_by']>;

/** The record as a tombstone. */
export function asEnded(existing: JobRecord | undefined, ended_by: JobEndedBy, now: number): JobRecord {
  return { grants: existing?.grants ?? [], ended_at: now, ended_by, delete_at: now + RETENTION_MS };
}
