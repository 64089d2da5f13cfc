// What is going on when a process of Keydesk is cut off: for each scenario what came before, the act that is cut off at
// every one of its operations, and how whoever wanted it wants it again.

import { expect } from 'vitest';
import type { CrashJob, CredentialName, Desk, World } from './world.ts';

/** Runs a step of the act in a process of its own. Comes to undefined when it was cut off. */
export type Step = <T>(work: (desk: Desk) => Promise<T>) => Promise<T | undefined>;

export interface Scenario {
  readonly name: string;
  readonly credential: CredentialName;
  /** How many operations it has at least: one that has none would test nothing. */
  readonly least: number;
  /** What happens before, undisturbed. */
  readonly before?: (world: World, job: CrashJob) => Promise<unknown>;
  readonly act: (world: World, job: CrashJob, step: Step) => Promise<unknown>;
  /** The same once more, from the outside, after the restart. Absent where the sweep comes again by itself. */
  readonly again?: (world: World, job: CrashJob) => Promise<unknown>;
}

const handOut = async (world: World, job: CrashJob) => {
  const handed = await world.whole((desk) => desk.handOut(job));
  expect(handed.outcome, 'a job that runs and asks gets its token').toBe('issued');
};
const finish = (world: World, job: CrashJob) => world.whole((desk) => desk.endJob(job));
const sweep = (world: World) => world.whole((desk) => desk.sweep());
const tokenOf = ({ given }: World, job: CrashJob) => given.find((token) => token.job === job)?.accessToken ?? '';
/** A token was minted for it, and the process was cut off before it was on record. */
const handOutCutOff = (world: World, job: CrashJob) =>
  world.cutOff({ operation: 'commit(update grants) #1', side: 'before' }, (desk) => desk.handOut(job));
/** Its end is on record, and nothing was taken away. */
const endCutOff = (world: World, job: CrashJob) => {
  const written = ['update jobs', 'update grants', ...(job.credential === 'admin' ? ['update service_accounts'] : [])];
  return world.cutOff({ operation: `commit(${written.join(', ')}) #1`, side: 'after' }, (desk) => desk.endJob(job));
};
const KILL_ID = '5f0e7dd1-2c4c-4b53-9d0a-0c7e6b3f5c11';

/** One of each credential: how many operations it takes differs, and is given in the order of these. */
function ofEach(
  least: readonly [config: number, shared: number, admin: number],
  scenario: Omit<Scenario, 'credential' | 'least'>,
): Scenario[] {
  const names = ['config', 'export', 'admin'] as const;
  const kinds = ['a Firestore token', 'a shared account', 'a pooled account'] as const;
  return names.map((credential, index) => ({
    ...scenario,
    name: `${scenario.name} of ${kinds[index]}`,
    credential,
    least: least[index] ?? 0,
  }));
}

export const HANDING_OUT: readonly Scenario[] = [
  ...ofEach([5, 3, 3], {
    name: 'the first hand-out',
    act: (_, job, step) => step((desk) => desk.handOut(job)),
    again: handOut,
  }),
  ...ofEach([5, 3, 3], {
    name: 'the renewal',
    before: async (world, job) => {
      await handOut(world, job);
      world.later(5);
    },
    act: (_, job, step) => step((desk) => desk.handOut(job)),
    again: handOut,
  }),
  ...ofEach([5, 3, 3], {
    name: 'the renewal, after its time was up and unswept,',
    before: async (world, job) => {
      await handOut(world, job);
      world.later(12);
    },
    act: (_, job, step) => step((desk) => desk.handOut(job)),
    again: handOut,
  }),
  ...ofEach([5, 3, 3], {
    name: 'the hand-out, after expiry,',
    before: async (world, job) => {
      await handOut(world, job);
      world.later(12);
      await sweep(world);
    },
    act: (_, job, step) => step((desk) => desk.handOut(job)),
    again: handOut,
  }),
  {
    name: 'the hand-out of a pooled account when somebody has disabled the first',
    credential: 'admin',
    least: 5,
    before: async (world) => {
      let disabled = false;
      world.lane.google.before = async ({ method, account }) => {
        if (method !== 'generateAccessToken' || disabled) return;
        disabled = true;
        await world.disable(account);
      };
    },
    act: (_, job, step) => step((desk) => desk.handOut(job)),
    again: handOut,
  },
  {
    name: 'the first hand-out of a token narrowed to a bucket',
    credential: 'cache',
    least: 3,
    act: (_, job, step) => step((desk) => desk.handOut(job)),
    again: handOut,
  },
];

export const ENDING: readonly Scenario[] = [
  ...ofEach([3, 1, 4], {
    name: 'the job’s end with a grant',
    before: handOut,
    act: (_, job, step) => step((desk) => desk.endJob(job)),
    again: finish,
  }),
  ...ofEach([3, 1, 4], {
    name: 'the early return',
    before: handOut,
    act: (world, job, step) => step((desk) => desk.returnToken(tokenOf(world, job))),
    again: (world, job) => world.whole((desk) => desk.returnToken(tokenOf(world, job))),
  }),
  ...ofEach([4, 2, 5], {
    name: 'the kill switch, with a bar,',
    before: handOut,
    act: (_, __, step) => step((desk) => desk.kill(KILL_ID)),
    again: (world) => world.whole((desk) => desk.kill(KILL_ID)),
  }),
  ...(
    [
      ['admin', 'the job’s end, the rest and the waking of a pooled account'],
      ['cache', 'the job’s end, the wait for the end of narrowed tokens, the rest and the waking of their account'],
    ] as const
  ).map(
    ([credential, name]): Scenario => ({
      name,
      credential,
      least: 8,
      before: handOut,
      act: async (world, job, step) => {
        await step((desk) => desk.endJob(job));
        world.later(12);
        await step((desk) => desk.sweep());
      },
      again: finish,
    }),
  ),
];

export const SWEEPING: readonly Scenario[] = [
  ...ofEach([1, 1, 1], {
    name: 'the expiry by the clock',
    before: async (world, job) => {
      await handOut(world, job);
      world.later(12);
    },
    act: (_, __, step) => step((desk) => desk.sweep()),
  }),
  ...ofEach([1, 1, 1], {
    name: 'the expiry by the clock of a hand-out that was itself cut off',
    before: async (world, job) => {
      await handOutCutOff(world, job);
      world.later(12);
    },
    act: (_, __, step) => step((desk) => desk.sweep()),
  }),
  ...ofEach([2, 0, 3], {
    name: 'the sweep that goes on with a job’s end that was itself cut off,',
    before: async (world, job) => {
      await handOut(world, job);
      await endCutOff(world, job);
      world.later(1);
    },
    act: (_, __, step) => step((desk) => desk.sweep()),
    again: finish,
  }).filter(({ least }) => least > 0),
  ...ofEach([5, 3, 6], {
    name: 'the sweep that hears from Buildkite that a job has finished, with a grant',
    before: async (world, job) => {
      await handOut(world, job);
      world.asksBuildkite = true;
      job.atBuildkite.state = 'passed';
      world.later(6);
    },
    act: (_, __, step) => step((desk) => desk.sweep()),
    again: finish,
  }),
];
