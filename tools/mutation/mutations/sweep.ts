// Guards of the sweep (I6): every grant ends and every account comes back, and Buildkite is asked as it allows.

import type { Mutation } from '../mutation.ts';

const ACCOUNT_LIFE = 'shared/core/pool/lifecycle.ts';
const SWEEP = 'shared/operations/sweep.ts';
const SWEEP_ACCOUNTS = 'shared/operations/sweep-accounts.ts';

const MODEL = 'test/model/lifecycle.test.ts';
const ACCOUNT_LIFE_TEST = 'test/unit/core/pool/lifecycle.test.ts';

export const SWEEP_GUARDS: readonly Mutation[] = [
  {
    id: 'enabling-not-confirmed',
    breaks: 'I6',
    means: 'IAM is not asked whether an enabled account is enabled.',
    observed: 'history 100 of `pool`: becomes `free` and is disabled',
    aliases: ['N11'],
    edits: [
      {
        file: 'shared/google/account-state.ts',
        find: `    await retry(deadline, async () => {
      if ((await getState(email)) !== 'enabled')
        throw new DependencyError(dependency, 'not_confirmed', 'succeeded, but the account is not enabled yet');
    });
`,
        replace: '',
      },
    ],
    killers: ['test/unit/google/change-account.test.ts', MODEL],
  },
  {
    id: 'sweep-does-not-expire',
    breaks: 'I6',
    means: 'The sweep does not expire grants whose time is up.',
    observed: 'history 1 of `everything`: I6: a grant stays `active`',
    edits: [
      {
        file: SWEEP,
        find: 'sweepLedger.overdue, (grant) => ledger.expire(grant));',
        replace: 'sweepLedger.overdue, async () => undefined);',
      },
    ],
    killers: ['test/http/pool.test.ts', MODEL],
  },
  {
    id: 'sweep-does-not-revoke',
    breaks: 'I6',
    means: 'The sweep does not resume revocations that were not finished.',
    observed: 'history 9 of `everything`: I6: a grant stays `revoking`',
    edits: [
      {
        file: SWEEP,
        find: `sweepLedger.pendingRevocations, (grant, until) =>
    revokeGrant(deps, grant, Math.min(until, clock.now() + SWEEP_GRANT_MS)),
  );`,
        replace: 'sweepLedger.pendingRevocations, async () => undefined);',
      },
    ],
    killers: ['test/http/webhook-failures.test.ts', MODEL],
  },
  {
    id: 'claim-for-ever',
    breaks: 'I6',
    means: 'A claim to re-enable an account never lapses, so a sweep that was cut off blocks the account.',
    observed: 'history 5 of `pool`: I6: an account stays `cooling_down`',
    edits: [
      {
        file: ACCOUNT_LIFE,
        find: 'return enabling_since !== null && enabling_since + ENABLE_CLAIM_MS > now;',
        replace: 'return enabling_since !== null;',
      },
    ],
    killers: [ACCOUNT_LIFE_TEST, MODEL],
  },
  {
    id: 'account-of-expired-revocation-stays',
    breaks: 'I6',
    means: 'The account of a grant that expired while it was being revoked keeps its state.',
    observed: 'history 53 of `pool`: I4: `revoking`, and its grant does not hold it',
    edits: [
      {
        file: ACCOUNT_LIFE,
        find: "      return account.state === 'revoking' ? startCooldown(account, now) : undefined;",
        replace: '      return undefined;',
      },
    ],
    killers: [ACCOUNT_LIFE_TEST, MODEL],
  },
  {
    id: 'forgotten-accounts-stay',
    breaks: 'I6',
    means: 'The sweep does not take back accounts whose grant is gone.',
    aliases: ['N18'],
    edits: [
      {
        file: SWEEP_ACCOUNTS,
        find: 'await step(orphaned(accounts, clock.now()), async (orphan) => {',
        replace: 'await step(orphaned([], clock.now()), async (orphan) => {',
      },
    ],
    killers: ['test/http/concurrent-sweeps.test.ts'],
  },
  {
    id: 'recheck-after-last-token',
    breaks: 'limits',
    means: 'The sweep checks accounts with IAM whose last token has expired.',
    aliases: ['N17'],
    edits: [
      {
        file: SWEEP_ACCOUNTS,
        find: '    .filter(({ account }) => account.reusable_at - COOLDOWN_MARGIN_MS > now)\n',
        replace: '    .filter(({ account }) => account.reusable_at + 90_000 > 0)\n',
      },
    ],
    killers: ['test/http/concurrent-sweeps.test.ts', 'test/http/pool.test.ts', 'test/http/audit.test.ts'],
  },
  {
    id: 'rate-limit-of-buildkite-ignored',
    breaks: 'limits',
    means: 'The sweep asks Buildkite again although it returned 429.',
    aliases: ['N07'],
    edits: [
      {
        file: 'shared/operations/call-budget.ts',
        find: `    if (error.kind === 'limited') this.pause = Math.max(this.pause, error.retryAfter * 1000);
`,
        replace: '',
      },
    ],
    killers: ['test/http/reconcile-jobs.test.ts'],
  },
  {
    id: 'answer-about-another-job',
    breaks: 'verification',
    means: 'An answer of Buildkite about another job counts as one about the job in question.',
    aliases: ['M28'],
    edits: [
      {
        file: 'shared/buildkite/job-state.ts',
        find: 'if (!parsed.success || parsed.data.id.toLowerCase() !== job_id)',
        replace: 'if (!parsed.success)',
      },
    ],
    killers: ['test/unit/buildkite/job-state.test.ts'],
  },
  {
    id: 'renewal-postpones-the-check',
    breaks: 'limits',
    means: 'A renewal postpones the moment at which Buildkite is asked about the job.',
    edits: [
      {
        file: 'shared/ledger/issuance.ts',
        find: `if (!existing || existing.state === 'expired' || !jobRecord || jobRecord.check_at === null) {`,
        replace: 'if (true) {',
      },
      {
        file: 'shared/core/grant/job-record.ts',
        find: `const check_at = record.check_at ?? (existing ? now : firstCheckAt(now, random));
  const check = record.check_at === null ? {`,
        replace: `const check_at = firstCheckAt(now, random);
  const check = record ? {`,
      },
    ],
    killers: ['test/http/reconcile-jobs.test.ts', 'test/unit/core/grant/job-check.test.ts', 'test/model/day.test.ts'],
  },
  {
    id: 'job-that-came-back-waits',
    breaks: 'limits',
    means: 'A job that held nothing any more and gets a grant again is checked minutes later, not by the next sweep.',
    edits: [
      {
        file: 'shared/core/grant/job-record.ts',
        find: '(existing ? now : firstCheckAt(now, random))',
        replace: 'firstCheckAt(now, random)',
      },
    ],
    killers: ['test/unit/core/grant/job-check.test.ts'],
  },
  {
    id: 'failed-lookup-stays-first',
    breaks: 'limits',
    means: 'A job about which Buildkite fails stays first in line.',
    edits: [
      {
        file: 'shared/core/grant/job-check.ts',
        find: 'return { check_at: now + backOff, checks_failed: checks_failed + 1 };',
        replace: 'return { check_at: now - backOff, checks_failed: checks_failed + 1 };',
      },
    ],
    killers: ['test/unit/core/grant/job-check.test.ts', 'test/http/reconcile-jobs.test.ts'],
  },
  {
    id: 'job-that-came-back-is-not-checked',
    breaks: 'limits',
    means: 'A grant that comes back while a sweep finds nothing live of its job is never checked.',
    edits: [
      {
        file: 'shared/ledger/issuance.ts',
        find: `if (!existing || existing.state === 'expired' || !jobRecord || jobRecord.check_at === null) {`,
        replace: 'if (!existing || jobRecord?.check_at === null) {',
      },
    ],
    killers: ['test/http/reconcile-jobs.test.ts'],
  },
  {
    id: 'job-missing-in-the-list-has-finished',
    breaks: 'verification',
    means: 'A job that the list of its build lacks is taken to have finished.',
    edits: [
      {
        file: 'shared/operations/look-up-jobs.ts',
        find: "const UNKNOWN: JobState = { outcome: 'unknown',",
        replace: "const UNKNOWN: JobState = { outcome: 'finished',",
      },
    ],
    killers: ['test/http/reconcile-jobs.test.ts'],
  },
  {
    id: 'more-than-fifty-calls-a-minute',
    breaks: 'limits',
    means: 'Sweeps do not count the calls of the sweeps before them.',
    edits: [
      {
        file: 'shared/ledger/job-checks.ts',
        find: 'return { calls: recentCalls(recent, now), version: writeTime };',
        replace: 'return { calls: recent.slice(0, 0), version: writeTime };',
      },
    ],
    killers: ['test/http/reconcile-jobs.test.ts'],
  },
  {
    id: 'negative-remainder-is-none',
    breaks: 'limits',
    means: 'A negative number of calls left is taken for a header that says nothing.',
    edits: [
      {
        file: 'shared/buildkite/rate-limit.ts',
        find: '/^-?[0-9]{1,9}$/.test(value)',
        replace: '/^[0-9]{1,9}$/.test(value)',
      },
    ],
    killers: ['test/unit/buildkite/job-state.test.ts'],
  },
  {
    id: 'one-answer-is-an-alarm',
    breaks: 'answers',
    means: 'One response of IAM that an account in cooldown is enabled raises an alarm.',
    edits: [
      {
        file: SWEEP_ACCOUNTS,
        find: 'const CONSISTENT_READS = 3;',
        replace: 'const CONSISTENT_READS = 1;',
      },
    ],
    killers: ['test/http/pool.test.ts'],
  },
];
