// What every function's clients are made from: the ledger's database, others that it opens, and the function's own Google
// identity. By themselves they neither mint nor end anything.

import type { Settings } from '../core/settings.ts';
import type { Database, OpenDatabase } from '../firestore/database.ts';
import { createRestOpener } from '../firestore/rest-database.ts';
import { createServiceIdentity } from '../google/service-identity.ts';
import type { Clock } from '../runtime/clock.ts';
import { createHttpClient, type HttpClient } from '../runtime/http-client.ts';

export interface ClientSettings<T extends Database = Database> {
  readonly settings: Settings;
  readonly clock: Clock;
  /** FIRESTORE_EMULATOR_HOST, where it is in force. */
  readonly emulatorHost?: string | undefined;
  /** Replacements for Firestore, Google and Buildkite; by default the real ones. */
  readonly network?: Network<T>;
}

/** All that leaves the process. */
export interface Network<T extends Database = Database> {
  readonly openDatabase: OpenDatabase<T>;
  readonly sendRequest: HttpClient;
  /** Sends requests with the function's own identity. */
  readonly sendAsService: HttpClient;
  /** Fetches what the first request would wait for. Never fails. */
  readonly warmUp?: () => Promise<void>;
}

export type Clients<T extends Database = Database> = ReturnType<typeof clientsOver<T>>;

export function openClients({ settings, clock, emulatorHost, network }: ClientSettings): Clients {
  return clientsOver(
    settings,
    network ?? connect(clock, (using) => createRestOpener({ ...using, emulatorHost, clock })),
  );
}

/** The same with another client for databases. */
export function openClientsWith<T extends Database>(
  createOpener: (emulatorHost: string | undefined) => OpenDatabase<T>,
  { settings, clock, emulatorHost, network }: ClientSettings<T>,
): Clients<T> {
  return clientsOver(settings, network ?? connect(clock, () => createOpener(emulatorHost)));
}

function clientsOver<T extends Database>(
  settings: Settings,
  { openDatabase, sendRequest, sendAsService, warmUp }: Network<T>,
) {
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

function connect<T extends Database>(
  clock: Clock,
  createOpener: (using: { readonly sendRequest: HttpClient; readonly sendAsService: HttpClient }) => OpenDatabase<T>,
): Network<T> {
  const sendRequest = createHttpClient(clock);
  const { sendRequest: sendAsService, warmUp } = createServiceIdentity(sendRequest, clock);
  return { openDatabase: createOpener({ sendRequest, sendAsService }), sendRequest, sendAsService, warmUp };
}
