// Opens Firestore databases, one client each. Knows nothing about what is in them.

import { Firestore, Timestamp } from '@google-cloud/firestore';
import { PassThroughClient } from 'google-auth-library';
import { SCHEMA_VERSION } from '../core/schema-version.ts';

export type OpenDatabase = (name: { readonly project: string; readonly database: string }) => Firestore;

/** Clients are kept for the life of the instance. `emulator` says that FIRESTORE_EMULATOR_HOST is in force. */
export function createDatabaseOpener(emulator: boolean): OpenDatabase {
  const clients = new Map<string, Firestore>();
  return ({ project, database }) => {
    const key = `${project}/${database}`;
    const known = clients.get(key);
    if (known) return known;
    const client = new Firestore({
      projectId: project,
      databaseId: database,
      preferRest: true,
      ignoreUndefinedProperties: false,
      ...(emulator ? { authClient: new PassThroughClient() } : {}),
    });
    clients.set(key, client);
    return client;
  };
}

/** Whether `error` is Firestore's ALREADY_EXISTS (google.rpc.Code 6). */
export function alreadyExists(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 6;
}

/** Fields that end in `_at`, `_until` or `_since` are times: milliseconds in Keydesk, timestamps in Firestore. */
export function toStored(record: object): Record<string, unknown> {
  const stored = mapTimes(record, (at) => (typeof at === 'number' ? Timestamp.fromMillis(at) : at));
  return stored as Record<string, unknown>;
}

/** A whole record as it is stored, with the version of its schema. */
export function toStoredRecord(record: object): Record<string, unknown> {
  return toStored({ ...record, schema_version: SCHEMA_VERSION });
}

/** The inverse of {@link toStored}; the shape is still to be checked. */
export function fromStored(value: unknown): unknown {
  return mapTimes(value, (at) => (at instanceof Timestamp ? at.toMillis() : at));
}

function mapTimes(value: unknown, convert: (at: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapTimes(item, convert));
  if (typeof value !== 'object' || value === null || value instanceof Timestamp || value instanceof Uint8Array)
    return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      /_(at|until|since)$/.test(name) ? convert(inner) : mapTimes(inner, convert),
    ]),
  );
}
