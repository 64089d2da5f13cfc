// Where the next page of a list begins, as text for the client to send back. It is not signed: who may call `reader` may read all of the ledger.

import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { GrantFilters } from '../../shared/core/grant/filters.ts';
import { parseJson } from '../../shared/core/json.ts';
import type { GrantPosition } from '../../shared/operations/ports.ts';

/** Firestore reads at a past time for an hour. */
export const CURSOR_LIFE_MS = 55 * 60_000;

/** Firestore's times end with the year 9999. */
const LAST_SECOND = Date.UTC(10_000, 0) / 1000 - 1;

const cursorSchema = z.strictObject({
  as_of: z.strictObject({ seconds: z.int().min(0).max(LAST_SECOND), nanoseconds: z.int().min(0).max(999_999_999) }),
  query: z.int().min(0),
  id: z.string().regex(/^[^/]{1,200}$/),
  /** When the first page was read, by the function's clock. */
  begun_at: z.int(),
  filters: z.string(),
});

export interface Cursor {
  readonly position: GrantPosition;
  readonly begun_at: number;
}

export function toCursor({ position, begun_at }: Cursor, filters: GrantFilters): string {
  return Buffer.from(JSON.stringify({ ...position, begun_at, filters: digestOf(filters) })).toString('base64url');
}

/** Undefined: it is none, or one for other filters. */
export function parseCursor(written: string, filters: GrantFilters): Cursor | undefined {
  const parsed = cursorSchema.safeParse(parseJson(Buffer.from(written, 'base64url').toString('utf8')));
  if (!parsed.success || parsed.data.filters !== digestOf(filters)) return undefined;
  const { as_of, query, id, begun_at } = parsed.data;
  return { position: { as_of, query, id }, begun_at };
}

function digestOf(filters: GrantFilters): string {
  const given = Object.entries(filters).filter(([, value]) => value !== undefined);
  return createHash('sha256').update(JSON.stringify(given.sort())).digest('base64url').slice(0, 16);
}
