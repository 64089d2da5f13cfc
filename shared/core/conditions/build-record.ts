// What the ledger keeps of a build for the conditions of rules: who started it, and which of its block steps were unblocked by whom.
// Buildkite reports each in a webhook, in any order and any number of times, and a look by its REST API has them all. Both are merged
// here: what is known of a build only grows. Times are milliseconds since the epoch. People are known by the UUIDs that Buildkite gives them.

import * as z from 'zod';
import { BUILD_RETENTION_MS } from '../timing.ts';

const MINUTE = 60_000;
/** Until the next look while jobs wait: after the first, the second and so on. Webhooks usually come before. */
const LOOK_AGAIN_MS = [0, 1, 2, 4, 8, 15].map((minutes) => minutes * MINUTE);

/** Block steps of one build that are kept: those that were unblocked first. */
const MAX_UNBLOCKS = 100;
/** Characters of a reason that are kept. */
export const LONGEST_REASON = 500;
/** Characters of a step's key. A longer one is not kept, and no policy can name it. */
export const LONGEST_STEP_KEY = 256;
/** The metadata of a build that says why it was started. */
export const REASON_KEY = 'break-glass-reason';

const time = z.number();
const unblockSchema = z.object({
  /** Of the block step, which Buildkite calls a manual job. A step that is retried is another job. */
  job_id: z.string(),
  step_key: z.string(),
  /** The same for all retries of a step; null where Buildkite did not say. */
  step_id: z.string().nullable(),
  /** Null where Buildkite names nobody. */
  unblocked_by: z.string().nullable(),
  unblocked_at: time,
});
export type Unblock = z.output<typeof unblockSchema>;

export const buildRecordSchema = z.object({
  pipeline_id: z.string(),
  build_number: z.number(),
  /** The slugs by which Buildkite's REST API finds it; null until a job of it requested something. */
  organization_slug: z.string().nullable(),
  pipeline_slug: z.string().nullable(),
  build_id: z.string().nullable(),
  /** Whether Buildkite has said who started it. */
  creator_known: z.boolean(),
  /** Null also where Buildkite names nobody. */
  creator: z.string().nullable(),
  /** Why, in the words of its metadata `break-glass-reason`; null where there is none. */
  reason: z.string().max(LONGEST_REASON).nullable(),
  unblocks: z.array(unblockSchema).max(MAX_UNBLOCKS),
  /** When the sweep next looks the build up at Buildkite, because a job waits for it; null when none does. */
  look_at: time.nullable(),
  /** Looks that were made: each waits longer. */
  looks: z.number(),
  looked_at: time.nullable(),
  delete_at: time,
});
export type BuildRecord = z.output<typeof buildRecordSchema>;

/** What Buildkite said of a build, by a webhook or in a response. What it did not say is undefined. */
export interface BuildNews {
  readonly pipeline_id: string;
  readonly build_number: number;
  readonly build_id?: string | undefined;
  /** Null: Buildkite names nobody. */
  readonly creator?: string | null | undefined;
  readonly reason?: string | undefined;
  readonly unblocks: readonly Unblock[];
}

/**
 * A reason as it is kept; undefined where there is none. Firestore stores no half of a surrogate pair. Any job of the build may write it,
 * and people read it in a terminal.
 */
export function toReason(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  return (
    text
      .slice(0, LONGEST_REASON)
      .toWellFormed()
      .replace(/\p{Cc}+/gu, ' ')
      .trim() || undefined
  );
}

/** The document id. The number of a build is unique within its pipeline alone. */
export function buildRecordId(pipeline_id: string, build_number: number): string {
  return `${pipeline_id}_${build_number}`;
}

/**
 * The record with what is new. A fact that is on record stays: Buildkite does not change who started a build or unblocked a job.
 * Where it named nobody, it may name somebody later.
 * @returns the record as it was where nothing is new
 */
export function addNews(existing: BuildRecord | undefined, news: BuildNews, now: number): BuildRecord {
  const record = existing ?? emptyBuildRecord(news, now);
  const byJob = new Map(record.unblocks.map((unblock) => [unblock.job_id, unblock]));
  for (const unblock of news.unblocks) {
    const known = byJob.get(unblock.job_id);
    byJob.set(unblock.job_id, known ? completed(known, unblock) : unblock);
  }
  const unblocks = [...byJob.values()]
    .sort((left, right) => left.unblocked_at - right.unblocked_at || (left.job_id < right.job_id ? -1 : 1))
    .slice(0, MAX_UNBLOCKS);
  const creator_known = record.creator_known || news.creator !== undefined;
  const next: BuildRecord = {
    ...record,
    build_id: record.build_id ?? news.build_id ?? null,
    creator_known,
    creator: record.creator ?? news.creator ?? null,
    reason: record.reason ?? toReason(news.reason) ?? null,
    unblocks,
    delete_at: Math.max(record.delete_at, now + BUILD_RETENTION_MS),
  };
  return existing && sameFacts(existing, next) ? existing : next;
}

/** What was not known of an unblock. */
function completed(known: Unblock, { step_id, unblocked_by, unblocked_at }: Unblock): Unblock {
  const found = known.unblocked_by === null ? { unblocked_by, unblocked_at } : {};
  return { ...known, ...found, step_id: known.step_id ?? step_id };
}

export function emptyBuildRecord(
  { pipeline_id, build_number }: Pick<BuildNews, 'pipeline_id' | 'build_number'>,
  now: number,
): BuildRecord {
  return {
    pipeline_id,
    build_number,
    organization_slug: null,
    pipeline_slug: null,
    build_id: null,
    creator_known: false,
    creator: null,
    reason: null,
    unblocks: [],
    look_at: null,
    looks: 0,
    looked_at: null,
    delete_at: now + BUILD_RETENTION_MS,
  };
}

/**
 * The record of a build that a job waits for. It keeps a look that is due already, and the next one waits longer each time.
 * @returns the record as it was where a look is due already
 */
export function requestLook(
  existing: BuildRecord | undefined,
  build: Pick<BuildRecord, 'pipeline_id' | 'build_number' | 'organization_slug' | 'pipeline_slug'>,
  now: number,
): BuildRecord {
  const record = existing ?? emptyBuildRecord(build, now);
  if (existing && existing.look_at !== null) return existing;
  const wait = LOOK_AGAIN_MS[Math.min(record.looks, LOOK_AGAIN_MS.length - 1)] as number;
  const { organization_slug, pipeline_slug } = build;
  const look_at = Math.max(now, (record.looked_at ?? 0) + wait);
  return {
    ...record,
    organization_slug,
    pipeline_slug,
    look_at,
    delete_at: Math.max(record.delete_at, now + BUILD_RETENTION_MS),
  };
}

/** The record after a look, with what it found: undefined when Buildkite did not show the build, or did not respond. */
export function addLook(record: BuildRecord, news: BuildNews | undefined, now: number): BuildRecord {
  return { ...(news ? addNews(record, news, now) : record), look_at: null, looks: record.looks + 1, looked_at: now };
}

function sameFacts(one: BuildRecord, other: BuildRecord): boolean {
  const factsOf = ({ build_id, creator_known, creator, reason, unblocks }: BuildRecord) =>
    JSON.stringify([build_id, creator_known, creator, reason, unblocks]);
  return factsOf(one) === factsOf(other);
}
