// What every function's clients are made from: the ledger's database, others that it opens, and the function's own Google
// identity. By themselves they neither mint nor end anything.

import type { Settings } from '../core/settings.ts';
import { createDatabaseOpener, type OpenDatabase } from '../firestore/client.ts';
import { createServiceIdentity } from '../google/service-identity.ts';
import type { Clock } from '../runtime/clock.ts';
import { createHttpClient, type HttpClient } from '../runtime/http-client.ts';

export interface ClientSettings {
  readonly settings: Settings;
  readonly clock: Clock;
  /** FIRESTORE_EMULATOR_HOST is in force. */
  readonly emulator: boolean;
  /** Replacements for Firestore, Google and Buildkite; by default the real ones. */
  readonly network?: Network;
}

/** All that leaves the process. */
export interface Network {
  readonly openDatabase: OpenDatabase;
  readonly sendRequest: HttpClient;
  /** Sends requests with the function's own identity. */
  readonly sendAsService: HttpClient;
  /** Fetches what the first request would wait for. Never fails. */
  readonly warmUp?: () => Promise<void>;
}

export type Clients = ReturnType<typeof openClients>;

export function openClients({ settings, clock, emulator, network }: ClientSettings) {
  const { openDatabase, sendRequest, sendAsService, warmUp } = network ?? connect(clock, emulator);
  const ledger = openDatabase({ project: settings.GOOGLE_CLOUD_PROJECT, database: settings.KEYDESK_DATABASE });
  return {
    openDatabase,
    ledger,
    sendRequest,
    sendAsService,
    /** Opens connections and has the clients build what they build on first use. Never fails. */
    warmUp: async () => {
      await Promise.allSettled([warmUp?.(), ledger.collection('jobs').doc('warm-up').get()]);
    },
  };
}

function connect(clock: Clock, emulator: boolean): Network {
  const sendRequest = createHttpClient(clock);
  const { sendRequest: sendAsService, warmUp } = createServiceIdentity(sendRequest, clock);
  return { openDatabase: createDatabaseOpener(emulator), sendRequest, sendAsService, warmUp };
}
