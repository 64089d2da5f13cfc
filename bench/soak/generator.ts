// Keeps a number of jobs alive, starts many at once now and then, replaces instances, and calls the sweep: until the time is up.

import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { pause } from './client.ts';
import type { Instances } from './instances.ts';
import { type JobDeps, JobLife } from './job.ts';
import type { KeydeskClient } from './keydesk-client.ts';
import type { FunctionName } from './observation.ts';
import type { Recorder } from './recorder.ts';

const LIFE = { leastMs: 30_000, mostMs: 180_000 };
const SWEEP_EVERY_MS = 20_000;
const REPLACE_EVERY_MS = { least: 8_000, most: 20_000 };
const BURST_EVERY_MS = 90_000;
const MEMORY_EVERY_MS = 5_000;

export interface GeneratorDeps extends Omit<JobDeps, 'over'> {
  readonly instances: Instances;
  readonly keydesk: KeydeskClient;
  readonly recorder: Recorder;
  readonly random: SeededRandom;
  /** How many jobs are alive at once. */
  readonly jobs: number;
  readonly minutes: number;
}

/** Resolves when all jobs have ended and all that they began is over. */
export async function generate(deps: GeneratorDeps): Promise<{ readonly jobs: number }> {
  const timeUp = new AbortController();
  const over = timeUp.signal;
  const afterwards = new Set<Promise<unknown>>();
  let started = 0;
  const slots = Array.from({ length: deps.jobs }, async (_, slot) => {
    const random = deps.random.fork();
    // Not all in one moment: bursts are made on purpose.
    await pause(random.between(0, Math.min(20_000, slot * 100 + 1)), over);
    while (!over.aborted) {
      started += 1;
      keep(afterwards, await new JobLife({ ...deps, over }, { random: random.fork(), ...LIFE }).live());
    }
  });
  const beat = (every: () => number, work: () => Promise<unknown> | unknown) => repeat(over, every, work);
  const random = deps.random.fork();
  const others = [
    beat(
      () => SWEEP_EVERY_MS,
      // The scheduler does not wait for the sweep before.
      () => keep(afterwards, { afterwards: callSweep(deps, random, over) }),
    ),
    beat(
      () => random.between(REPLACE_EVERY_MS.least, REPLACE_EVERY_MS.most),
      () => replaceOne(deps, random),
    ),
    beat(
      () => BURST_EVERY_MS,
      async () => {
        started += await burst(deps, { random: random.fork(), over, afterwards });
      },
    ),
    beat(
      () => MEMORY_EVERY_MS,
      () => deps.instances.sampleMemory(),
    ),
  ];
  await pause(deps.minutes * 60_000);
  timeUp.abort();
  await Promise.all([...slots, ...others]);
  while (afterwards.size > 0) await Promise.all(afterwards);
  return { jobs: started };
}

function keep(all: Set<Promise<unknown>>, { afterwards }: { readonly afterwards: Promise<unknown> }): void {
  const known: Promise<unknown> = afterwards.finally(() => all.delete(known));
  all.add(known);
}

async function repeat(over: AbortSignal, every: () => number, work: () => Promise<unknown> | unknown): Promise<void> {
  while (!over.aborted) {
    await pause(every(), over);
    if (!over.aborted) await work();
  }
}

/** One sweep; now and then two at once, or one whose caller hangs up. */
async function callSweep({ keydesk, recorder }: GeneratorDeps, random: SeededRandom, over: AbortSignal): Promise<void> {
  const cutOff = random.chance(0.15);
  const twice = random.chance(0.25);
  if (cutOff) recorder.write({ type: 'fault', where: 'sweep', kind: 'cut_off' });
  if (twice) recorder.write({ type: 'fault', where: 'sweep', kind: 'overlapping' });
  const sweeps = [keydesk.sweep({ random, client: cutOff ? 'hung_up' : 'plain' })];
  if (twice) {
    await pause(random.between(0, 500), over);
    sweeps.push(keydesk.sweep({ random }));
  }
  await Promise.all(sweeps);
}

async function replaceOne({ instances }: GeneratorDeps, random: SeededRandom): Promise<void> {
  const target = random.pick<FunctionName>([
    [5, 'token'],
    [3, 'webhook'],
    [2, 'sweep'],
  ]);
  await instances.replace(target, random.chance(0.55) ? 'SIGTERM' : 'SIGKILL');
}

/** From 50 to 200 jobs in one second, against an instance that has just started. @returns how many */
async function burst(
  deps: GeneratorDeps,
  options: { readonly random: SeededRandom; readonly over: AbortSignal; readonly afterwards: Set<Promise<unknown>> },
): Promise<number> {
  const { random, over, afterwards } = options;
  const most = Math.max(5, deps.jobs);
  const count = random.between(Math.ceil(most / 4), most);
  const instance = await deps.instances.replace('token', random.chance(0.5) ? 'SIGTERM' : 'SIGKILL');
  deps.recorder.write({ type: 'fault', where: 'load', kind: `burst of ${count} jobs` });
  const begun = systemClock.now();
  for (let started = 0; started < count; started += 1) {
    const life = { random: random.fork(), leastMs: 2_000, mostMs: 20_000, instance };
    keep(afterwards, { afterwards: lived(deps, life, over) });
    await pause(begun + (started * 1_000) / count - systemClock.now(), over);
  }
  return count;
}

async function lived(deps: GeneratorDeps, life: ConstructorParameters<typeof JobLife>[1], over: AbortSignal) {
  const { afterwards } = await new JobLife({ ...deps, over }, life).live();
  await afterwards;
}
