// Whether the crash tests would find anything: they meet parts with a defect each, and must object to every one. Some of
// these defects show only when a process is cut off at the right point.

import { Timestamp } from '@google-cloud/firestore';
import { describe, expect, it } from 'vitest';
import { createSweepLedger } from '../../../shared/ledger/sweep.ts';
import type { RevokeDeps } from '../../../shared/operations/revoke-grant.ts';
import type { Keydesk } from '../keydesk.ts';
import { enumerate, pointsOf, runPoint } from './crash.ts';
import { CutProcess, Cutting } from './cut-process.ts';
import { type CrashLedger, inMemory } from './ledgers.ts';
import type { Defect } from './run.ts';
import { ISSUANCE, REVOCATION, type Scenario } from './scenarios.ts';

const FIRST_ISSUE = named(ISSUANCE, 'the first issuance of a pooled account');
const JOBS_END = named(REVOCATION, 'the job’s end with a grant of a pooled account');

const NOTHING = { grants: [], unreadable: [] };

interface Objected {
  readonly what: string;
  readonly scenario: Scenario;
  readonly defect: Defect;
  readonly objection: RegExp;
  /** Whether nothing is wrong as long as nothing is cut off. */
  readonly onlyWhenCutOff: boolean;
}

const DEFECTS: readonly Objected[] = [
  {
    what: 'an end that says revoked before it disables the account',
    scenario: JOBS_END,
    defect: (keydesk) =>
      withEndingLedger(keydesk, (ledger) => ({
        ...ledger,
        endJob: async (jobEnd) => {
          const ended = await ledger.endJob(jobEnd);
          for (const grant of ended.grants) await ledger.confirmRevoked(grant);
          return ended;
        },
      })),
    objection: /I3: \S+ works and its grant is revoked/,
    onlyWhenCutOff: false,
  },
  {
    what: 'an end of a job that is on record before the end of its grants',
    scenario: JOBS_END,
    defect: (keydesk, openDatabase) =>
      withEndingLedger(keydesk, (ledger, { clock }) => ({
        ...ledger,
        endJob: async (jobEnd) => {
          const ended_at = Timestamp.fromMillis(clock.now());
          const job = ledgerOf(openDatabase).collection('jobs').doc(jobEnd.job_id);
          await job.update({ ended_at, ended_by: jobEnd.by });
          return ledger.endJob(jobEnd);
        },
      })),
    objection: /I3: admin of \S+ is active and its job has ended/,
    onlyWhenCutOff: false,
  },
  {
    what: 'an issuance that does not record its token',
    scenario: FIRST_ISSUE,
    defect: (keydesk) => ({
      ...keydesk,
      tokenDeps: {
        ...keydesk.tokenDeps,
        ledger: { ...keydesk.tokenDeps.ledger, activate: async (_, { grant }) => ({ grant }) },
      },
    }),
    objection: /I1: \S+ left and is not on record/,
    onlyWhenCutOff: false,
  },
  {
    what: 'a sweep that gives away what is leased',
    scenario: FIRST_ISSUE,
    defect: ({ sweepDeps, ...keydesk }, openDatabase) => ({
      ...keydesk,
      sweepDeps: {
        ...sweepDeps,
        sweepLedger: {
          ...sweepDeps.sweepLedger,
          accounts: async () => {
            const found = await sweepDeps.sweepLedger.accounts();
            const accounts = ledgerOf(openDatabase).collection('service_accounts');
            for (const { email, account } of found.accounts)
              if (account.state === 'leased') await accounts.doc(email).update({ state: 'free', grant_id: null });
            return found;
          },
        },
      },
    }),
    objection: /I4: admin of \S+ is active and \S+ is free/,
    onlyWhenCutOff: false,
  },
  {
    what: 'a sweep whose clock is ahead',
    scenario: JOBS_END,
    defect: ({ sweepDeps, ...keydesk }, openDatabase) => {
      const clock = { ...sweepDeps.clock, now: () => sweepDeps.clock.now() + 15 * 60_000 };
      const sweepLedger = createSweepLedger(ledgerOf(openDatabase), clock);
      return { ...keydesk, sweepDeps: { ...sweepDeps, sweepLedger, clock } };
    },
    objection: /I5: \S+ was enabled and \S+ lives/,
    onlyWhenCutOff: false,
  },
  {
    what: 'a sweep that enables no account',
    scenario: JOBS_END,
    defect: (keydesk) => withSweepLedger(keydesk, (ledger) => ({ ...ledger, claimForEnable: async () => undefined })),
    objection: /I6: \S+ stays cooling_down/,
    onlyWhenCutOff: false,
  },
  {
    what: 'a sweep that does not go on with what was cut off',
    scenario: JOBS_END,
    defect: (keydesk) => withSweepLedger(keydesk, (ledger) => ({ ...ledger, pendingRevocations: async () => NOTHING })),
    objection: /I6: a sweep left a revocation unfinished/,
    onlyWhenCutOff: true,
  },
  {
    what: 'a sweep that expires only what left',
    scenario: FIRST_ISSUE,
    defect: (keydesk) =>
      withSweepLedger(keydesk, (ledger) => ({
        ...ledger,
        overdue: async (limit) => {
          const { grants, unreadable } = await ledger.overdue(limit);
          return { grants: grants.filter(({ issued_at }) => issued_at !== null), unreadable };
        },
      })),
    objection: /I6: admin of \S+ stays issuing|I4: \S+ is cooling_down/,
    onlyWhenCutOff: true,
  },
];

describe('the crash tests', () => {
  it.each(DEFECTS)('object to $what', async ({ scenario, defect, objection, onlyWhenCutOff }) => {
    const points = pointsOf(scenario, await enumerate(inMemory, scenario, defect));
    let objected: unknown;
    for (const [name, point] of points) {
      objected = await runPoint(inMemory, scenario, point, defect).catch((error: unknown) => error);
      if (onlyWhenCutOff && !point.cut) expect(objected, name).toBeUndefined();
      if (objected) break;
    }
    expect(String(objected)).toMatch(objection);
  });

  it('find every write and every call of a scenario, and nothing else', async () => {
    const operations = await enumerate(inMemory, JOBS_END);
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
    const run = runPoint(inMemory, JOBS_END, point);
    await expect(run).rejects.toThrow('the operation to cut off at was not reached');
  });
});

describe('a process that is cut off', () => {
  it.each([
    { side: 'before', done: ['first', 'parallel'] },
    { side: 'after', done: ['first', 'parallel', 'second'] },
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
      await Promise.all([operate('parallel'), operate('second').then(() => operate('third'))]);
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

/** The same, with another ledger wherever something ends. */
function withEndingLedger(
  { releaseDeps, webhookDeps, sweepDeps, killSwitchDeps, ...keydesk }: Keydesk,
  alter: (ledger: RevokeDeps['ledger'], deps: RevokeDeps) => RevokeDeps['ledger'],
): Keydesk {
  const altered = <T extends RevokeDeps>(deps: T): T => ({ ...deps, ledger: alter(deps.ledger, deps) });
  return {
    ...keydesk,
    releaseDeps: altered(releaseDeps),
    webhookDeps: altered(webhookDeps),
    sweepDeps: altered(sweepDeps),
    killSwitchDeps: altered(killSwitchDeps),
  };
}

function withSweepLedger(
  { sweepDeps, ...keydesk }: Keydesk,
  alter: (ledger: Keydesk['sweepDeps']['sweepLedger']) => Keydesk['sweepDeps']['sweepLedger'],
): Keydesk {
  return { ...keydesk, sweepDeps: { ...sweepDeps, sweepLedger: alter(sweepDeps.sweepLedger) } };
}

function ledgerOf(openDatabase: CrashLedger['openDatabase']) {
  return openDatabase({ project: 'keydesk-model', database: 'ledger' });
}

function named(scenarios: readonly Scenario[], name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`no scenario is called ${name}`);
  return found;
}
