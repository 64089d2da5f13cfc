// Google's client for Firestore, for the functions for people: it reads a database as it was. Those that run with every job have rest-database.ts.

import { Firestore } from '@google-cloud/firestore';
import { PassThroughClient } from 'google-auth-library';
import type { HistoricDatabase, OpenDatabase } from './database.ts';
import { openOnce } from './open-once.ts';

/** @param emulatorHost FIRESTORE_EMULATOR_HOST, which the client reads for itself */
export function createClientOpener(emulatorHost: string | undefined): OpenDatabase<Firestore & HistoricDatabase> {
  return openOnce(
    ({ project, database }) =>
      new Firestore({
        projectId: project,
        databaseId: database,
        preferRest: true,
        ignoreUndefinedProperties: false,
        ...(emulatorHost ? { authClient: new PassThroughClient() } : {}),
      }),
  );
}
