// Breadth-first search over every state within the bounds. What it finds wrong is printed as the shortest history that leads there.

import { drain } from './drain.ts';
import { violations } from './invariants.ts';
import { keyOf, restKey } from './key.ts';
import { type Bounds, createModel, firstState, type Model } from './model.ts';
import type { State } from './state.ts';
import { type Step, successors } from './steps.ts';
import { PRODUCT, type Transitions } from './transitions.ts';
import { Visited } from './visited.ts';

export interface SearchResult {
  readonly states: number;
  /** Steps from one state to another, or back to one that was seen. */
  readonly steps: number;
  /** The most steps that lead to a state. */
  readonly depth: number;
  /** Ledgers from which it was checked that everything ends by itself. */
  readonly drained: number;
  /** Whether every state within the bounds was seen. */
  readonly complete: boolean;
  readonly counterexample: Counterexample | undefined;
}

interface Counterexample {
  /** Such as `I2`; `STATES` where the tables of transitions refuse a step. */
  readonly invariant: string;
  readonly text: string;
  /** What happened, in order. */
  readonly history: readonly string[];
}

/** Where each state came from: its predecessor, and which of its steps. */
class Origins {
  readonly #from: number[] = [];
  readonly #step: number[] = [];

  add(from: number, step: number): number {
    this.#from.push(from);
    return this.#step.push(step) - 1;
  }

  /** Which step to take, in each state from the first. */
  pathTo(at: number): number[] {
    const path: number[] = [];
    for (let place = at; (this.#from[place] ?? -1) >= 0; place = this.#from[place] ?? -1)
      path.unshift(this.#step[place] ?? 0);
    return path;
  }
}

/** @param options.most states, after which it stops */
export function search(
  bounds: Bounds,
  options: {
    readonly transitions?: Transitions;
    readonly most?: number;
    readonly progress?: (line: string) => void;
  } = {},
): SearchResult {
  const { transitions = PRODUCT, most = Number.POSITIVE_INFINITY, progress = () => {} } = options;
  const model = createModel(bounds, transitions);
  const seen = new Visited();
  const ended = new Visited();
  const rest = new Visited();
  const origins = new Origins();
  const first = firstState(model);
  let frontier: { readonly state: State; readonly at: number }[] = [{ state: first, at: origins.add(-1, 0) }];
  let [steps, depth] = [0, 0];
  seen.add(keyOf(first));
  const result = (complete: boolean, counterexample?: Counterexample): SearchResult => {
    return { states: seen.size, steps, depth, drained: rest.size, complete, counterexample };
  };
  while (frontier.length > 0) {
    const next: typeof frontier = [];
    for (const { state, at } of frontier) {
      const following = successors(model, state);
      for (let index = 0; index < following.length; index += 1) {
        const step = following[index] as Step;
        steps += 1;
        const wrong = [...step.violations, ...violations(model, state, step.state)];
        const history = () => historyOf(model, [...origins.pathTo(at), index]);
        if (wrong[0] !== undefined) return result(false, toCounterexample(wrong[0], history()));
        if (!seen.add(keyOf(step.state))) continue;
        const place = origins.add(at, index);
        next.push({ state: step.state, at: place });
        if (isSameRest(state, step.state) || !rest.add(restKey(step.state))) continue;
        const stuck = drain(model, step.state, ended);
        if (stuck) return result(false, toCounterexample(stuck.violation, [...history(), ...stuck.history]));
      }
      if (seen.size > most) return result(false);
    }
    frontier = next;
    depth += 1;
    progress(`${bounds.name}: depth ${depth}, ${seen.size} states, ${frontier.length} of them new`);
  }
  return result(true);
}

/** Whether the two differ at most in their processes. */
function isSameRest(before: State, after: State): boolean {
  return (
    before.next === after.next &&
    before.now === after.now &&
    before.disabled === after.disabled &&
    before.blocks === after.blocks &&
    before.late.length === after.late.length &&
    before.tokens === after.tokens
  );
}

function toCounterexample(violation: string, history: readonly string[]): Counterexample {
  const colon = violation.indexOf(':');
  return { invariant: violation.slice(0, colon), text: violation.slice(colon + 2), history };
}

function historyOf(model: Model, path: readonly number[]): string[] {
  const history: string[] = [];
  let state = firstState(model);
  for (const index of path) {
    const step = successors(model, state)[index];
    if (!step) throw new Error('a step that led here is gone');
    history.push(step.label);
    state = step.state;
  }
  return history;
}
