// Lets the fake Google and the fake Buildkite fail: errors, quotas, slow and lost responses, changes that take effect late. Writes
// down each fault, and what Google saw.

import type { FakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import type { Call } from '../../sandbox/fakes/google/call.ts';
import type { Fault } from '../../sandbox/fakes/google/fault.ts';
import type { FakeGoogle } from '../../sandbox/fakes/google/google.ts';
import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Recorder } from './recorder.ts';

/** Of all calls. */
const GOOGLE_FAILS = 0.06;
const BUILDKITE_FAILS = 0.15;
/** Keydesk relies on it that Google carries out a request within a minute of it. */
const LATEST_EFFECT_MS = 40_000;

export interface DependencyFaults {
  /** From then on both behave. Resolves when no change is to take effect any more. */
  readonly behave: () => Promise<void>;
}

export function injectFaults(options: {
  readonly google: FakeGoogle;
  readonly buildkite: FakeBuildkite;
  readonly recorder: Recorder;
  readonly random: SeededRandom;
}): DependencyFaults {
  const { google, buildkite, recorder, random } = options;
  const late = new Set<Promise<unknown>>();
  let behaves = false;

  const draw = (call: Call): Fault | undefined => {
    if (behaves || !random.chance(GOOGLE_FAILS)) return undefined;
    const kind = random.pick<Fault['kind'] | 'quota'>([
      [25, 'status'],
      [20, 'quota'],
      [20, 'slow'],
      [12, 'cut'],
      [8, 'garbage'],
      [5, 'hang'],
      [10, 'late'],
    ]);
    switch (kind) {
      case 'quota':
        return { kind: 'status', status: 429 };
      case 'status':
        return { kind, status: random.one([500, 503]) };
      case 'slow':
        return { kind, ms: random.between(200, 6_000) };
      case 'late': {
        if (call.method !== 'disable' && call.method !== 'enable') return { kind: 'status', status: 500 };
        const changes = systemClock.sleep(random.between(1_000, LATEST_EFFECT_MS));
        late.add(changes);
        void changes.then(() => late.delete(changes));
        return { kind, changes };
      }
      default:
        return { kind };
    }
  };
  google.fault = (call) => {
    const fault = draw(call);
    const name = fault && (fault.kind === 'status' ? String(fault.status) : fault.kind);
    const job = /^buildkite-job\/(.+)$/.exec(call.reason ?? '')?.[1];
    recorder.write({
      type: 'google_call',
      at: systemClock.now(),
      method: call.method,
      account: call.account,
      ...(job === undefined ? {} : { job }),
      ...(name === undefined ? {} : { fault: name }),
    });
    if (name !== undefined) recorder.write({ type: 'fault', where: 'Google', kind: `${call.method} ${name}` });
    return fault;
  };

  const fail = () => {
    if (behaves || !random.chance(BUILDKITE_FAILS)) return undefined;
    const kind = random.one(['500', '503', 'cut', 'hang'] as const);
    recorder.write({ type: 'fault', where: 'Buildkite', kind });
    if (kind === 'cut' || kind === 'hang') return kind;
    return { status: Number(kind), json: { message: 'A fault.' } };
  };
  buildkite.beforeBuild = fail;
  buildkite.beforeJob = fail;
  buildkite.beforeKeys = fail;
  return {
    behave: async () => {
      behaves = true;
      await Promise.all(late);
    },
  };
}

/** What happened at Google: its tokens and the states of its accounts. Once, at the end. */
export function recordGoogle(google: FakeGoogle, recorder: Recorder): void {
  for (const { at, account, expiresAt } of google.minted)
    recorder.write({ type: 'google_mint', at, account, expires_at: expiresAt });
  for (const { at, account, disabled } of google.changes)
    recorder.write({ type: 'google_change', at, account, disabled });
  for (const what of google.unexpected) recorder.write({ type: 'google_unexpected', what });
}
