// Says what the sandbox is doing while it starts: a line when a step begins, a line when it is done, and every few seconds a
// line about the steps that still run. The lines are the same on a terminal and on a pipe.

import { type Clock, systemClock } from '../shared/runtime/clock.ts';

const REPORT_EVERY_MS = 5_000;

export interface Progress {
  /**
   * Runs a step.
   * @param name for the lines, such as "the Auth emulator"
   * @param expectation what the step does or how long it takes, in parentheses after its name
   */
  step<T>(name: string, expectation: string, start: () => Promise<T>): Promise<T>;
}

export const NO_PROGRESS: Progress = { step: (_name, _expectation, start) => start() };

/** @param print takes a line */
export function createProgress(print: (line: string) => void, clock: Clock = systemClock): Progress {
  const running = new Map<string, number>();
  const secondsSince = (at: number) => Math.round((clock.now() - at) / 1000);

  const report = async (ended: AbortSignal): Promise<void> => {
    for (;;) {
      await clock.sleep(REPORT_EVERY_MS, ended);
      const waiting = [...running].map(([name, at]) => `${name} (${secondsSince(at)} s)`);
      print(`waiting for ${waiting.join(', ')}…`);
    }
  };
  let reporting: AbortController | undefined;

  return {
    step: async (name, expectation, start) => {
      print(`starting ${name}${expectation === '' ? '' : ` (${expectation})`}…`);
      const at = clock.now();
      running.set(name, at);
      if (!reporting) {
        reporting = new AbortController();
        report(reporting.signal).catch(() => {});
      }
      try {
        const result = await start();
        print(`${name}: ready after ${secondsSince(at)} s`);
        return result;
      } finally {
        running.delete(name);
        if (running.size === 0) {
          reporting?.abort();
          reporting = undefined;
        }
      }
    },
  };
}
