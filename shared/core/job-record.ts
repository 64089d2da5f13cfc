// What the ledger keeps of a job: the grants it has, and its end. Once it says that the job ended, it is the tombstone
// that keeps every later request of the job from getting anything. Times are milliseconds since the epoch.

import * as z from 'zod';

const RETENTION_MS = 400 * 86_400_000;

const endedBy = z.enum(['job.finished', 'job.found_finished']);
const NOT_ENDING = { ending_at: null, ending_by: null, ending_finished_at: null };

export const jobRecordSchema = z.object({
  /** Ids of the job's grants, in the order of their first hand-out. */
  grants: z.array(z.string()),
  /** When recording its end began while its job kept writing: nothing is issued from then on. Null once the end is recorded. */
  ending_at: z.number().nullable().default(null),
  ending_by: endedBy.nullable().default(null),
  /** When the job finished by Buildkite's clock, as the message said that began it. */
  ending_finished_at: z.number().nullable().default(null),
  ended_at: z.number().nullable(),
  ended_by: endedBy.nullable(),
  delete_at: z.number(),
});
export type JobRecord = z.output<typeof jobRecordSchema>;

/** The record with one more grant. */
export function withGrant(existing: JobRecord | undefined, grant_id: string, now: number): JobRecord {
  const grants = [...(existing?.grants ?? []), grant_id];
  return { ...NOT_ENDING, ended_at: null, ended_by: null, ...existing, grants, delete_at: now + RETENTION_MS };
}

/** How a job's end became known: Buildkite said so, or was asked. */
export type JobEndedBy = NonNullable<JobRecord['ended_by']>;

/** What marks a job as ending: one write that no other can make fail, which every issue reads. */
export function endingMark(by: JobEndedBy, finished_at: number | undefined, now: number) {
  return { ending_at: now, ending_by: by, ending_finished_at: finished_at ?? null } satisfies Partial<JobRecord>;
}

/** When the job's end was recorded, or began to be; undefined while it runs. From then on nothing is issued. */
export function endOf(record: JobRecord | undefined): number | undefined {
  return record?.ended_at ?? record?.ending_at ?? undefined;
}

/** The record as a tombstone. */
export function asEnded(existing: JobRecord | undefined, ended_by: JobEndedBy, now: number): JobRecord {
  return { ...NOT_ENDING, grants: existing?.grants ?? [], ended_at: now, ended_by, delete_at: now + RETENTION_MS };
}
