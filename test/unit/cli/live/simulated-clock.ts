// A clock that goes from the end of one sleep to the end of the next, as soon as nothing else is left to do.

import { setImmediate } from 'node:timers/promises';
import { TestClock } from '../../../fixtures/test-clock.ts';

export class SimulatedClock extends TestClock {
  override readonly sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
    this.sleepUntil(this.now() + milliseconds, signal);

  /** What `work` comes to, with as much time as it takes. */
  async run<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const done = work.finally(() => {
      settled = true;
    });
    done.catch(() => {});
    while (!settled) {
      await setImmediate();
      this.resolveNext(Number.POSITIVE_INFINITY);
    }
    return done;
  }
}
