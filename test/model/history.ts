// One history from beginning to end: the moves, interleaved as the scheduler has it, and then peace, in which everything
// must come to its end by sweeps alone (I6).

import * as fc from 'fast-check';
import { randomFrom } from '../../sandbox/seeded-random.ts';
import { CLOCK_SKEW_MS } from '../../shared/core/timing.ts';
import { type Focus, moves } from './commands.ts';
import { Deployment } from './deployment.ts';
import type { Keydesk } from './keydesk.ts';
import type { Real } from './move.ts';
import { Operations } from './operations.ts';
import { requestAfterAll } from './people/everything-read.ts';
import { CONDITIONAL, PERSONS } from './people/rules.ts';
import { SCARCE } from './setting.ts';
import { PARTIES, type Skews, World } from './world.ts';

const MINUTE = 60_000;

export interface Check {
  readonly focus: Focus;
  readonly histories: number;
  readonly seed: number;
  readonly path: string | undefined;
  readonly replayPath: string | undefined;
  /** Whose clocks are wrong in every history; without it each history draws its own. */
  readonly skews?: Skews;
  /** Whether a history that fails is made as short as it goes. */
  readonly shrink: boolean;
  /** Puts a defect in. */
  readonly alter?: (keydesk: Keydesk) => Keydesk;
}

export interface Checked {
  /** How to see it again, and what went wrong; undefined when every history held. */
  readonly failure: string | undefined;
  readonly histories: number;
  /** How often what happened, over all histories. */
  readonly tally: ReadonlyMap<string, number>;
}

export async function checkHistories({
  focus,
  histories,
  seed,
  path,
  replayPath,
  skews,
  shrink,
  alter,
}: Check): Promise<Checked> {
  const tally = new Map<string, number>();
  const property = fc.asyncProperty(
    fc.noShrink(fc.integer()),
    fc.scheduler(),
    moves(focus, replayPath),
    async (chance, scheduler, commands) => {
      const world = new World(chance, tally, scheduler, skews ?? drawSkews(chance));
      const deployment = new Deployment(world, focus === 'people' ? CONDITIONAL : SCARCE, alter);
      if (deployment.judge) await deployment.start();
      const real: Real = { deployment, operations: new Operations(deployment) };
      await fc.scheduledModelRun(scheduler, () => ({ model: {}, real }), commands);
      await inPeace(real);
      world.throwIfViolated();
    },
  );
  const details = await fc.check(property, {
    numRuns: histories,
    seed,
    endOnFailure: !shrink,
    ...(path === undefined ? {} : { path }),
  });
  if (!details.failed) return { failure: undefined, histories: details.numRuns, tally };
  const commands = String(details.counterexample?.[2]);
  const [, replay] = /replayPath="([^"]*)"/.exec(commands) ?? [];
  const replaying = [
    `KEYDESK_SEED=${details.seed}`,
    `KEYDESK_PATH=${details.counterexamplePath}`,
    ...(shrink && replay ? [`KEYDESK_REPLAY_PATH='${replay}'`] : []),
  ];
  const error = details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  const failure = [
    `History ${details.numRuns} breaks ${error}`,
    commands,
    'See it again (KEYDESK_SHRINK=1 makes it shorter):',
    `  KEYDESK_FOCUS=${focus} ${replaying.join(' ')} npx vitest run --project model lifecycle`,
  ].join('\n\n');
  return { failure, histories: details.numRuns, tally };
}

/** Every other history has right clocks; in the others each clock is right, fast or slow by all that is allowed for. */
function drawSkews(chance: number): Skews {
  const random = randomFrom(chance);
  if (random() < 0.5) return {};
  return Object.fromEntries(PARTIES.map((party) => [party, (Math.floor(random() * 3) - 1) * CLOCK_SKEW_MS]));
}

/** No more faults, nothing but time and sweeps: everything ends (I6). */
async function inPeace({ deployment, operations }: Real): Promise<void> {
  const { world, google, oracle } = deployment;
  world.beginPeace();
  google.faults.clear();
  google.failingJobs.clear();
  deployment.faults.clear();
  await world.settle();
  if (deployment.judge) {
    const [slot, who] = [4, PERSONS.length].map((many) => Math.floor(world.random() * many));
    await requestAfterAll({ deployment, operations }, slot ?? 0, PERSONS[who ?? 0] ?? 'ann');
  }
  for (const minutes of [1, 20, 2, 6, 2, 6, 2]) {
    await world.pass(minutes * MINUTE);
    void operations.sweep();
    await world.settle();
    world.throwIfViolated();
  }
  oracle.end();
  const standing = new Set(oracle.stores.blocks.map(({ id }) => id));
  for (const { id, isActive } of operations.acts)
    if (isActive !== undefined && isActive !== standing.has(id))
      world.violate('I6', `${id} ${isActive ? 'is active and does not block' : 'was deactivated and blocks'}`);
}
