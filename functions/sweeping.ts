// The clients of the `sweep` function: those that end, and the only one that can enable an account.

import { createJobStateReader } from '../shared/buildkite/job-state.ts';
import { createAccountStateReader } from '../shared/google/account-state.ts';
import { createAccountEnabler } from '../shared/google/enable-account.ts';
import { createSweepLedger } from '../shared/ledger/sweep-ledger.ts';
import { ask } from '../shared/outgoing.ts';
import type { SweepParts } from '../shared/sweep-step.ts';
import { type ClientSettings, openClients } from './clients.ts';
import { createEnding } from './ending.ts';

export function createSweeping(parts: ClientSettings): SweepParts & { readonly warm: () => Promise<void> } {
  const { settings, now } = parts;
  const clients = openClients(parts);
  const { lookUpToken: _, ...ending } = createEnding(parts, clients);
  const apiToken = settings.KEYDESK_BUILDKITE_API_TOKEN;
  const apiUrl = settings.KEYDESK_BUILDKITE_API_URL;
  return {
    ...ending,
    sweepLedger: createSweepLedger(clients.ledger, now),
    enableAccount: createAccountEnabler(clients.askAsService, settings.KEYDESK_IAM_URL),
    stateOfAccount: createAccountStateReader(clients.askAsService, settings.KEYDESK_IAM_URL),
    askJobState: apiToken === undefined ? undefined : createJobStateReader({ ask, apiUrl, apiToken }),
  };
}
