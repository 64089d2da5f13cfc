// Tries something again that failed in passing: with growing, jittered pauses, and never past a given time.

import type { Clock } from './clock.ts';
import { DependencyError } from './errors.ts';

export interface Deadline {
  /** When to stop: milliseconds since the epoch. */
  readonly until: number;
  readonly clock: Clock;
}

const MAX_TRIES = 4;
const FIRST_PAUSE_MS = 200;

/**
 * The result of `work`, tried up to four times.
 * @throws DependencyError the last failure; at once when the dependency refused, because a retry does not change that
 */
export async function retry<T>({ until, clock }: Deadline, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const pause = FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.5 + clock.random());
      const giveUp =
        !DependencyError.is(error) || error.rejected || tries === MAX_TRIES || clock.now() + pause >= until;
      if (giveUp) throw error;
      await clock.sleep(pause);
      // An instance that was frozen meanwhile must not act on an old request.
      if (clock.now() >= until) throw error;
    }
  }
}
