// Documents of Firestore as records: checked against a schema when they are read, and written only if nobody wrote since.

import type * as z from 'zod';
import { SCHEMA_VERSION } from '../core/schema-version.ts';
import type { UnreadableRecord, Version } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError, errorMessage } from '../runtime/errors.ts';
import type { DocumentReference, DocumentSnapshot, Timestamp, WriteBatch } from './database.ts';
import { fromStored, toStoredRecord } from './stored-record.ts';

/** The record in a document; undefined when there is none. @throws DependencyError when it does not fit the schema */
export function parseRecord<T>(schema: z.ZodType<T>, snapshot: DocumentSnapshot): T | undefined {
  if (!snapshot.exists) return undefined;
  const stored = fieldsOf(snapshot);
  const parsed = schema.safeParse(fromStored(stored));
  if (parsed.success) return parsed.data;
  const fields = [...new Set(parsed.error.issues.map(({ path }) => path.join('.')))].join(', ');
  const version = stored.schema_version;
  const cause =
    typeof version === 'number' && version > SCHEMA_VERSION
      ? `a newer release wrote it (schema_version ${version}; this release has ${SCHEMA_VERSION}): deploy that release for every function`
      : 'it was changed by hand, or by something other than Keydesk';
  throw new DependencyError('ledger', 'unreadable_record', `${snapshot.ref.path} cannot be read (${fields}): ${cause}`);
}

/** @throws DependencyError when a field has a type that Keydesk does not store: somebody added it by hand */
function fieldsOf(snapshot: DocumentSnapshot): Record<string, unknown> {
  try {
    return snapshot.data() ?? {};
  } catch (error) {
    const detail = `${snapshot.ref.path} cannot be read: ${errorMessage(error)}`;
    throw new DependencyError('ledger', 'unreadable_record', detail, { cause: error });
  }
}

/** A document as it was read, with the record in it. */
export interface Loaded<T> {
  readonly read: DocumentSnapshot;
  readonly record: T;
}

/** The records among the documents; one that cannot be read must not keep the others from what is to be done. */
export function parseAll<T>(
  documents: readonly DocumentSnapshot[],
  parse: (snapshot: DocumentSnapshot) => T | undefined,
) {
  const loaded: Loaded<T>[] = [];
  const unreadable: UnreadableRecord[] = [];
  for (const read of documents) {
    try {
      const record = parse(read);
      if (record) loaded.push({ read, record });
    } catch (error) {
      unreadable.push({ id: read.id, error: errorMessage(error) });
    }
  }
  return { loaded, unreadable };
}

/** Adds a write that the commit refuses as a whole unless the document is as old as `updated`; undefined: not there. */
export function putIfUnchanged(
  batch: WriteBatch,
  document: DocumentReference,
  updated: Timestamp | undefined,
  record: object,
): void {
  const data = toStoredRecord(record);
  if (updated) batch.update(document, data, { lastUpdateTime: updated });
  else batch.create(document, data);
}

/** The time of a read or a write that left this ledger as a Version. */
export function timestampOf(version: Version): Timestamp {
  return version as Timestamp;
}

const MAX_TRIES = 30;

const MAX_PAUSE_MS = 200;

/**
 * Reads, decides and writes, and repeats that while somebody else writes in between. This is a transaction without locks:
 * with Firestore's own, two requests for one grant, or a request and the job's end, would wait for each other's locks.
 * @param retryMs milliseconds after which a lost race is not tried again, and is thrown
 */
export async function retryOnConflict<T>(
  clock: Clock,
  attempt: () => Promise<T>,
  retryMs = Number.POSITIVE_INFINITY,
): Promise<T> {
  const until = clock.now() + retryMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflictOrMissing(error) || tries === MAX_TRIES || clock.now() >= until) throw error;
      await clock.sleep(clock.random() * Math.min(10 * 2 ** tries, MAX_PAUSE_MS));
    }
  }
}

/** Whether there is no such document: NOT_FOUND of google.rpc.Code. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === 5;
}

/** Whether there is one already: ALREADY_EXISTS. */
export function alreadyExists(error: unknown): boolean {
  return codeOf(error) === 6;
}

/** Whether there is none, or somebody else wrote first. */
export function isConflictOrMissing(error: unknown): boolean {
  return isMissing(error) || isWriteConflict(error);
}

/** Whether somebody else wrote first: ALREADY_EXISTS, FAILED_PRECONDITION and ABORTED of google.rpc.Code. */
export function isWriteConflict(error: unknown): boolean {
  return [6, 9, 10].includes(codeOf(error));
}

function codeOf(error: unknown): number {
  return error instanceof Error && 'code' in error ? Number(error.code) : Number.NaN;
}
