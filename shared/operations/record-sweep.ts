// Records in the ledger what a sweep came to and left, and what Buildkite says of its API tokens. For people: nothing depends on it.

import type { Instance, Swept } from '../core/deployment/deployment.ts';
import { RECORD_SWEEP_MS } from '../core/timing.ts';
import { type FailureFacts, toFailure, withTimeout } from '../runtime/errors.ts';
import type { ApiTokenChecks, ApiTokenDeps, CheckedApiToken } from './check-api-token.ts';
import type { SweepResult } from './sweep.ts';

export interface RecordedSweep {
  readonly checkedApiToken?: CheckedApiToken;
  readonly checkedTeamsApiToken?: CheckedApiToken;
  readonly failures: readonly FailureFacts[];
}

/** The checks of both API tokens, which an instance keeps. */
export interface ApiTokenCheckers {
  readonly apiTokenChecks: ApiTokenChecks;
  readonly teamsApiTokenChecks: ApiTokenChecks;
}

/** Never throws, and takes RECORD_SWEEP_MS at most. @param endedAt of the sweep, in milliseconds since the epoch */
export async function recordSweep(
  deps: ApiTokenDeps & ApiTokenCheckers,
  instance: Instance,
  { result, endedAt }: { readonly result: SweepResult; readonly endedAt: number },
): Promise<RecordedSweep> {
  const { deploymentLedger, describeApiToken, describeTeamsApiToken, apiTokenChecks, teamsApiTokenChecks, clock } =
    deps;
  let checked: Omit<RecordedSweep, 'failures'> = {};
  const failures: FailureFacts[] = [];
  const check = async (checks: ApiTokenChecks) => {
    try {
      const found = await checks.checkIfDue(deps);
      if (found?.failure) failures.push(found.failure);
      return found;
    } catch (error) {
      failures.push(toFailure(error));
      return undefined;
    }
  };
  const record = async () => {
    const checkedApiToken = await check(apiTokenChecks);
    if (checkedApiToken) checked = { checkedApiToken };
    const checkedTeamsApiToken = await check(teamsApiTokenChecks);
    if (checkedTeamsApiToken) checked = { ...checked, checkedTeamsApiToken };
    await deploymentLedger.recordSweep(instance, {
      swept: toSwept(result, endedAt),
      apiToken: describeApiToken ? checkedApiToken?.check : null,
      teamsApiToken: describeTeamsApiToken ? checkedTeamsApiToken?.check : null,
    });
  };
  try {
    await withTimeout({ clock, milliseconds: RECORD_SWEEP_MS, dependency: 'ledger' }, record());
  } catch (error) {
    failures.push(toFailure(error));
  }
  return { ...checked, failures };
}

function toSwept(result: SweepResult, endedAt: number): Swept {
  const {
    left,
    reconciledJobs,
    jobsUnchecked,
    failures,
    pending,
    hasBacklog,
    pools,
    oldestPendingAt,
    incomplete,
    hasUnreadable,
  } = result;
  return {
    last_sweep_at: endedAt,
    last_sweep_ok: !incomplete && !hasUnreadable,
    oldest_pending_at: oldestPendingAt,
    jobs_reconciled: reconciledJobs.length,
    left: {
      ...left,
      jobs_unchecked: jobsUnchecked,
      failed: failures.length + pending.length,
      has_backlog: hasBacklog,
      pools: Object.entries(pools).map(([pool, report]) => ({ pool, ...report })),
    },
  };
}
