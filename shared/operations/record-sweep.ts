// Records in the ledger what a sweep came to and left, and what Buildkite says of the API token. For people: nothing depends on it.

import type { Instance, Swept } from '../core/deployment/deployment.ts';
import { RECORD_SWEEP_MS } from '../core/timing.ts';
import { type FailureFacts, toFailure, withTimeout } from '../runtime/errors.ts';
import type { ApiTokenChecks, ApiTokenDeps, CheckedApiToken } from './check-api-token.ts';
import type { SweepResult } from './sweep.ts';

export interface RecordedSweep {
  readonly checkedApiToken?: CheckedApiToken;
  readonly failures: readonly FailureFacts[];
}

/** Never throws, and takes RECORD_SWEEP_MS at most. @param endedAt of the sweep, in milliseconds since the epoch */
export async function recordSweep(
  deps: ApiTokenDeps & { readonly apiTokenChecks: ApiTokenChecks },
  instance: Instance,
  { result, endedAt }: { readonly result: SweepResult; readonly endedAt: number },
): Promise<RecordedSweep> {
  const { deploymentLedger, describeApiToken, apiTokenChecks, clock } = deps;
  let checkedApiToken: CheckedApiToken | undefined;
  const failures: FailureFacts[] = [];
  const record = async () => {
    try {
      checkedApiToken = await apiTokenChecks.checkIfDue(deps);
      if (checkedApiToken?.failure) failures.push(checkedApiToken.failure);
    } catch (error) {
      failures.push(toFailure(error));
    }
    const apiToken = describeApiToken ? checkedApiToken?.check : null;
    await deploymentLedger.recordSweep(instance, { swept: toSwept(result, endedAt), apiToken });
  };
  try {
    await withTimeout({ clock, milliseconds: RECORD_SWEEP_MS, dependency: 'ledger' }, record());
  } catch (error) {
    failures.push(toFailure(error));
  }
  return { ...(checkedApiToken ? { checkedApiToken } : {}), failures };
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
