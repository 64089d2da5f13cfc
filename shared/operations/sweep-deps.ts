// What the steps of the sweep work with.

import type { BuildLookDeps } from './look-up-builds.ts';
import type { BuildkiteJobs, EnableAccount, GetAccountState, JobCheckLedger, SweepLedger } from './ports.ts';
import type { RevokeDeps } from './revoke-grant.ts';

export interface SweepDeps extends RevokeDeps, BuildLookDeps {
  readonly sweepLedger: SweepLedger;
  readonly getAccountState: GetAccountState;
  readonly enableAccount: EnableAccount;
  /** Undefined without an API token: then the clock alone ends what no webhook ended. */
  readonly buildkiteJobs: BuildkiteJobs | undefined;
  readonly jobCheckLedger: JobCheckLedger;
}
