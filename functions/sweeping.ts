// The clients of the `sweep` function: those that end, and the only one that can enable an account.

import { createJobStateReader } from '../shared/buildkite/job-state.ts';
import type { Settings } from '../shared/core/settings.ts';
import { createAccountStateReader } from '../shared/google/account-state.ts';
import { createAccountDisabler } from '../shared/google/disable-account.ts';
import { createAccountEnabler } from '../shared/google/enable-account.ts';
import { createServiceIdentity } from '../shared/google/service-identity.ts';
import { createEndingLedger } from '../shared/ledger/ending-ledger.ts';
import { createDatabaseOpener } from '../shared/ledger/firestore-client.ts';
import { createGrantDocumentCloser } from '../shared/ledger/grant-document.ts';
import { createSweepLedger } from '../shared/ledger/sweep-ledger.ts';
import { ask } from '../shared/outgoing.ts';
import type { SweepParts } from '../shared/sweep-step.ts';

export function createSweeping(parts: {
  readonly settings: Settings;
  readonly emulator: boolean;
  readonly now: () => number;
}): SweepParts & { readonly warm: () => Promise<void> } {
  const { settings, emulator, now } = parts;
  const openDatabase = createDatabaseOpener(emulator);
  const ledger = openDatabase({ project: settings.GOOGLE_CLOUD_PROJECT, database: settings.KEYDESK_DATABASE });
  const identity = createServiceIdentity(ask);
  const apiToken = settings.KEYDESK_BUILDKITE_API_TOKEN;
  const apiUrl = settings.KEYDESK_BUILDKITE_API_URL;
  return {
    ledger: createEndingLedger(ledger, now),
    sweepLedger: createSweepLedger(ledger, now),
    closeGrantDocument: createGrantDocumentCloser(openDatabase),
    disableAccount: createAccountDisabler(identity.ask, settings.KEYDESK_IAM_URL),
    enableAccount: createAccountEnabler(identity.ask, settings.KEYDESK_IAM_URL),
    stateOfAccount: createAccountStateReader(identity.ask, settings.KEYDESK_IAM_URL),
    askJobState: apiToken === undefined ? undefined : createJobStateReader({ ask, apiUrl, apiToken }),
    now,
    /** Opens connections and has the clients build what they build on first use. Never fails. */
    warm: async () => {
      await Promise.allSettled([identity.warm(), ledger.collection('jobs').doc('warm-up').get()]);
    },
  };
}
