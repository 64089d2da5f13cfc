// The simulated day in small: it keeps every promise, says so in each section of its report, and tells when a part is
// broken. The desk is a real one; only what a test breaks is replaced.

import { describe, expect, inject, it } from 'vitest';
import { type Day, type DayOptions, runDay } from '../../bench/day.ts';
import { reportDay } from '../../bench/day-report.ts';
import { Unavailable } from '../../shared/unavailable.ts';

const SECTIONS = [
  'Jobs',
  'How grants ended',
  "From the job's real end until access was gone",
  'Refused hand-outs',
  'Google',
  'Sweeps',
  'Pool',
  'Promises',
];

const day = (options: Omit<DayOptions, 'firestoreHost'>): Promise<Day> =>
  runDay({ firestoreHost: inject('firestoreHost'), ...options });
const unavailable = () => Promise.reject(new Unavailable('a test', 'broken on purpose'));

describe('a simulated day of lost webhooks', () => {
  it('breaks no promise, and its report has every section', { timeout: 120_000 }, async () => {
    const result = await day({ jobs: 20, seed: 7, hours: 1 });
    const report = reportDay(result);
    expect(result.watch.broken).toEqual([]);
    expect(report.split('\n')).toEqual(expect.arrayContaining(SECTIONS));
    expect(report).toMatch(/^promises broken +0$/m);
    expect(result.watch.counts.judged).toBeGreaterThan(100);
    expect(new Set(result.held.map(({ grant }) => grant.kind)).size).toBe(3);
    expect(result.held.map(({ grant }) => grant.ended_by)).toEqual(
      expect.arrayContaining(['job.finished', 'job.found_finished', 'clock']),
    );
  });

  describe('tells that a promise is broken', { timeout: 60_000 }, () => {
    /** Few jobs and no sweep: nothing mends what is broken. */
    const broken = async (alter: NonNullable<DayOptions['alter']>) => {
      const result = await day({ jobs: 10, seed: 5, hours: 1, sweeps: false, alter });
      expect(reportDay(result)).toMatch(/^promises broken +[1-9]/m);
      return result.watch.broken.join('\n');
    };

    it('when ends are recorded and nothing is revoked or swept', async () => {
      const found = await broken((desk) => {
        desk.ending.closeGrantDocument = unavailable;
        desk.ending.disableAccount = unavailable;
      });
      expect(found).toMatch(/never ended, its record says revoking/);
      expect(found).toMatch(/never became free, its record says revoking/);
    });

    it('when a grant is said to be revoked and its document still lets tokens in', async () => {
      const found = await broken((desk) => {
        desk.ending.closeGrantDocument = async () => {};
      });
      expect(found).toMatch(/its document lets tokens in, but no live record says so/);
    });

    it('when a grant is said to be revoked and its account is not disabled', async () => {
      const found = await broken((desk) => {
        desk.ending.disableAccount = async () => {};
      });
      expect(found).toMatch(/a token of ci-\S+ is accepted, but no live record says so/);
    });

    it('when the end of a job is believed to be recorded and is not', async () => {
      const found = await broken((desk) => {
        const nothing = { repeated: false, grants: [], unreadable: [], otherPipeline: false };
        desk.ending.ledger = { ...desk.ending.ledger, endJob: async () => nothing };
      });
      expect(found).toMatch(/its end was recorded, its document lets tokens in, and its record says active/);
      expect(found).toMatch(/a token of ci-\S+ is accepted, its end was recorded, and its record says active/);
      expect(found).toMatch(/a token of export\S+ is accepted, its end was recorded, but not that it ended/);
    });

    it('when an account is enabled before its last token has expired', async () => {
      const result = await day({
        jobs: 10,
        seed: 5,
        hours: 1,
        alter: (desk) => {
          const { accounts } = desk.ending.sweepLedger;
          desk.ending.sweepLedger = {
            ...desk.ending.sweepLedger,
            accounts: async () => {
              const patience = { until: Number.POSITIVE_INFINITY, now: desk.ending.now };
              const known = await accounts();
              for (const { email, account } of known.accounts)
                if (account.state === 'resting') await desk.ending.enableAccount(email, patience).catch(() => {});
              return known;
            },
          };
        },
      });
      expect(result.watch.broken.join('\n')).toMatch(/enabled before its last token had expired/);
    });
  });
});
