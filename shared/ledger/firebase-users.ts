// The ledger's part in Firebase users: which generation of each is in force. A user that nobody changed has no record.

import { firebaseUserId, firebaseUserSchema } from '../core/firebase-user.ts';
import type { Database, DocumentReference } from '../firestore/database.ts';
import { parseRecord } from '../firestore/records.ts';
import { toStoredRecord } from '../firestore/stored-record.ts';
import type { FirebaseUsers } from '../operations/ports.ts';
import { type Clock, randomUuid } from '../runtime/clock.ts';
import { commitWithRetry, withLedgerTimeout } from './documents.ts';

/** Read at the first request for a user, and then this often. In between it learns of a change by finding it. */
const READ_AGAIN_MS = 10 * 60_000;

export function createFirebaseUserLedger(ledger: Database, clock: Clock): FirebaseUsers {
  const known = new Map<string, { readonly generation: number; readonly read_at: number }>();
  const documentOf = (id: string) => ledger.collection('firebase_users').doc(id);
  const remember = (id: string, generation: number) => {
    known.set(id, { generation, read_at: clock.now() });
  };

  return {
    generationOf: async (user) => {
      const id = firebaseUserId(user);
      const cached = known.get(id);
      if (cached && clock.now() - cached.read_at < READ_AGAIN_MS) return cached.generation;
      const { record } = await withLedgerTimeout(clock, read(documentOf(id)));
      // One that was retired while this read was on its way stays retired.
      const generation = Math.max(record?.generation ?? 0, known.get(id)?.generation ?? 0);
      remember(id, generation);
      return generation;
    },
    retire: async (user, generation) => {
      const id = firebaseUserId(user);
      const write_id = randomUuid(clock);
      const outcome = await commitWithRetry(clock, async () => {
        const { record, updateTime } = await read(documentOf(id));
        if (record && record.generation > generation)
          return { generation: record.generation, retired: record.write_id === write_id };
        const next = { generation: generation + 1, changed_at: clock.now(), write_id };
        const batch = ledger.batch();
        if (updateTime) batch.update(documentOf(id), toStoredRecord(next), { lastUpdateTime: updateTime });
        else batch.create(documentOf(id), toStoredRecord(next));
        await batch.commit();
        return { generation: next.generation, retired: true };
      });
      remember(id, outcome.generation);
      return outcome;
    },
  };
}

async function read(document: DocumentReference) {
  const snapshot = await document.get();
  return { record: parseRecord(firebaseUserSchema, snapshot), updateTime: snapshot.updateTime };
}
