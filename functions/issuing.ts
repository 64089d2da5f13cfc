// The clients of the `token` function, and no others: it can record hand-outs and mint. Loaded lazily because Google's
// libraries are most of a cold start.

import type { Settings } from '../shared/core/settings.ts';
import { createMint } from '../shared/google/mint.ts';
import { createServiceIdentity } from '../shared/google/service-identity.ts';
import { createDatabaseOpener } from '../shared/ledger/firestore-client.ts';
import { createGrantDocumentOpener } from '../shared/ledger/grant-document.ts';
import { createIssuingLedger } from '../shared/ledger/issuing-ledger.ts';
import { ask } from '../shared/outgoing.ts';

export function createIssuing(parts: {
  readonly settings: Settings;
  readonly emulator: boolean;
  readonly now: () => number;
}) {
  const { settings, emulator, now } = parts;
  const openDatabase = createDatabaseOpener(emulator);
  const ledger = openDatabase({ project: settings.GOOGLE_CLOUD_PROJECT, database: settings.KEYDESK_DATABASE });
  const identity = createServiceIdentity(ask);
  return {
    ledger: createIssuingLedger(ledger, now),
    openGrantDocument: createGrantDocumentOpener(openDatabase),
    mint: createMint({
      askAsService: identity.ask,
      ask,
      iamCredentialsUrl: settings.KEYDESK_IAMCREDENTIALS_URL,
      identityToolkitUrl: settings.KEYDESK_IDENTITYTOOLKIT_URL,
      now,
    }),
    /** Opens connections and has the clients build what they build on first use. Never fails. */
    warm: async () => {
      const reading = ledger.collection('jobs').doc('warm-up').get();
      await Promise.allSettled([identity.warm(), reading]);
    },
  };
}
