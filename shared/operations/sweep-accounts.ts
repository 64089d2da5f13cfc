// The pooled accounts' part of the sweep. Enables those that have rested, never before IAM and the ledger agree and never
// two sweeps at once; asks IAM whether those that rest are still disabled; takes back those whose grant is gone; counts.

import { CLOCK_MARGIN_MS } from '../core/clock-margin.ts';
import type { Account } from '../core/pool/account.ts';
import { type PoolReport, reportPools } from '../core/pool/forecast.ts';
import type { KnownAccount } from '../ledger/sweep.ts';
import { detailOf, failureOf } from '../runtime/errors.ts';
import { type Failure, workThrough } from '../runtime/work-queue.ts';
import type { SweepParts } from './sweep-deps.ts';

/** Milliseconds for each of the three things done. */
const STEP_MS = 5_000;
/** How long a sweep may go on enabling what it began: far less than until another may begin. */
const CLAIM_USED_MS = 20_000;
/** A resting account is looked at again by about every sweep, until its tokens have expired by all clocks but the slowest. */
const RECHECK_EVERY_MS = 50_000;
const RECHECKS = 300;
/**
 * IAM's reads are eventually consistent (google/iam/admin/v1/iam.proto), so one of them may tell what was so before. An
 * account is disabled at the first answer that it is enabled; an alarm takes so many.
 */
const CONSISTENT_ANSWERS = 3;
/** Milliseconds between two of them in one run. */
const BETWEEN_ANSWERS_MS = 2_000;
/** After what time an account that is not resting although its last token has expired is taken to be forgotten. */
const FORGOTTEN_MS = 2 * 60_000;

export interface SweptAccounts {
  /** Enabled again. */
  readonly woken: readonly KnownAccount[];
  /** Found enabled while they should rest, as before, and disabled again: somebody else enables them. */
  readonly disabledAgain: readonly KnownAccount[];
  /** Found enabled while they should rest, and they still are. */
  readonly notDisabled: readonly KnownAccount[];
  /** The same of which IAM has not said it so often that it must be true. */
  readonly foundEnabled: readonly KnownAccount[];
  readonly pools: Readonly<Record<string, PoolReport>>;
  readonly failures: readonly Failure[];
  /** Whether the accounts could not be read at all. */
  readonly unread: boolean;
}

/** Never throws: what fails is told and tried again by the next sweep. */
export async function sweepAccounts(parts: SweepParts): Promise<SweptAccounts> {
  const { sweepLedger, clock } = parts;
  const failures: Failure[] = [];
  const woken: KnownAccount[] = [];
  const disabledAgain: KnownAccount[] = [];
  const notDisabled: KnownAccount[] = [];
  const foundEnabled: KnownAccount[] = [];
  let unread = true;
  const known = new Map<string, Account>();
  const step = (list: readonly KnownAccount[], work: (known: KnownAccount) => Promise<unknown>) =>
    workThrough(
      list,
      { until: clock.now() + STEP_MS, clock, failures, name: ({ email }) => ({ service_account: email }) },
      work,
    );
  const changed = (email: string, account: Account | undefined) => {
    if (account) known.set(email, account);
    return account;
  };
  try {
    const { accounts, unreadable } = await sweepLedger.accounts();
    unread = false;
    for (const { email, account } of accounts) known.set(email, account);
    failures.push(
      ...unreadable.map((email) => ({
        service_account: email,
        code: 'unreadable_record' as const,
        error: 'its record cannot be read',
      })),
    );

    await step(forgotten(accounts, clock.now()), async (held) => {
      if (changed(held.email, await sweepLedger.reclaim(held)))
        failures.push({ service_account: held.email, error: 'no grant held it any more; it was sent to rest' });
    });
    await step(rested(accounts, clock.now()), async ({ email, account }) => {
      if (changed(email, await wake(parts, email))) woken.push({ email, account });
    });
    await step(toRecheck(accounts, clock.now()), async ({ email, account }) => {
      const state = await parts.stateOfAccount(email);
      if (state === 'missing') throw new Error('is gone from IAM: take it out of the pool, and delete its record');
      if (state === 'enabled') {
        const failure = await disableAgain(parts, email);
        const counted = await sweepLedger.foundEnabled(email).catch((error: unknown) => {
          failures.push({ service_account: email, ...failureOf(error) });
          return undefined;
        });
        const found = changed(email, counted) ?? account;
        if (failure && (await isStillEnabled(parts, email))) notDisabled.push({ email, account: found });
        else if (found.found_enabled >= CONSISTENT_ANSWERS) disabledAgain.push({ email, account: found });
        else foundEnabled.push({ email, account: found });
        if (failure) {
          failures.push({ service_account: email, code: 'enabled_during_cooldown', error: failure.message });
          return;
        }
      }
      changed(email, await sweepLedger.recheck(email));
    });
  } catch (error) {
    failures.push(failureOf(error));
  }
  return {
    woken,
    disabledAgain,
    notDisabled,
    foundEnabled,
    failures,
    pools: reportPools([...known.values()], clock.now()),
    unread,
  };
}

/**
 * Enables an account. Once it serves another job, a request to enable it that is still on its way would bring back what
 * was taken away: so it is claimed first, and the request is sent only within a fraction of the time that the claim is
 * good for: {@link EnableAccount} sees to it.
 */
async function wake(parts: SweepParts, email: string): Promise<Account | undefined> {
  const { sweepLedger, enableAccount } = parts;
  const claimed = await sweepLedger.beginToWake(email);
  if (!claimed || claimed.enabling_since === null) return undefined;
  const until = claimed.enabling_since + CLAIM_USED_MS;
  await enableAccount(email, until);
  return sweepLedger.wake(email, claimed.enabling_since);
}

/** Disables an account. @returns why IAM did not confirm it */
async function disableAgain({ disableAccount, clock }: SweepParts, email: string): Promise<Error | undefined> {
  try {
    await disableAccount(email, 'keydesk/cooling-down', clock.now() + STEP_MS);
    return undefined;
  } catch (error) {
    return new Error(`was found enabled while it must rest, and could not be disabled: ${detailOf(error)}`);
  }
}

/** Whether IAM goes on saying that the account is enabled. */
async function isStillEnabled({ stateOfAccount, clock }: SweepParts, email: string): Promise<boolean> {
  for (let answers = 1; answers < CONSISTENT_ANSWERS; answers += 1) {
    await clock.sleep(BETWEEN_ANSWERS_MS);
    const state = await stateOfAccount(email).catch(() => undefined);
    if (state !== 'enabled') return false;
  }
  return true;
}

function forgotten(accounts: readonly KnownAccount[], now: number): KnownAccount[] {
  return accounts.filter(
    ({ account: { state, reusable_at } }) =>
      (state === 'leased' || state === 'revoking') && reusable_at + FORGOTTEN_MS <= now,
  );
}

function rested(accounts: readonly KnownAccount[], now: number): KnownAccount[] {
  return accounts.filter(({ account: { state, reusable_at } }) => state === 'cooling_down' && reusable_at <= now);
}

function toRecheck(accounts: readonly KnownAccount[], now: number): KnownAccount[] {
  const checkedAt = ({ account }: KnownAccount) => Math.max(account.disabled_at ?? 0, account.last_checked_at ?? 0);
  return accounts
    .filter(({ account }) => account.state === 'cooling_down' && account.disabled_at !== null)
    .filter(({ account }) => account.reusable_at - CLOCK_MARGIN_MS > now)
    .filter((known) => checkedAt(known) + RECHECK_EVERY_MS <= now)
    .sort((left, right) => checkedAt(left) - checkedAt(right))
    .slice(0, RECHECKS);
}
