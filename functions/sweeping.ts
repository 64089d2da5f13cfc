// The clients of the `sweep` function: those that end, and the only one that can enable an account.

import { createJobStateReader } from '../shared/buildkite/job-state.ts';
import { createAccountStateReader } from '../shared/google/account-state.ts';
import { createAccountEnabler } from '../shared/google/enable-account.ts';
import { createSweepLedger } from '../shared/ledger/sweep-ledger.ts';
import type { SweepParts } from '../shared/sweep-step.ts';
import { type ClientSettings, openClients } from './clients.ts';
import { createEnding } from './ending.ts';

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
    enableAccount: createAccountEnabler(accounts),
    stateOfAccount: createAccountStateReader(accounts),
    askJobState: apiToken === undefined ? undefined : createJobStateReader({ ask: clients.ask, apiUrl, apiToken }),
  };
}
