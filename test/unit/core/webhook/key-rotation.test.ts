// Every interleaving of a rotation with crashes, aborts, applies of Terraform and a Buildkite that signs with the earlier key for a while:
// a key that may sign is one that every instance has.

import { describe, expect, it } from 'vitest';
import {
  type Goal,
  type KeyVersion,
  nextRotationStep,
  type RotationStep,
} from '../../../../shared/core/webhook/key-rotation.ts';

type Decide = typeof nextRotationStep;

interface State {
  readonly versions: readonly { readonly keys: readonly string[]; readonly enabled: boolean; readonly ran: boolean }[];
  /** Indexes of versions: what the function runs with, and what instances that end may still run with. */
  readonly running: number;
  readonly draining: number | undefined;
  readonly saved: string;
  /** With which Buildkite may sign. */
  readonly maySign: readonly string[];
  /** Buildkite's use of the saved key alone was seen since it was saved. */
  readonly proven: boolean;
}

const START: State = {
  versions: [{ keys: ['key-0'], enabled: true, ran: true }],
  running: 0,
  draining: undefined,
  saved: 'key-0',
  maySign: ['key-0'],
  proven: true,
};
/** Versions that a history may add: enough for a rotation, an abort, and a second rotation. */
const MOST_VERSIONS = 6;

const keysOf = ({ versions }: State, index: number) => versions[index]?.keys ?? [];

function stepIn(state: State, goal: Goal, decide: Decide = nextRotationStep): RotationStep {
  const versions = state.versions.map(({ keys }, index): KeyVersion => ({ number: index + 1, keys }));
  return decide(goal, {
    running: versions[state.running] as KeyVersion,
    versions: versions.filter((_, index) => state.versions[index]?.enabled),
    saved: state.saved,
    proven: state.proven,
  });
}

/** As the command does at first: where nothing is under way, it begins a rotation. */
function toFirst(step: RotationStep, goal: Goal): RotationStep {
  return step.step === 'at_rest' && goal === 'rotate' ? { step: 'store_new_key' } : step;
}

/** What a step does; undefined where it cannot be done now. */
function perform(state: State, step: RotationStep): State | undefined {
  const store = (keys: readonly string[]) =>
    state.versions.length === MOST_VERSIONS
      ? undefined
      : { ...state, versions: [...state.versions, { keys, enabled: true, ran: false }] };
  switch (step.step) {
    case 'store_new_key':
      return store([`key-${state.versions.length}`, state.saved]);
    case 'store_alone':
      return store([step.key]);
    case 'deploy':
      return deploy(state, step.version.number - 1);
    case 'disable':
      return {
        ...state,
        versions: state.versions.map((version, index) =>
          step.numbers.includes(index + 1) ? { ...version, enabled: false } : version,
        ),
      };
    case 'save_at_buildkite':
      // The probe: instances of the revision before would refuse the key, and have to end first.
      return state.draining === undefined || keysOf(state, state.draining).includes(step.key)
        ? { ...state, saved: step.key, maySign: [...new Set([...state.maySign, step.key])].sort(), proven: false }
        : undefined;
    default:
      return undefined;
  }
}

/** A revision with a disabled version does not start. */
function deploy(state: State, index: number): State | undefined {
  const version = state.versions[index];
  if (!version?.enabled || index === state.running || state.draining !== undefined) return undefined;
  const versions = state.versions.map((one, at) => (at === index ? { ...one, ran: true } : one));
  return { ...state, versions, running: index, draining: state.running };
}

/** What happens without the command: instances end, webhooks prove the key, somebody applies a version that ran once. */
function outside(state: State): State[] {
  const drained = state.draining === undefined ? [] : [{ ...state, draining: undefined }];
  const proof = { ...state, maySign: [state.saved], proven: true };
  const applied = state.versions.flatMap(({ ran }, index) => (ran ? (deploy(state, index) ?? []) : []));
  return [...drained, ...(state.proven ? [] : [proof]), ...applied];
}

function isServed(state: State): boolean {
  const serving = [state.running, ...(state.draining === undefined ? [] : [state.draining])];
  return state.maySign.every((key) => serving.every((index) => keysOf(state, index).includes(key)));
}

/** All states that can be reached, each with the event before it. A run may be cut off between any two steps. */
function explore(decide: Decide, goals: readonly Goal[] = ['rotate', 'abort']): State[] {
  const seen = new Map<string, State>([[JSON.stringify(START), START]]);
  const waiting = [START];
  for (let state = waiting.pop(); state; state = waiting.pop()) {
    const from = state;
    const byCommand = goals.flatMap((goal) => perform(from, toFirst(stepIn(from, goal, decide), goal)) ?? []);
    for (const next of [...byCommand, ...outside(from)]) {
      const name = JSON.stringify(next);
      if (seen.has(name)) continue;
      seen.set(name, next);
      waiting.push(next);
    }
  }
  return [...seen.values()];
}

/** Runs `goal` with nothing in its way until there is nothing to do. Buildkite sends webhooks meanwhile. */
function runToEnd(from: State, goal: Goal): State {
  let state = from;
  let acted = false;
  for (let steps = 0; steps < 20; steps += 1) {
    const idle: State = { ...state, draining: undefined, proven: true, maySign: [state.saved] };
    const step = stepIn(idle, goal);
    if (step.step === 'at_rest' && (acted || goal === 'abort')) return idle;
    const next = perform(idle, toFirst(step, goal));
    if (!next) throw new Error(`${step.step} is not possible in ${JSON.stringify(state)}`);
    acted = true;
    state = next.proven ? next : { ...next, proven: true, maySign: [next.saved] };
  }
  throw new Error(`it does not end from ${JSON.stringify(from)}`);
}

describe('a rotation of the webhook key', () => {
  const states = explore(nextRotationStep);

  it('never lets Buildkite sign with a key that an instance lacks, whatever comes between its steps', () => {
    expect(states.length).toBeGreaterThan(500);
    expect(states.filter((state) => !isServed(state))).toEqual([]);
  });

  it.each(['rotate', 'abort'] as const)('%s ends from every state with one key, and with no version of two', (goal) => {
    const few = states.filter(({ versions }) => versions.length <= MOST_VERSIONS - 3);
    expect(few.length).toBeGreaterThan(20);
    for (const state of few) {
      const end = runToEnd(state, goal);
      expect(keysOf(end, end.running)).toEqual([end.saved]);
      expect(end.versions.filter(({ keys, enabled }) => enabled && keys.length > 1)).toEqual([]);
    }
  });

  it('replaces the key, and an abort brings the old one back', () => {
    expect(runToEnd(START, 'rotate').saved).toBe('key-1');
    const begun = states.find(({ saved, proven, running }) => saved === 'key-1' && !proven && running === 1) as State;
    expect(runToEnd(begun, 'abort').saved).toBe('key-0');
  });

  it('disables no version that the function runs with', () => {
    for (const { versions, running } of states) expect(versions[running]?.enabled).toBe(true);
  });

  it.each<[string, Decide]>([
    [
      'saves the key before the function has it',
      (goal, situation) => {
        const [newest] = [...situation.versions].reverse();
        return newest && goal === 'rotate' && newest.keys.length === 2 && newest.keys[0] !== situation.saved
          ? { step: 'save_at_buildkite', key: newest.keys[0] as string }
          : nextRotationStep(goal, situation);
      },
    ],
    [
      'takes the old key away before the new one is seen to sign',
      (goal, situation) => nextRotationStep(goal, { ...situation, proven: true }),
    ],
    [
      'leaves versions enabled that lack a key',
      (goal, situation) => {
        const step = nextRotationStep(goal, situation);
        const [newKey = '', oldKey = ''] = situation.running.keys;
        return step.step === 'disable' && situation.running.keys.length === 2
          ? { step: 'save_at_buildkite', key: goal === 'rotate' ? newKey : oldKey }
          : step;
      },
    ],
  ])('is not safe when it %s', (_, decide) => {
    expect(explore(decide).some((state) => !isServed(state))).toBe(true);
  });

  it('deploys a version with the key that Buildkite has, if the function lacks it', () => {
    const versions = [
      { number: 2, keys: ['b'] },
      { number: 1, keys: ['a'] },
    ];
    const situation = { running: { number: 1, keys: ['a'] }, versions, saved: 'b', proven: false };
    expect(nextRotationStep('rotate', situation)).toEqual({ step: 'deploy', version: versions[0] });
    expect(nextRotationStep('rotate', { ...situation, saved: 'c' })).toEqual({ step: 'key_unknown' });
  });
});
