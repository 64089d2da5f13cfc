// The simulated day in small: it keeps every promise, says so in each section of its report, and fails when a part is
// broken. Keydesk is composed as it is deployed; only what a test breaks is replaced.

import { describe, expect, it } from 'vitest';
import { DependencyError } from '../../shared/runtime/errors.ts';
import { playDay } from './day.ts';
import { reportDay } from './day-report.ts';
import type { Keydesk } from './keydesk.ts';

const SECTIONS = [
  'Jobs',
  'How grants ended',
  "From the job's real end until access was gone",
  'Refused requests',
  'Google',
  'Sweeps',
  'Pool',
  'Promises',
];

const unavailable = () =>
  Promise.reject(new DependencyError('a test', 'error_response', 'returned 500: broken on purpose'));

describe('a simulated day of lost webhooks', () => {
  it('breaks no promise, and its report has every section', async () => {
    const day = await playDay({ jobs: 60, seed: 26, hours: 2 });
    expect(reportDay(day).split('\n')).toEqual(expect.arrayContaining(SECTIONS));
    expect(day.judged).toBeGreaterThan(10_000);
    expect(new Set(day.held.map(({ grant }) => grant.kind)).size).toBe(3);
    const ways = ['job.finished', 'job.reconciled', 'expiry', 'released'];
    expect(day.held.map(({ grant }) => grant.ended_by)).toEqual(expect.arrayContaining(ways));
    expect([...day.failed.keys()]).toEqual(expect.arrayContaining(['500', '429', 'garbage', 'network']));
  });

  it('comes out the same for the same seed', async () => {
    const [one, other] = [
      await playDay({ jobs: 10, seed: 3, hours: 1 }),
      await playDay({ jobs: 10, seed: 3, hours: 1 }),
    ];
    expect({ ...one, realMs: 0 }).toEqual({ ...other, realMs: 0 });
  });

  /** Few jobs and no sweep: nothing repairs what is broken. */
  const broken = (alter: (keydesk: Keydesk) => Keydesk, sweeps = false) =>
    playDay({ jobs: 10, seed: 5, hours: 1, sweeps, alter });
  const ending = (alter: (deps: Keydesk['webhookDeps']) => Partial<Keydesk['webhookDeps']>) => (keydesk: Keydesk) => ({
    ...keydesk,
    webhookDeps: { ...keydesk.webhookDeps, ...alter(keydesk.webhookDeps) },
  });

  it.each([
    {
      what: 'ends are recorded and nothing is revoked or swept',
      alter: ending(() => ({ closeGrantDocument: unavailable, disableAccount: unavailable })),
      objection: /I6: \S+ of \S+ stays revoking/,
    },
    {
      what: 'a grant is said to be revoked and its document still lets tokens in',
      alter: ending(() => ({ closeGrantDocument: async () => {} })),
      objection: /I3: config of \S+ is revoked on record and its document is active/,
    },
    {
      what: 'a grant is said to be revoked and its account is not disabled',
      alter: ending(() => ({ disableAccount: async () => {} })),
      objection: /I3: \S+ works and its grant is revoked/,
    },
    {
      what: 'the end of a job is believed to be recorded and is not',
      alter: ending(({ ledger }) => ({
        ledger: {
          ...ledger,
          endJob: async () => ({ alreadyEnded: false, grants: [], unreadable: [], pipelineMismatch: false }),
        },
      })),
      objection: /I2: the end of \S+ was answered and is not on record/,
    },
  ])('fails when $what', async ({ alter, objection }) => {
    await expect(broken(alter)).rejects.toThrow(objection);
  });

  it('fails when an account is enabled before its last token has expired', async () => {
    const alter = ({ sweepDeps, ...keydesk }: Keydesk): Keydesk => {
      const { sweepLedger, enableAccount, clock } = sweepDeps;
      const accounts = async () => {
        const known = await sweepLedger.accounts();
        for (const { email, account } of known.accounts)
          if (account.state === 'cooling_down') await enableAccount(email, clock.now() + 20_000).catch(() => {});
        return known;
      };
      return { ...keydesk, sweepDeps: { ...sweepDeps, sweepLedger: { ...sweepLedger, accounts } } };
    };
    await expect(broken(alter, true)).rejects.toThrow(/I5: \S+ was enabled and \S+ lives/);
  });

  it('names its seed and the command that shows it again', async () => {
    await expect(broken(ending(() => ({ disableAccount: async () => {} })))).rejects.toThrow(
      'KEYDESK_SEED=5 KEYDESK_JOBS=10 KEYDESK_HOURS=1 npm run simulate',
    );
  });
});
