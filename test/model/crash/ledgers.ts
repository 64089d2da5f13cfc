// What a crash test keeps its records in: Firestore in memory, or the real emulator. The same scenarios run on both.

import { randomBytes } from 'node:crypto';
import type { DocumentSnapshot, Firestore } from '@google-cloud/firestore';
import { grantId } from '../../../shared/core/grant/id.ts';
import type { OpenDatabase } from '../../../shared/firestore/database.ts';
import { clientOpener, restOpener } from '../../fixtures/emulator-databases.ts';
import { createMemoryFirestore } from '../../fixtures/memory-firestore.ts';
import { SCARCE } from '../setting.ts';
import type { Dump } from '../stores.ts';

/** A job, and the credential that it asks for. */
interface Asking {
  readonly id: string;
  readonly credential: string;
}

export interface CrashLedger {
  readonly openDatabase: OpenDatabase;
  /** Reads all that is stored of these jobs, and of what they share. */
  read(jobs: readonly Asking[]): Promise<void>;
  /** What was read last, by path: the ledger, and where the grant documents are. */
  dumps(): { readonly ledger: Dump; readonly opened: Dump };
  close(): Promise<void>;
}

/** The id of the act of the kill switch that scenarios have. */
export const KILL_ID = '5f0e7dd1-2c4c-4b53-9d0a-0c7e6b3f5c11';

export function inMemory(): CrashLedger {
  const [ledger, opened] = [createMemoryFirestore(), createMemoryFirestore()];
  return {
    openDatabase: ({ project }) => (project === 'acme-model' ? opened : ledger).firestore,
    read: async () => {},
    dumps: () => ({ ledger: ledger.dump(), opened: opened.dump() }),
    close: async () => {},
  };
}

/** A database that no other run has. The grant documents are in it, too. */
export function onEmulator(host: string): CrashLedger {
  const project = `crash-${randomBytes(6).toString('hex')}`;
  const name = { project, database: '(default)' };
  const [database, used] = [clientOpener(host)(name), restOpener(host)(name)];
  const stored = new Map<string, { readonly data: Record<string, unknown>; readonly updated: string }>();
  let reading: Promise<void> = Promise.resolve();
  const keep = (read: DocumentSnapshot) => {
    const { path } = read.ref;
    const updated = `${read.updateTime?.seconds}.${read.updateTime?.nanoseconds}`;
    const data = read.data();
    if (!data) stored.delete(path);
    else if (stored.get(path)?.updated !== updated) stored.set(path, { data, updated });
  };
  return {
    openDatabase: () => used,
    read: (jobs) => {
      // One after the other: an answer that is older must not come last.
      reading = reading.then(async () => (await database.getAll(...documentsOf(database, jobs))).forEach(keep));
      return reading;
    },
    dumps: () => ({ ledger: new Map([...stored].map(([path, { data }]) => [path, data])), opened: new Map() }),
    close: () => database.terminate(),
  };
}

function documentsOf(database: Firestore, jobs: readonly Asking[]) {
  const ids = jobs.map(({ id, credential }) => grantId(id, credential));
  return [
    ...['blocks/current', 'locks/buildkite', `kill_switches/${KILL_ID}`],
    ...[...SCARCE.pools.values()].flat().map((email) => `service_accounts/${email}`),
    ...jobs.map(({ id }) => `jobs/${id}`),
    ...ids.flatMap((id) => [`grants/${id}`, `keydesk_grants/${id}`]),
  ].map((path) => {
    const [collection = '', id = ''] = path.split('/');
    return database.collection(collection).doc(id);
  });
}
