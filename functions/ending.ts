// The clients of the `webhook` and `sweep` functions, and no others: they can end, and cannot mint.

import type { Settings } from '../shared/core/settings.ts';
import { createEndingLedger } from '../shared/ledger/ending-ledger.ts';
import { createDatabaseOpener } from '../shared/ledger/firestore-client.ts';
import { createGrantDocumentCloser } from '../shared/ledger/grant-document.ts';
import type { RevokeParts } from '../shared/revoke.ts';

export function createEnding(parts: {
  readonly settings: Settings;
  readonly emulator: boolean;
  readonly now: () => number;
}): RevokeParts & { readonly warm: () => Promise<void> } {
  const { settings, emulator, now } = parts;
  const openDatabase = createDatabaseOpener(emulator);
  const ledger = openDatabase({ project: settings.GOOGLE_CLOUD_PROJECT, database: settings.KEYDESK_DATABASE });
  return {
    ledger: createEndingLedger(ledger, now),
    closeGrantDocument: createGrantDocumentCloser(openDatabase),
    now,
    /** Opens a connection and has the client build what it builds on first use. Never fails. */
    warm: async () => {
      await Promise.allSettled([ledger.collection('jobs').doc('warm-up').get()]);
    },
  };
}
