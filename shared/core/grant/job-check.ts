// When a job is next looked up at Buildkite, and in which order. Only Buildkite's response moves the next check of a
// job; a failed lookup backs off. Times are milliseconds since the epoch. Pure.
//
// Buildkite allows 50 calls a minute to the user of an API token (buildkite.com/docs/apis/rest-api/rate-limits). A sweep
// runs each minute, so a check after 4.5 minutes falls into the fifth sweep: 250 builds need 50 calls each minute.

import type { Build } from '../subject/buildkite-job.ts';
import { CHECK_EVERY_MS, FIRST_CHECK_MS, UNKNOWN_AGAIN_MS } from '../timing.ts';
import type { JobRecord } from './job-record.ts';

const MINUTE = 60_000;

/** Calls to Buildkite within any minute, of all sweeps together. */
export const CALLS_PER_MINUTE = 50;
/** A minute, and a margin for the way of a call to Buildkite. */
const CALL_WINDOW_MS = MINUTE + 100;
const LONGEST_BACK_OFF_MS = 15 * MINUTE;

export type Check = Partial<Pick<JobRecord, 'check_at' | 'checks_failed' | 'unchecked_since'>>;

/** @param random at least 0 and less than 1 */
export function firstCheckAt(now: number, random: number): number {
  return now + Math.ceil(random * FIRST_CHECK_MS);
}

/** After Buildkite responded, and the job has not finished. */
export function checkAfterResponse(outcome: 'running' | 'unknown', now: number): Check {
  const again = outcome === 'running' ? CHECK_EVERY_MS : UNKNOWN_AGAIN_MS;
  return { check_at: now + again, checks_failed: 0, unchecked_since: now };
}

/** After a lookup failed: 1, 2, 4, 8 and then 15 minutes later. */
export function checkAfterFailure({ checks_failed }: Pick<JobRecord, 'checks_failed'>, now: number): Check {
  const backOff = Math.min(MINUTE * 2 ** checks_failed, LONGEST_BACK_OFF_MS);
  return { check_at: now + backOff, checks_failed: checks_failed + 1 };
}

/** For a job with no live grant: nothing of it is left to end. */
export const NO_CHECK: Check = { check_at: null, checks_failed: 0, unchecked_since: null };

export interface BuildToCheck<T> {
  readonly build: Build;
  readonly jobs: readonly T[];
}

/** The jobs by build: the one whose check is due longest comes first, and chance decides between equals. */
export function byBuild<T extends { readonly record: JobRecord }>(
  jobs: readonly T[],
  random: () => number,
): BuildToCheck<T>[] {
  const groups = Map.groupBy(jobs, ({ record }) => JSON.stringify(record.build));
  const keyed = [...groups.values()].flatMap((group) => {
    const build = group[0]?.record.build;
    const dueAt = Math.min(...group.map(({ record }) => record.check_at ?? 0));
    return build ? [{ build, jobs: group, dueAt, key: random() }] : [];
  });
  return keyed.sort((left, right) => left.dueAt - right.dueAt || left.key - right.key);
}

/** When the next call may begin, after calls at these times (oldest first). */
export function nextCallAt(calls: readonly number[], now: number): number {
  const blocking = calls.at(-CALLS_PER_MINUTE);
  return blocking === undefined ? now : Math.max(now, blocking + CALL_WINDOW_MS);
}

/** The calls that still count, oldest first. */
export function recentCalls(calls: readonly number[], now: number): number[] {
  const recent = calls.filter((at) => at + CALL_WINDOW_MS > now).sort((left, right) => left - right);
  return recent.slice(-CALLS_PER_MINUTE);
}
