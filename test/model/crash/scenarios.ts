// What is going on when a process of Keydesk is cut off: for each scenario what came before, the act that is cut off at
// every one of its operations, and how it is requested again.

import { expect } from 'vitest';
import type { CredentialName } from '../setting.ts';
import type { CrashJob, Run, Running } from './run.ts';

/** Runs a step of the act in a process of its own. Comes to undefined when it was cut off. */
export type Step = <T>(work: (running: Running) => Promise<T>) => Promise<T | undefined>;

export interface Scenario {
  readonly name: string;
  readonly credential: CredentialName;
  /** How many operations it has at least: one that has none would test nothing. */
  readonly least: number;
  /** What happens before, undisturbed. */
  readonly before?: (run: Run, job: CrashJob) => Promise<unknown>;
  readonly act: (run: Run, job: CrashJob, step: Step) => Promise<unknown>;
  /** The same once more, from the outside, after the restart. Absent where the sweep comes again by itself. */
  readonly again?: (run: Run, job: CrashJob) => Promise<unknown>;
}

const issueStep = async (run: Run, job: CrashJob) => {
  const issued = await run.whole((running) => running.issueToken(job));
  expect(issued.outcome, 'a job that runs and asks gets its token').toBe('issued');
};
const finish = (run: Run, job: CrashJob) => run.whole((running) => running.endJob(job));
const sweep = (run: Run) => run.whole((running) => running.sweep());
const tokenOf = ({ oracle }: Run) => oracle.left[0]?.accessToken ?? '';
/** A token was minted for it, and the process was cut off before it was on record. */
const issuanceCutOff = (run: Run, job: CrashJob) =>
  run.cutOff({ operation: 'commit(update grants) #1', side: 'before' }, (running) => running.issueToken(job));
/** Its end is on record, and nothing was taken away. */
const revocationCutOff = (run: Run, job: CrashJob) => {
  const written = ['update jobs', 'update grants', ...(job.credential === 'admin' ? ['update service_accounts'] : [])];
  return run.cutOff({ operation: `commit(${written.join(', ')}) #1`, side: 'after' }, (running) => running.endJob(job));
};

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

export const ISSUANCE: readonly Scenario[] = [
  ...ofEach([5, 3, 3], {
    name: 'the first issuance',
    act: (_, job, step) => step((running) => running.issueToken(job)),
    again: issueStep,
  }),
  ...ofEach([8, 6, 6], {
    name: 'the first issuance by a process that has issued to another job, and the other’s,',
    act: (run, job, step) => {
      const other = run.job(job.credential, 'release');
      return step(async (running) => {
        await running.issueToken(other);
        await running.issueToken(job);
      });
    },
    again: issueStep,
  }),
  ...ofEach([5, 3, 3], {
    name: 'the renewal',
    before: async (run, job) => {
      await issueStep(run, job);
      await run.later(5);
    },
    act: (_, job, step) => step((running) => running.issueToken(job)),
    again: issueStep,
  }),
  ...ofEach([5, 3, 3], {
    name: 'the renewal, after its time was up and unswept,',
    before: async (run, job) => {
      await issueStep(run, job);
      await run.later(12);
    },
    act: (_, job, step) => step((running) => running.issueToken(job)),
    again: issueStep,
  }),
  ...ofEach([5, 3, 3], {
    name: 'the issuance, after expiry,',
    before: async (run, job) => {
      await issueStep(run, job);
      await run.later(12);
      await sweep(run);
    },
    act: (_, job, step) => step((running) => running.issueToken(job)),
    again: issueStep,
  }),
  {
    name: 'the request for a pooled account when somebody has disabled the first',
    credential: 'admin',
    least: 5,
    before: async ({ google }) => {
      google.before = (call, email) => {
        if (call !== 'mint') return;
        google.before = () => {};
        google.disableByHand(email);
      };
    },
    act: (_, job, step) => step((running) => running.issueToken(job)),
    again: issueStep,
  },
  {
    name: 'the first request for a token narrowed to a bucket',
    credential: 'cache',
    least: 3,
    act: (_, job, step) => step((running) => running.issueToken(job)),
    again: issueStep,
  },
];

export const REVOCATION: readonly Scenario[] = [
  ...ofEach([3, 1, 4], {
    name: 'the job’s end with a grant',
    before: issueStep,
    act: (_, job, step) => step((running) => running.endJob(job)),
    again: finish,
  }),
  ...ofEach([3, 1, 4], {
    name: 'the release',
    before: issueStep,
    act: (run, _, step) => step((running) => running.releaseToken(tokenOf(run))),
    again: (run) => run.whole((running) => running.releaseToken(tokenOf(run))),
  }),
  ...ofEach([4, 2, 5], {
    name: 'the kill switch, with a block,',
    before: issueStep,
    act: (_, __, step) => step((running) => running.kill()),
    again: (run) => run.whole((running) => running.kill()),
  }),
  ...(
    [
      ['admin', 'the job’s end, the cooldown and the enabling of a pooled account'],
      [
        'cache',
        'the job’s end, the wait for the end of narrowed tokens, the cooldown and the enabling of their account',
      ],
    ] as const
  ).map(
    ([credential, name]): Scenario => ({
      name,
      credential,
      least: 8,
      before: issueStep,
      act: async (run, job, step) => {
        await step((running) => running.endJob(job));
        await run.later(12);
        await step((running) => running.sweep());
      },
      again: finish,
    }),
  ),
];

export const SWEEP: readonly Scenario[] = [
  ...ofEach([1, 1, 1], {
    name: 'the expiry',
    before: async (run, job) => {
      await issueStep(run, job);
      await run.later(12);
    },
    act: (_, __, step) => step((running) => running.sweep()),
  }),
  ...ofEach([1, 1, 1], {
    name: 'the expiry of an issuance that was itself cut off',
    before: async (run, job) => {
      await issuanceCutOff(run, job);
      await run.later(12);
    },
    act: (_, __, step) => step((running) => running.sweep()),
  }),
  ...ofEach([2, 0, 3], {
    name: 'the sweep that goes on with a job’s end that was itself cut off,',
    before: async (run, job) => {
      await issueStep(run, job);
      await revocationCutOff(run, job);
      await run.later(1);
    },
    act: (_, __, step) => step((running) => running.sweep()),
    again: finish,
  }).filter(({ least }) => least > 0),
  ...ofEach([5, 3, 6], {
    name: 'the sweep that hears from Buildkite that a job has finished, with a grant',
    before: async (run, job) => {
      await issueStep(run, job);
      run.callsBuildkite = true;
      run.google.finishedJobs.add(job.id);
      await run.later(6);
    },
    act: (_, __, step) => step((running) => running.sweep()),
    again: finish,
  }),
];
