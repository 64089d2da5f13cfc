// The pooled accounts' part of the sweep. Enables accounts after their cooldown, never before IAM and the ledger agree and never
// two sweeps at once; checks that accounts in cooldown are still disabled; recovers accounts whose grant is gone; counts.

import type { Account } from '../core/pool/account.ts';
import { type PoolReport, poolReports } from '../core/pool/forecast.ts';
import {
  ACCOUNT_STEP_MS,
  COOLDOWN_MARGIN_MS,
  DISABLE_WINDOW_MS,
  ENABLE_WINDOW_MS,
  RECHECK_EVERY_MS,
} from '../core/timing.ts';
import { type FailureFacts, toFailure } from '../runtime/errors.ts';
import { type Failure, forEachConcurrently } from '../runtime/work-queue.ts';
import { toUnreadableFailure } from './end-job.ts';
import type { StoredAccount } from './ports.ts';
import type { SweepDeps } from './sweep-deps.ts';

const RECHECKS = 300;
/**
 * IAM's reads are eventually consistent (google/iam/admin/v1/iam.proto), so one of them may return an old state. An
 * account is disabled at the first response that it is enabled; an alarm takes this number of responses.
 */
const CONSISTENT_READS = 3;
/** Milliseconds between two of them in one run. */
const BETWEEN_READS_MS = 2_000;
/** After this time an account that is not cooling down although its last token has expired counts as orphaned. */
const ORPHAN_GRACE_MS = 2 * 60_000;

export interface AccountSweepResult {
  /** Enabled again. */
  readonly enabled: readonly StoredAccount[];
  /** Found enabled while they should rest, as before, and disabled again: somebody else enables them. */
  readonly enabledExternally: readonly StoredAccount[];
  /** Found enabled while they should rest, and they still are. */
  readonly stillEnabled: readonly StoredAccount[];
  /** Of these, the accounts for which IAM has not said it often enough to be sure. */
  readonly foundEnabled: readonly StoredAccount[];
  readonly pools: Readonly<Record<string, PoolReport>>;
  readonly failures: readonly Failure[];
  /** Whether the accounts could not be read at all. */
  readonly incomplete: boolean;
}

/** Never throws: failures are part of the result, and the next sweep tries again. */
export async function sweepAccounts(deps: SweepDeps): Promise<AccountSweepResult> {
  const { sweepLedger, clock } = deps;
  const failures: Failure[] = [];
  const enabled: StoredAccount[] = [];
  const enabledExternally: StoredAccount[] = [];
  const stillEnabled: StoredAccount[] = [];
  const foundEnabled: StoredAccount[] = [];
  let incomplete = true;
  const known = new Map<string, Account>();
  const step = (list: readonly StoredAccount[], work: (known: StoredAccount) => Promise<unknown>) =>
    forEachConcurrently(
      list,
      { until: clock.now() + ACCOUNT_STEP_MS, clock, failures, name: ({ email }) => ({ service_account: email }) },
      work,
    );
  const update = (email: string, account: Account | undefined) => {
    if (account) known.set(email, account);
    return account;
  };
  try {
    const { accounts, unreadable } = await sweepLedger.accounts();
    incomplete = false;
    for (const { email, account } of accounts) known.set(email, account);
    failures.push(...unreadable.map((record) => ({ service_account: record.id, ...toUnreadableFailure(record) })));

    await step(orphaned(accounts, clock.now()), async (orphan) => {
      if (update(orphan.email, await sweepLedger.reclaim(orphan)))
        failures.push({
          service_account: orphan.email,
          code: 'lease_without_grant',
          error: 'no grant held it any more; its cooldown began',
        });
    });
    await step(cooledDown(accounts, clock.now()), async ({ email, account }) => {
      if (update(email, await reEnable(deps, email))) enabled.push({ email, account });
    });
    await step(dueForRecheck(accounts, clock.now()), async ({ email }) => {
      const state = await deps.getAccountState(email);
      if (state === 'missing') {
        failures.push({
          service_account: email,
          code: 'account_missing',
          error: 'is gone from IAM: take it out of the pool, and delete its record',
        });
        return;
      }
      if (state === 'enabled') {
        const found = update(email, await sweepLedger.claimForDisable(email));
        // It serves another job by now, or another sweep is enabling it.
        if (!found || found.disabling_since === null) return;
        const failure = await disableAgain(deps, email, found.disabling_since + DISABLE_WINDOW_MS);
        if (failure && (await isStillEnabled(deps, email))) stillEnabled.push({ email, account: found });
        else if (found.found_enabled >= CONSISTENT_READS) enabledExternally.push({ email, account: found });
        else foundEnabled.push({ email, account: found });
        if (failure) {
          failures.push({ service_account: email, ...failure });
          return;
        }
      }
      update(email, await sweepLedger.markChecked(email));
    });
  } catch (error) {
    failures.push(toFailure(error));
  }
  return {
    enabled,
    enabledExternally,
    stillEnabled,
    foundEnabled,
    failures,
    pools: poolReports([...known.values()], clock.now()),
    incomplete,
  };
}

/**
 * Enables an account. Once it serves another job, a request to enable it that is still on its way would bring back what
 * was taken away: so it is claimed first, and the request is sent only within a fraction of the time that the claim is
 * good for: {@link EnableAccount} sees to it.
 */
async function reEnable(deps: SweepDeps, email: string): Promise<Account | undefined> {
  const { sweepLedger, enableAccount } = deps;
  const claimed = await sweepLedger.claimForEnable(email);
  if (!claimed || claimed.enabling_since === null) return undefined;
  const until = claimed.enabling_since + ENABLE_WINDOW_MS;
  await enableAccount(email, until);
  return sweepLedger.confirmEnabled(email, claimed.enabling_since);
}

/**
 * Disables an account. Once it serves another job, a request to disable it that is still on its way would take that job's access
 * away: so it is claimed first, and no request is sent from `until` on. @returns why IAM did not confirm it
 */
async function disableAgain(
  { disableAccount }: SweepDeps,
  email: string,
  until: number,
): Promise<FailureFacts | undefined> {
  try {
    await disableAccount(email, 'keydesk/cooling-down', until);
    return undefined;
  } catch (error) {
    const { dependency: _, error: why, ...facts } = toFailure(error);
    return {
      ...facts,
      code: 'enabled_during_cooldown',
      error: `was found enabled during its cooldown, and could not be disabled: ${why}`,
    };
  }
}

/** Whether IAM goes on saying that the account is enabled. */
async function isStillEnabled({ getAccountState, clock }: SweepDeps, email: string): Promise<boolean> {
  for (let reads = 1; reads < CONSISTENT_READS; reads += 1) {
    await clock.sleep(BETWEEN_READS_MS);
    const state = await getAccountState(email).catch(() => undefined);
    if (state !== 'enabled') return false;
  }
  return true;
}

function orphaned(accounts: readonly StoredAccount[], now: number): StoredAccount[] {
  return accounts.filter(
    ({ account: { state, reusable_at } }) =>
      (state === 'leased' || state === 'revoking') && reusable_at + ORPHAN_GRACE_MS <= now,
  );
}

function cooledDown(accounts: readonly StoredAccount[], now: number): StoredAccount[] {
  return accounts.filter(({ account: { state, reusable_at } }) => state === 'cooling_down' && reusable_at <= now);
}

function dueForRecheck(accounts: readonly StoredAccount[], now: number): StoredAccount[] {
  const checkedAt = ({ account }: StoredAccount) => Math.max(account.disabled_at ?? 0, account.last_checked_at ?? 0);
  return accounts
    .filter(({ account }) => account.state === 'cooling_down' && account.disabled_at !== null)
    .filter(({ account }) => account.reusable_at - COOLDOWN_MARGIN_MS > now)
    .filter((known) => checkedAt(known) + RECHECK_EVERY_MS <= now)
    .sort((left, right) => checkedAt(left) - checkedAt(right))
    .slice(0, RECHECKS);
}
