// Where grants and jobs lie in the ledger, how a stored document becomes a checked record, and how a record is written
// only if nobody wrote it since it was read. Knows no transitions.

import type {
  DocumentData,
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Timestamp,
  WriteBatch,
} from '@google-cloud/firestore';
import { type Grant, grantSchema } from '../core/grant.ts';
import { type JobRecord, jobRecordSchema } from '../core/job-record.ts';
import { fromStored, toStored } from './firestore-client.ts';

/** Milliseconds that one step of the ledger may take. */
export const LEDGER_DEADLINE_MS = 5_000;
const MAX_TRIES = 30;
const LONGEST_PAUSE_MS = 200;

export function grantDocument(ledger: Firestore, id: string): DocumentReference {
  return ledger.collection('grants').doc(id);
}

export function jobDocument(ledger: Firestore, jobId: string): DocumentReference {
  return ledger.collection('jobs').doc(jobId);
}

/** The record in a document; undefined when there is none. Throws when the document is not a grant. */
export function toGrant(snapshot: DocumentSnapshot<DocumentData>): Grant | undefined {
  return snapshot.exists ? grantSchema.parse(fromStored(snapshot.data())) : undefined;
}

/** The record in a document; undefined when there is none. Throws when the document is not a job. */
export function toJobRecord(snapshot: DocumentSnapshot<DocumentData>): JobRecord | undefined {
  return snapshot.exists ? jobRecordSchema.parse(fromStored(snapshot.data())) : undefined;
}

/** Adds a write that the commit refuses as a whole unless the document is as old as `updated`; undefined: not there. */
export function putIfUnchanged(
  batch: WriteBatch,
  document: DocumentReference,
  updated: Timestamp | undefined,
  record: Grant | JobRecord,
): void {
  const data = toStored(record);
  if (updated) batch.update(document, data, { lastUpdateTime: updated });
  else batch.create(document, data);
}

/**
 * Reads, decides and writes anew as long as somebody else writes in between. This is a transaction without locks:
 * Firestore's own would have two hand-outs of one grant, or a hand-out and the job's end, wait for each other's.
 */
export async function untilWritten<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!lostRace(error) || tries === MAX_TRIES) throw error;
      const pause = Math.random() * Math.min(10 * 2 ** tries, LONGEST_PAUSE_MS);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION and ABORTED of google.rpc.Code. */
function lostRace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && [5, 6, 9, 10].includes(Number(error.code));
}
