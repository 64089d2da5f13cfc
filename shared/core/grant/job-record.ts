// What the ledger keeps of a job: the grants it has, when it is next looked up at Buildkite, and its end. Once it says that
// the job ended, it is the tombstone that keeps every later request of the job from getting anything. Times are
// milliseconds since the epoch.

import * as z from 'zod';
import { type Build, buildSchema } from '../subject/buildkite-job.ts';
import { RECORD_RETENTION_MS } from '../timing.ts';
import { JOB_END_CAUSE_NAMES, type JobEndCauseName } from './end-causes.ts';
import { firstCheckAt } from './job-check.ts';

const endedBy = z.enum(JOB_END_CAUSE_NAMES).nullable();

/** A job that is marked as ending is due before every other, by every clock. */
const BEFORE_ALL_OTHERS = 0;
const NOT_ENDING = { ending_since: null, ending_by: null, ending_finished_at: null };

export const jobRecordSchema = z.object({
  /** Ids of the job's grants, in the order in which they were first issued. */
  grants: z.array(z.string()),
  /** Null for a job that never held a grant. */
  build: buildSchema.nullable().default(null),
  /** When the job is next looked up at Buildkite; null once that no longer matters. */
  check_at: z.number().nullable().default(null),
  /** Lookups that failed since Buildkite last responded about the job. */
  checks_failed: z.number().default(0),
  /** When Buildkite last responded about the job, or its first grant was issued; null while `check_at` is. */
  unchecked_since: z.number().nullable().default(null),
  /** When recording its end began while its job kept writing: who reads this issues nothing. Null once the end is recorded. */
  ending_since: z.number().nullable().default(null),
  ending_by: endedBy.default(null),
  /** When the job finished by Buildkite's clock, as the message said that began it. */
  ending_finished_at: z.number().nullable().default(null),
  ended_at: z.number().nullable(),
  ended_by: endedBy,
  delete_at: z.number(),
});
export type JobRecord = z.output<typeof jobRecordSchema>;

const EMPTY = jobRecordSchema.parse({ grants: [], ended_at: null, ended_by: null, delete_at: 0 });

/**
 * The record with a grant that is new, or that had expired. A check that is already due keeps its time. A job without live
 * grants was not looked up and may have ended meanwhile, so the next sweep looks it up.
 */
export function addGrant(
  existing: JobRecord | undefined,
  grant: { readonly id: string; readonly build: Build },
  { now, random }: { readonly now: number; readonly random: number },
): JobRecord {
  const record = existing ?? EMPTY;
  const check_at = record.check_at ?? (existing ? now : firstCheckAt(now, random));
  const check = record.check_at === null ? { check_at, unchecked_since: now } : {};
  return {
    ...record,
    ...check,
    build: grant.build,
    grants: record.grants.includes(grant.id) ? record.grants : [...record.grants, grant.id],
    delete_at: now + RECORD_RETENTION_MS,
  };
}

/**
 * What marks a job as ending: one write that no other can make fail, which every issue reads. The sweep finds it as due, and
 * finishes it should this be cut off.
 */
export function endMark(by: JobEndCauseName, finished_at: number | undefined, now: number) {
  return {
    ending_since: now,
    ending_by: by,
    ending_finished_at: finished_at ?? null,
    check_at: BEFORE_ALL_OTHERS,
  } satisfies Partial<JobRecord>;
}

/** When the job's end was recorded, or began to be; undefined while it runs. From then on nothing is issued. */
export function endTimeOf(record: JobRecord | undefined): number | undefined {
  return record?.ended_at ?? record?.ending_since ?? undefined;
}

/** The record of a job that had ended when it was marked as ending. */
export function withoutEndMark(record: JobRecord): JobRecord {
  return { ...record, ...NOT_ENDING, check_at: null };
}

/** The record as a tombstone. */
export function toTombstone(existing: JobRecord | undefined, ended_by: JobEndCauseName, now: number): JobRecord {
  const unchecked = { check_at: null, unchecked_since: null };
  return {
    ...(existing ?? EMPTY),
    ...NOT_ENDING,
    ...unchecked,
    ended_at: now,
    ended_by,
    delete_at: now + RECORD_RETENTION_MS,
  };
}
