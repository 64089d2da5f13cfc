// What every function's clients are made from: the ledger's database, others that it opens, and the function's own Google
// identity. By themselves they neither mint nor end anything.

import type { Settings } from '../shared/core/settings.ts';
import { createServiceIdentity } from '../shared/google/service-identity.ts';
import { createDatabaseOpener } from '../shared/ledger/firestore-client.ts';
import { ask } from '../shared/outgoing.ts';

export interface ClientSettings {
  readonly settings: Settings;
  /** FIRESTORE_EMULATOR_HOST is in force. */
  readonly emulator: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export type Clients = ReturnType<typeof openClients>;

export function openClients({ settings, emulator }: ClientSettings) {
  const openDatabase = createDatabaseOpener(emulator);
  const ledger = openDatabase({ project: settings.GOOGLE_CLOUD_PROJECT, database: settings.KEYDESK_DATABASE });
  const identity = createServiceIdentity(ask);
  return {
    openDatabase,
    ledger,
    /** Asks with the function's own identity. */
    askAsService: identity.ask,
    /** Opens connections and has the clients build what they build on first use. Never fails. */
    warm: async () => {
      await Promise.allSettled([identity.warm(), ledger.collection('jobs').doc('warm-up').get()]);
    },
  };
}
