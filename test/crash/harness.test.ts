// Whether the crash tests would find anything: they meet parts with a defect each, and must object to every one. Some of
// these defects show only when a process is cut off at the right point.

import { Timestamp } from '@google-cloud/firestore';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSweepLedger } from '../../shared/ledger/sweep-ledger.ts';
import { enumerate, openWarmLanes, pointsOf, runPoint } from './crash.ts';
import { CutProcess, Cutting } from './cut-process.ts';
import type { Lanes } from './lanes.ts';
import { ENDING, HANDING_OUT, type Scenario } from './scenarios.ts';
import type { Defects } from './world.ts';

const FIRST_HAND_OUT = named(HANDING_OUT, 'the first hand-out of a pooled account');
const JOBS_END = named(ENDING, 'the job’s end with a grant of a pooled account');

interface Defect {
  readonly what: string;
  readonly scenario: Scenario;
  readonly defects: Defects;
  readonly objection: RegExp;
  /** Whether nothing is wrong as long as nothing is cut off. */
  readonly onlyWhenCutOff: boolean;
}

const DEFECTS: readonly Defect[] = [
  {
    what: 'an end that says revoked before it disables the account',
    scenario: JOBS_END,
    defects: {
      ending: (parts) => ({
        ...parts,
        ledger: {
          ...parts.ledger,
          endJob: async (jobEnd) => {
            const ended = await parts.ledger.endJob(jobEnd);
            for (const grant of ended.grants) await parts.ledger.confirmTakenAway(grant);
            return ended;
          },
        },
      }),
    },
    objection: /I3: the grant is revoked and its token works/,
    onlyWhenCutOff: true,
  },
  {
    what: 'an end of a job that is on record before that of its grants',
    scenario: JOBS_END,
    defects: {
      ending: (parts, ledger) => ({
        ...parts,
        ledger: {
          ...parts.ledger,
          endJob: async (jobEnd) => {
            const ended_at = Timestamp.fromMillis(parts.now());
            await ledger.collection('jobs').doc(jobEnd.job_id).update({ ended_at, ended_by: jobEnd.by });
            return parts.ledger.endJob(jobEnd);
          },
        },
      }),
    },
    objection: /I2: the job has ended, and its grant has not/,
    onlyWhenCutOff: true,
  },
  {
    what: 'a hand-out that does not record its token',
    scenario: FIRST_HAND_OUT,
    defects: {
      issuing: (ledger) => ({ ...ledger, activate: async (_, { grant }) => ({ grant }) }),
    },
    objection: /I1: a token left and is not on record/,
    onlyWhenCutOff: false,
  },
  {
    what: 'a sweep that gives away what is leased',
    scenario: FIRST_HAND_OUT,
    defects: {
      sweeping: (parts, ledger) => ({
        ...parts,
        sweepLedger: {
          ...parts.sweepLedger,
          accounts: async () => {
            const found = await parts.sweepLedger.accounts();
            for (const { email, account } of found.accounts)
              if (account.state === 'leased')
                await ledger.collection('service_accounts').doc(email).update({ state: 'free', grant: null });
            return found;
          },
        },
      }),
    },
    objection: /I5: an account is free while a token of it is unexpired|I4: a live grant’s account is not its own/,
    onlyWhenCutOff: false,
  },
  {
    what: 'a sweep whose clock is ahead',
    scenario: JOBS_END,
    defects: {
      sweeping: (parts, ledger) => ({
        ...parts,
        sweepLedger: createSweepLedger(ledger, () => parts.now() + 15 * 60_000),
        now: () => parts.now() + 15 * 60_000,
      }),
    },
    objection: /I5: an account was enabled while a token of it was unexpired|I5: an account is free/,
    onlyWhenCutOff: false,
  },
  {
    what: 'a sweep that wakes nobody',
    scenario: JOBS_END,
    defects: {
      sweeping: (parts) => ({
        ...parts,
        sweepLedger: { ...parts.sweepLedger, beginToWake: async () => undefined },
      }),
    },
    objection: /I6: an account is lost to the ledger/,
    onlyWhenCutOff: false,
  },
];

describe('the crash tests', () => {
  let lanes: Lanes;
  beforeAll(async () => {
    lanes = await openWarmLanes(1);
  });
  afterAll(() => lanes.close());

  it.each(DEFECTS)('object to $what', async ({ scenario, defects, objection, onlyWhenCutOff }) => {
    await lanes.use(async (lane) => {
      const points = pointsOf(scenario, await enumerate(lane, scenario, defects));
      let objected: unknown;
      for (const [name, point] of points) {
        objected = await runPoint(lane, scenario, point, defects).catch((error: unknown) => error);
        if (onlyWhenCutOff && !point.cut) expect(objected, name).toBeUndefined();
        if (objected) break;
      }
      expect(String(objected)).toMatch(objection);
    });
  });

  it('find every write and every call of a scenario, and nothing else', async () => {
    const operations = await lanes.use((lane) => enumerate(lane, JOBS_END));
    expect(operations).toEqual([
      'commit(update jobs, update grants, update service_accounts) #1',
      'iam serviceAccounts.disable #1',
      'iam serviceAccounts.get #1',
      'commit(update grants, update service_accounts) #1',
    ]);
    expect([...pointsOf(JOBS_END, operations).keys()].slice(0, 4)).toEqual([
      'undisturbed',
      'undisturbed, then wanted again',
      'point 1 of 4, cut off before commit(update jobs, update grants, update service_accounts) #1',
      'point 1 of 4, cut off after commit(update jobs, update grants, update service_accounts) #1, then wanted again',
    ]);
  });

  it('object to a point that is not reached', async () => {
    const point = { cut: { operation: 'commit(nothing) #1', side: 'before' }, again: false } as const;
    const run = lanes.use((lane) => runPoint(lane, JOBS_END, point));
    await expect(run).rejects.toThrow('the operation to cut off at was not reached');
  });
});

describe('a process that is cut off', () => {
  it.each([
    { side: 'before', done: ['first', 'beside'] },
    { side: 'after', done: ['first', 'beside', 'second'] },
  ] as const)('$side an operation does what was begun, and nothing more', async ({ side, done }) => {
    const cutting = new Cutting({ operation: 'second #1', side });
    const process = new CutProcess(cutting);
    const performed: string[] = [];
    const heard: string[] = [];
    const operate = async (what: string) => {
      await process.operation(what, async () => {
        await new Promise(setImmediate);
        performed.push(what);
      });
      heard.push(what);
    };
    const ran = await process.run(async () => {
      await operate('first');
      await Promise.all([operate('beside'), operate('second').then(() => operate('third'))]);
    });
    expect(ran).toBe('cut off');
    expect(cutting.made).toBe(true);
    expect(performed).toEqual(done);
    expect(heard).not.toContain('second');
    expect(process.alive).toBe(false);
    void operate('after all');
    await new Promise(setImmediate);
    expect(performed).toEqual(done);
  });
});

function named(scenarios: readonly Scenario[], name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`no scenario is called ${name}`);
  return found;
}
