// Records as they are stored: with times as Firestore has them, and with the version of their schema.

import { SCHEMA_VERSION } from '../core/schema-version.ts';
import type { Timestamp } from './database.ts';

/** Fields that end in `_at`, `_until` or `_since` are times: milliseconds in Keydesk, timestamps in Firestore. */
export function toStored(record: object): Record<string, unknown> {
  const stored = mapTimes(record, (at) => (typeof at === 'number' ? new Date(at) : at));
  return stored as Record<string, unknown>;
}

/** A whole record as it is stored, with the version of its schema. */
export function toStoredRecord(record: object): Record<string, unknown> {
  return toStored({ ...record, schema_version: SCHEMA_VERSION });
}

/** The inverse of {@link toStored}; the shape is still to be checked. A number in place of a time is no time. */
export function fromStored(value: unknown): unknown {
  return mapTimes(value, (at) => {
    if (isTimestamp(at)) return at.toMillis();
    return typeof at === 'number' ? Number.NaN : at;
  });
}

function mapTimes(value: unknown, convert: (at: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapTimes(item, convert));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || isTimestamp(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, isTime(name) ? convert(inner) : mapTimes(inner, convert)]),
  );
}

function isTime(name: string): boolean {
  return name.endsWith('_at') || name.endsWith('_until') || name.endsWith('_since');
}

function isTimestamp(value: unknown): value is Timestamp {
  return typeof value === 'object' && value !== null && 'toMillis' in value && typeof value.toMillis === 'function';
}
