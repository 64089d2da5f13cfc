// I6: from a state, every process is cut off, and only sweeps and time go on. Every grant must come to its end, and every account must
// be free and enabled again.

import { nextInstant } from './instants.ts';
import { violations } from './invariants.ts';
import { restKey } from './key.ts';
import type { Model } from './model.ts';
import type { Process } from './process.ts';
import type { State } from './state.ts';
import { passUntil, proceed, type Step } from './steps.ts';
import { isOver, sweepStarts } from './sweep.ts';
import type { Visited } from './visited.ts';

/** Moments at which sweeps run. The longest way is about ten. */
const MOST_INSTANTS = 200;

export interface Drain {
  readonly violation: string;
  readonly history: readonly string[];
}

/**
 * What goes wrong; undefined when everything ends.
 * @param ended where that is known
 */
export function drain(model: Model, from: State, ended: Visited): Drain | undefined {
  const history = ['every process is cut off, and only sweeps go on'];
  const passed: string[] = [];
  let state: State = { ...from, processes: [], killing: null, budget: { ...from.budget, faults: 0, crashes: 0 } };
  let wrong: string | undefined;
  const take = (step: Step): void => {
    wrong ??= [...step.violations, ...violations(model, state, step.state)][0];
    history.push(step.label);
    state = step.state;
  };
  const sweepOnce = (): void => {
    for (let work = endingWork(model, state); work.length > 0 && wrong === undefined; ) {
      const before = state;
      for (const process of work) {
        state = { ...state, processes: [process] };
        while (state.processes.length > 0 && wrong === undefined) {
          const [step] = proceed(model, state, 0);
          if (!step) throw new Error('a process without a next step');
          take(step);
        }
      }
      work = isSame(before, state) ? [] : endingWork(model, state);
    }
  };
  for (let instants = 0; instants < MOST_INSTANTS; instants += 1) {
    sweepOnce();
    if (wrong !== undefined) return { violation: wrong, history };
    const key = restKey(state);
    if (isOver(state) || ended.has(key)) {
      for (const known of passed) ended.add(known);
      return undefined;
    }
    passed.push(key);
    const next = nextInstant(model, state);
    if (next === undefined) break;
    take(passUntil(state, next));
  }
  return { violation: 'I6: not everything comes to its end', history };
}

/** What a sweep begins that may end something. A look at an account in cooldown does not. */
function endingWork(model: Model, state: State): Process[] {
  return sweepStarts(model, state).filter(({ kind }) => kind !== 'recheck');
}

/** Whether a round of sweeps changed nothing. */
function isSame(before: State, after: State): boolean {
  return before.next === after.next && before.disabled === after.disabled;
}
