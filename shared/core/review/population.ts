// The grants that a review is about, frozen: in one order, with their number and the SHA-256 of what is said of them.

import { createHash } from 'node:crypto';
import type { GrantSummary } from '../operator-api/grant.ts';
import { type GrantRow, toRow } from './row.ts';

export interface Population {
  readonly count: number;
  readonly sha256: string;
  readonly rows: readonly GrantRow[];
}

/** For people who have the JSON of the review and nothing of Keydesk. It prints the SHA-256. */
export const RECOMPUTE = "jq -c '.grants[]' review.json | sha256sum";

/** @param asOf when the ledger was read, in milliseconds since the epoch */
export function toPopulation(grants: readonly GrantSummary[], asOf: number): Population {
  const rows = grants.map((grant) => toRow(grant, asOf)).sort((one, other) => (one.grant_id < other.grant_id ? -1 : 1));
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  return { count: rows.length, sha256: createHash('sha256').update(text).digest('hex'), rows };
}
