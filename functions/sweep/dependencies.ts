// The clients of the `sweep` function: those that end, and the only one that can enable an account.

import { createBuildkiteJobs } from '../../shared/buildkite/job-state.ts';
import { createAccountStateReader } from '../../shared/google/account-state.ts';
import { createAccountEnabler } from '../../shared/google/enable-account.ts';
import { createCheckLedger } from '../../shared/ledger/job-checks.ts';
import { createSweepLedger } from '../../shared/ledger/sweep.ts';
import type { SweepParts } from '../../shared/operations/sweep-deps.ts';
import { type ClientSettings, openClients } from '../../shared/wiring/clients.ts';
import { createEnding } from '../../shared/wiring/revocation.ts';

export function createSweeping(parts: ClientSettings): SweepParts & { readonly warm: () => Promise<void> } {
  const { settings, clock } = parts;
  const clients = openClients(parts);
  const { lookUpToken: _, ...ending } = createEnding(parts, clients);
  const apiToken = settings.KEYDESK_BUILDKITE_API_TOKEN;
  const apiUrl = settings.KEYDESK_BUILDKITE_API_URL;
  const accounts = { askAsService: clients.askAsService, iamUrl: settings.KEYDESK_IAM_URL, clock };
  return {
    ...ending,
    sweepLedger: createSweepLedger(clients.ledger, clock),
    checkLedger: createCheckLedger(clients.ledger, clock),
    enableAccount: createAccountEnabler(accounts),
    stateOfAccount: createAccountStateReader(accounts),
    buildkiteJobs:
      apiToken === undefined ? undefined : createBuildkiteJobs({ ask: clients.ask, apiUrl, apiToken, clock }),
  };
}
