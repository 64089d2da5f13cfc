// What the steps of the sweep work with.

import type { BuildkiteJobs } from '../buildkite/job-state.ts';
import type { ReadAccountState } from '../google/account-state.ts';
import type { EnableAccount } from '../google/enable-account.ts';
import type { CheckLedger } from '../ledger/job-checks.ts';
import type { SweepLedger } from '../ledger/sweep.ts';
import type { RevokeParts } from './revoke-grant.ts';

export interface SweepParts extends RevokeParts {
  readonly sweepLedger: SweepLedger;
  readonly stateOfAccount: ReadAccountState;
  readonly enableAccount: EnableAccount;
  /** Undefined without an API token: then the clock alone ends what no webhook ended. */
  readonly buildkiteJobs: BuildkiteJobs | undefined;
  readonly checkLedger: CheckLedger;
}
