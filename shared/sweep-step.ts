// What the steps of the sweep share: what they work with, how failures are told, and work on many things at once that
// stops beginning when its time is up.

import type { BuildkiteJobs } from './buildkite/job-state.ts';
import type { Grant } from './core/grant.ts';
import { idOf } from './core/grant-life.ts';
import type { ReadAccountState } from './google/account-state.ts';
import type { EnableAccount } from './google/enable-account.ts';
import type { CheckLedger } from './ledger/check-ledger.ts';
import type { SweepLedger } from './ledger/sweep-ledger.ts';
import type { RevokeParts } from './revoke.ts';
import type { Clock } from './runtime/clock.ts';
import { failureOf } from './unavailable.ts';

export interface SweepParts extends RevokeParts {
  readonly sweepLedger: SweepLedger;
  readonly stateOfAccount: ReadAccountState;
  readonly enableAccount: EnableAccount;
  /** Undefined without an API token: then the clock alone ends what no webhook ended. */
  readonly buildkiteJobs: BuildkiteJobs | undefined;
  readonly checkLedger: CheckLedger;
}

export interface Failure {
  readonly job_id?: string;
  readonly grant_id?: string;
  readonly service_account?: string;
  /** Who failed, where that is known. */
  readonly dependency?: string;
  readonly error: string;
  /** For machines, where the words of `error` would not do. */
  readonly code?: 'unreadable_record' | 'enabled_during_cooldown';
}

const AT_ONCE = 10;

/**
 * Works on the items, ten at once, and begins none after `until`. What fails is added to `failures`.
 * @returns the items that it did not come to
 */
export async function workThrough<T>(
  items: readonly T[],
  options: {
    readonly until: number;
    readonly clock: Clock;
    readonly failures: Failure[];
    readonly name: (item: T) => Omit<Failure, 'dependency' | 'error' | 'code'>;
  },
  work: (item: T) => Promise<unknown>,
): Promise<readonly T[]> {
  const { until, clock, failures, name } = options;
  const waiting = [...items];
  const worker = async () => {
    while (clock.now() < until) {
      const item = waiting.shift();
      if (item === undefined) return;
      try {
        await work(item);
      } catch (error) {
        failures.push({ ...name(item), ...failureOf(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return waiting;
}

export function nameGrant(grant: Grant): Omit<Failure, 'dependency' | 'error' | 'code'> {
  return { grant_id: idOf(grant) };
}
