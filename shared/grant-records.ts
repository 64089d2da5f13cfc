// Where grants and tombstones lie in the ledger, and how a stored document becomes a checked record.
// Shared by the parts of the ledger that write; knows no transitions.

import type { DocumentData, DocumentReference, DocumentSnapshot, Firestore } from '@google-cloud/firestore';
import * as z from 'zod';
import { type Grant, grantSchema } from './core/grant.ts';
import { fromStored } from './firestore-client.ts';

/** Milliseconds that one read or transaction of the ledger may take. */
export const LEDGER_DEADLINE_MS = 5_000;

const tombstone = z.object({ ended_at: z.number(), ended_by: z.string() });

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

/** When the job ended; undefined while it runs. */
export function toEndedAt(snapshot: DocumentSnapshot<DocumentData>): number | undefined {
  return snapshot.exists ? tombstone.parse(fromStored(snapshot.data())).ended_at : undefined;
}
