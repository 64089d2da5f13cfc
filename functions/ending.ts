// The clients that end: the whole of the `webhook` function's, and what `token` uses when a job returns its grant early.
// They can neither mint nor enable an account.

import type { Settings } from '../shared/core/settings.ts';
import { createAccountDisabler } from '../shared/google/disable-account.ts';
import { createServiceIdentity } from '../shared/google/service-identity.ts';
import { createEndingLedger } from '../shared/ledger/ending-ledger.ts';
import { createDatabaseOpener } from '../shared/ledger/firestore-client.ts';
import { createGrantDocumentCloser } from '../shared/ledger/grant-document.ts';
import { createTokenLookup, type LookUpToken } from '../shared/ledger/token-lookup.ts';
import { ask } from '../shared/outgoing.ts';
import type { RevokeParts } from '../shared/revoke.ts';

export function createEnding(parts: {
  readonly settings: Settings;
  readonly emulator: boolean;
  readonly now: () => number;
}): RevokeParts & { readonly lookUpToken: LookUpToken; readonly warm: () => Promise<void> } {
  const { settings, emulator, now } = parts;
  const openDatabase = createDatabaseOpener(emulator);
  const ledger = openDatabase({ project: settings.GOOGLE_CLOUD_PROJECT, database: settings.KEYDESK_DATABASE });
  const identity = createServiceIdentity(ask);
  return {
    ledger: createEndingLedger(ledger, now),
    closeGrantDocument: createGrantDocumentCloser(openDatabase),
    disableAccount: createAccountDisabler(identity.ask, settings.KEYDESK_IAM_URL),
    lookUpToken: createTokenLookup(ledger),
    now,
    /** Opens connections and has the clients build what they build on first use. Never fails. */
    warm: async () => {
      await Promise.allSettled([identity.warm(), ledger.collection('jobs').doc('warm-up').get()]);
    },
  };
}
