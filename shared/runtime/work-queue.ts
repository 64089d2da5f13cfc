// Work on many things at once that stops beginning when its time is up, and how failures are reported.

import type { Clock } from './clock.ts';
import { toFailure } from './errors.ts';

export interface Failure {
  readonly job_id?: string;
  readonly grant_id?: string;
  readonly service_account?: string;
  /** Who failed, where that is known. */
  readonly dependency?: string;
  readonly error: string;
  /** For machines, where the words of `error` would not do. */
  readonly code?: 'unreadable_record' | 'enabled_during_cooldown';
}

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
    readonly name: (item: T) => Omit<Failure, 'dependency' | 'error' | 'code'>;
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
