// Work on many things at once that stops beginning when its time is up, and how failures are reported.

import type { Clock } from './clock.ts';
import { type FailureFacts, toFailure } from './errors.ts';

/** What was worked on when it failed. */
export interface FailureSubject {
  readonly job_id?: string;
  readonly grant_id?: string;
  readonly service_account?: string;
  readonly build_record_id?: string;
  /** The UUID of a Buildkite team. */
  readonly team_id?: string;
}
export type Failure = FailureSubject & FailureFacts;

const CONCURRENCY = 10;

/**
 * Works on the items, ten at once, and begins none after `until`. What fails is added to `failures`.
 * @returns the items that it did not come to
 */
export async function forEachConcurrently<T>(
  items: readonly T[],
  options: {
    readonly until: number;
    readonly clock: Clock;
    readonly failures: Failure[];
    readonly name: (item: T) => FailureSubject;
  },
  work: (item: T) => Promise<unknown>,
): Promise<readonly T[]> {
  const { until, clock, failures, name } = options;
  const waiting = [...items];
  const worker = async () => {
    while (clock.now() < until) {
      const item = waiting.shift();
      if (item === undefined) return;
      try {
        await work(item);
      } catch (error) {
        failures.push({ ...name(item), ...toFailure(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return waiting;
}
