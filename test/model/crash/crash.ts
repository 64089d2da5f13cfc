// Runs a scenario once to find its operations, and then once for each of them and each side of it, cut off there. After
// the cut everything is restarted, the clock moves on, sweeps run, and the invariants are compared with the state.

import { describe, expect, inject, it } from 'vitest';
import { SCARCE } from '../setting.ts';
import { type Cut, Cutting } from './cut-process.ts';
import type { CrashLedger } from './ledgers.ts';
import { type CrashJob, type Defect, Run, type Running } from './run.ts';
import type { Scenario, Step } from './scenarios.ts';

type OpenLedger = () => CrashLedger;

/** Minutes after the restart, and how often and how is swept then. */
const AFTERWARDS = [
  { at: 0, sweeps: 'one' },
  { at: 1, sweeps: 'two at once' },
  // The scenario's tokens have expired, and accounts that were disabled have cooled down.
  { at: 12, sweeps: 'one' },
  // The rival's have, too, and a process that began to enable an account and was cut off is no longer waited for.
  { at: 18, sweeps: 'one after the other' },
] as const;
/** When another job asks for an account of the same pool. */
const RIVAL_AT = 1;

/** One run of a scenario. */
export interface Point {
  /** Undefined: nothing is cut off. */
  readonly cut: Cut | undefined;
  /** Whether, after the restart, the same operation is requested again. */
  readonly again: boolean;
}

/** The scenario's operations, found by an undisturbed run. */
export function enumerate(open: OpenLedger, scenario: Scenario, defect?: Defect): Promise<readonly string[]> {
  return within(open, defect, async (run) => {
    const { cutting } = await act(run, scenario, undefined);
    return cutting.operations;
  });
}

/**
 * Every point at which the scenario is cut off, in order, by its name. The operation is requested again after half of
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
export function runPoint(open: OpenLedger, scenario: Scenario, point: Point, defect?: Defect): Promise<void> {
  return within(open, defect, (run) => runIn(run, scenario, point));
}

async function within<T>(open: OpenLedger, defect: Defect | undefined, work: (run: Run) => Promise<T>): Promise<T> {
  const ledger = open();
  try {
    return await work(new Run(ledger, defect));
  } finally {
    await ledger.close();
  }
}

async function runIn(run: Run, scenario: Scenario, point: Point): Promise<void> {
  const { job, cutting } = await act(run, scenario, point.cut);
  expect(cutting.made, 'the operation to cut off at was not reached').toBe(point.cut !== undefined);
  run.google.before = () => {};

  await run.inspect();
  await refusesWhatIsOver(run);
  if (point.again && scenario.again) {
    await scenario.again(run, job);
    await run.inspect();
    await refusesWhatIsOver(run);
  }
  let minutes = 0;
  for (const { at, sweeps } of AFTERWARDS) {
    await run.later(at - minutes);
    minutes = at;
    if (sweeps === 'two at once') await Promise.all([sweepAll(run), sweepAll(run)]);
    else await sweepAll(run);
    if (sweeps === 'one after the other') await sweepAll(run);
    await run.inspect();
    const states = [...run.oracle.stores.grants.values()].map(({ state }) => state);
    expect(states, 'I6: a sweep left a revocation unfinished').not.toContain('revoking');
    if (at === RIVAL_AT && job.credential === 'admin') await rivalRequests(run);
  }
  run.oracle.end();
  await run.inspect();
  const truth = [...run.google.accounts.values()].map(({ enabled }) => enabled);
  expect(truth, 'I6: an account is lost to Google').not.toContain(false);
  await refusesWhatIsOver(run);
}

/**
 * Each scenario's points as tests. To be awaited by the test file: the points are its tests.
 * @param choose which of the points; all by default
 */
export async function crashTests(
  open: OpenLedger,
  scenarios: readonly Scenario[],
  choose: (point: Point) => boolean = () => true,
): Promise<void> {
  const found = await Promise.all(
    scenarios.map(async (scenario) => ({ scenario, operations: await enumerate(open, scenario) })),
  );
  for (const { scenario, operations } of found) {
    const points = [...pointsOf(scenario, operations)].filter(([, point]) => choose(point));
    describe.concurrent(scenario.name, () => {
      it(`has at least ${scenario.least} operations`, () => {
        expect(operations.length, operations.join('; ')).toBeGreaterThanOrEqual(scenario.least);
      });
      it.each(points)('%s', async (name, point) => {
        try {
          await runPoint(open, scenario, point);
        } catch (error) {
          throw new Error(`${error instanceof Error ? error.message : String(error)}\n\n${again(scenario, name)}`);
        }
      });
    });
  }
}

/** Chooses one point for each kind of operation, whatever the scenario: the first that is cut off after it. */
export function oneOfEachKind(): (point: Point) => boolean {
  const chosen = new Set<string>();
  return ({ cut }) => {
    const kind = cut?.side === 'after' ? cut.operation.replace(/ #\d+$/, '') : undefined;
    if (kind === undefined || chosen.has(kind)) return false;
    chosen.add(kind);
    return true;
  };
}

/** How to see one point again. */
function again({ name }: Scenario, point: string): string {
  const where = inject('ledger') === 'memory' ? '--project model' : '--config vitest.deep.config.ts --project emulator';
  const test = `${name} > ${point}`.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `See it again:\n  npx vitest run ${where} crash -t '${test}$'`;
}

/** What comes before the cut, and the act that is cut off. After a cut the rest of the act goes on in new processes. */
async function act(run: Run, scenario: Scenario, cut: Cut | undefined) {
  const job = run.job(scenario.credential);
  await scenario.before?.(run, job);
  const cutting = new Cutting(cut);
  const step: Step = async <T>(work: (running: Running) => Promise<T>) => {
    const ran = await run.processOf(cutting, work);
    return ran === 'cut off' ? undefined : ran.returned;
  };
  await scenario.act(run, job, step);
  return { job, cutting };
}

async function sweepAll(run: Run): Promise<void> {
  const { failures, pending } = await run.whole((running) => running.sweep());
  expect([...failures, ...pending], 'a sweep that nothing happens to finishes').toEqual([]);
}

/** I2: a job whose end is on record gets nothing, and nothing is even minted for it. */
async function refusesWhatIsOver(run: Run): Promise<void> {
  const minted = run.google.tokens.length;
  for (const job of run.jobs.filter((pending) => isOver(run, pending))) {
    const issued = await run.whole((running) => running.issueToken(job));
    expect(issued, 'I2: a job that has ended was given a token').toMatchObject({
      outcome: 'refused',
      refusal: { reason: expect.stringMatching(/^(job_ended|grant_revoked|blocked)$/) },
    });
  }
  expect(run.google.tokens.length, 'I2: a token was minted for a job that has ended').toBe(minted);
}

/** Whether the job's hold on its credential was ended, on record, by anything but the clock. */
function isOver({ oracle }: Run, { id, credential, pipeline }: CrashJob): boolean {
  const { grants, blocks } = oracle.stores;
  const grant = [...grants.values()].find((known) => known.subject.id === id && known.credential === credential);
  const ended = grant !== undefined && grant.ended_by !== null && grant.ended_by !== 'expiry';
  return ended || oracle.ended(id) || blocks.some(({ selector }) => selector.pipeline_slug === pipeline);
}

/** Another job asks for an account of the pool: it gets one that nobody has, and none but for want of one. */
async function rivalRequests(run: Run): Promise<void> {
  const { accounts } = run.oracle.stores;
  const free = SCARCE.pools.get('admin')?.some((email) => (accounts.get(email)?.state ?? 'free') === 'free');
  const rival = run.job('admin', 'release');
  const issued = await run.whole((running) => running.issueToken(rival));
  if (free) expect(issued.outcome, 'an account is free and not given').toBe('issued');
  else expect(issued).toMatchObject({ refusal: { reason: 'pool_exhausted' } });
  await run.inspect();
}
