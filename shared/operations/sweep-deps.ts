// What the steps of the sweep work with.

import type { BuildkiteJobs } from '../buildkite/job-state.ts';
import type { GetAccountState } from '../google/account-state.ts';
import type { EnableAccount } from '../google/enable-account.ts';
import type { JobCheckLedger } from '../ledger/job-checks.ts';
import type { SweepLedger } from '../ledger/sweep.ts';
import type { RevokeDeps } from './revoke-grant.ts';

export interface SweepDeps extends RevokeDeps {
  readonly sweepLedger: SweepLedger;
  readonly getAccountState: GetAccountState;
  readonly enableAccount: EnableAccount;
  /** Undefined without an API token: then the clock alone ends what no webhook ended. */
  readonly buildkiteJobs: BuildkiteJobs | undefined;
  readonly jobCheckLedger: JobCheckLedger;
}
