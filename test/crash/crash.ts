// Runs a scenario once to find its operations, and then once for each of them and each side of it, cut off there. After
// the cut everything is started anew, the clock moves on, sweeps come, and whatever was promised is compared with what is.

import { afterAll, describe, expect, it, vi } from 'vitest';
import { Unavailable } from '../../shared/unavailable.ts';
import { type Cut, Cutting } from './cut-process.ts';
import { inspect, inspectEnd, isOver, type Records } from './invariants.ts';
import { accountsOf, type Lane, type Lanes, openLanes } from './lanes.ts';
import { HANDING_OUT, type Scenario, type Step, SWEEPING } from './scenarios.ts';
import { type CrashJob, type Defects, type Desk, World } from './world.ts';

const AT_ONCE = 4;
const CASE_DEADLINE_MS = 30_000;
const WARM_UPS = 10;
const WARMING_UP = [HANDING_OUT[0], SWEEPING[0]].filter((scenario) => scenario !== undefined);
/** Minutes after the restart, and how often and how is swept then. */
const AFTERWARDS = [
  { at: 0, sweeps: 'one' },
  { at: 1, sweeps: 'two at once' },
  // The scenario's tokens have expired, and accounts that were disabled have rested.
  { at: 12, sweeps: 'one' },
  // The rival's have, too, and whoever began to enable an account and was cut off is no longer waited for.
  { at: 18, sweeps: 'one after the other' },
] as const;
/** When another job asks for an account of the same pool. */
const RIVAL_AT = 1;

/** One run of a scenario. */
export interface Point {
  /** Undefined: nothing is cut off. */
  readonly cut: Cut | undefined;
  /** Whether, after the restart, whoever wanted it wants it again. */
  readonly again: boolean;
}

/** The scenario's operations, found by an undisturbed run. */
export function enumerate(lane: Lane, scenario: Scenario, defects: Defects = {}): Promise<readonly string[]> {
  return World.within(lane, defects, async (world) => {
    const { cutting } = await act(world, scenario, undefined);
    return cutting.operations;
  });
}

/**
 * Every point at which the scenario is cut off, in order, by its name. Whoever wanted it wants it again after half of
 * them: where one operation comes after another, to be cut off after the one and before the other is the same, so that
 * whatever can be left behind is met both ways.
 */
export function pointsOf({ again }: Scenario, operations: readonly string[]): Map<string, Point> {
  const points = operations.flatMap((operation, index): [string, Point][] => {
    const name = (side: Cut['side']) => `point ${index + 1} of ${operations.length}, cut off ${side} ${operation}`;
    return [
      [name('before'), { cut: { operation, side: 'before' }, again: false }],
      [name('after') + (again ? ', then wanted again' : ''), { cut: { operation, side: 'after' }, again: true }],
    ];
  });
  return new Map<string, Point>([
    ['undisturbed', { cut: undefined, again: false }],
    ...(again ? [['undisturbed, then wanted again', { cut: undefined, again: true }] as const] : []),
    ...points,
  ]);
}

/** Throws when anything that was promised is not so. */
export function runPoint(lane: Lane, scenario: Scenario, point: Point, defects: Defects = {}): Promise<void> {
  return World.within(lane, defects, (world) => runIn(world, scenario, point));
}

async function runIn(world: World, scenario: Scenario, point: Point): Promise<void> {
  const { job, cutting } = await act(world, scenario, point.cut);
  expect(cutting.made, 'the operation to cut off at was not reached').toBe(point.cut !== undefined);
  world.lane.google.before = undefined;

  await refusesWhatIsOver(world, await inspect(world));
  if (point.again && scenario.again) {
    await scenario.again(world, job);
    await refusesWhatIsOver(world, await inspect(world));
  }
  let minutes = 0;
  for (const { at, sweeps } of AFTERWARDS) {
    world.later(at - minutes);
    minutes = at;
    if (sweeps === 'two at once') await Promise.all([sweepAll(world), sweepAll(world)]);
    else await sweepAll(world);
    if (sweeps === 'one after the other') await sweepAll(world);
    const records = await inspect(world);
    const states = records.grants.map(({ state }) => state);
    expect(states, 'I6: a sweep left a revocation unfinished').not.toContain('revoking');
    if (at === RIVAL_AT && job.credential === 'admin') await rivalAsks(world, records);
  }
  await refusesWhatIsOver(world, await inspectEnd(world));
}

/** Lanes, with emulators that answer: the first requests take them longer than Keydesk waits. */
export async function openWarmLanes(count: number): Promise<Lanes> {
  const lanes = await openLanes(count);
  for (const scenario of WARMING_UP)
    for (let tries = 1; ; tries += 1) {
      try {
        await lanes.use((lane) => enumerate(lane, scenario));
        break;
      } catch (error) {
        if (!Unavailable.is(error) || tries === WARM_UPS) throw error;
      }
    }
  return lanes;
}

/** Each scenario's points as tests, several at once. To be awaited by the test file: the points are its tests. */
export async function crashTests(scenarios: readonly Scenario[]): Promise<void> {
  vi.setConfig({ maxConcurrency: AT_ONCE, testTimeout: CASE_DEADLINE_MS });
  const lanes = await openWarmLanes(AT_ONCE);
  afterAll(lanes.close);
  const found = await Promise.all(
    scenarios.map(async (scenario) => ({
      scenario,
      operations: await lanes.use((lane) => enumerate(lane, scenario)),
    })),
  );
  for (const { scenario, operations } of found)
    describe.concurrent(scenario.name, () => {
      it(`has at least ${scenario.least} operations`, () => {
        expect(operations.length, operations.join('; ')).toBeGreaterThanOrEqual(scenario.least);
      });
      it.each([...pointsOf(scenario, operations)])('%s', async (_, point) => {
        await lanes.use((lane) => runPoint(lane, scenario, point));
      });
    });
}

/** What comes before the cut, and the act that is cut off. After a cut the rest of the act goes on in new processes. */
async function act(world: World, scenario: Scenario, cut: Cut | undefined) {
  const job = world.job(scenario.credential);
  await scenario.before?.(world, job);
  const cutting = new Cutting(cut);
  const step: Step = async <T>(work: (desk: Desk) => Promise<T>) => {
    const ran = await world.processOf(cutting, work);
    return ran === 'cut off' ? undefined : ran.returned;
  };
  await scenario.act(world, job, step);
  return { job, cutting };
}

async function sweepAll(world: World): Promise<void> {
  const { failures, unfinished } = await world.whole((desk) => desk.sweep());
  expect([...failures, ...unfinished], 'a sweep that nothing happens to finishes').toEqual([]);
}

/** I2: a job whose end is on record gets nothing, and nothing is even minted for it. */
async function refusesWhatIsOver(world: World, records: Records): Promise<void> {
  const minted = world.minted.length;
  for (const job of world.jobs.filter((asking) => isOver(records, asking))) {
    const handed = await world.whole((desk) => desk.handOut(job));
    expect(handed, 'I2: a job that has ended was given a token').toMatchObject({
      outcome: 'refused',
      refusal: { reason: expect.stringMatching(/^(job_ended|grant_revoked|barred)$/) },
    });
  }
  expect(world.minted.length, 'I2: a token was minted for a job that has ended').toBe(minted);
}

/** Another job asks for an account of the pool: it gets one that nobody has, and none but for want of one. */
async function rivalAsks(world: World, { accounts }: Records): Promise<void> {
  const { pool } = accountsOf(world.project);
  const free = pool.filter((email) => (accounts.get(email)?.state ?? 'free') === 'free');
  const rival: CrashJob = world.job('admin', 'rival');
  const handed = await world.whole((desk) => desk.handOut(rival));
  if (free.length > 0) expect(handed.outcome, 'an account is free and not given').toBe('issued');
  else expect(handed).toMatchObject({ refusal: { reason: 'pool_exhausted' } });
  await inspect(world);
}
