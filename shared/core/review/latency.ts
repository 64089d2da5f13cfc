// How long revocations took: their distribution, and the slowest.

import { nearestRank } from '../nearest-rank.ts';
import type { GrantRow } from './row.ts';

export interface Distribution {
  readonly revocation: GrantRow['revocation'];
  /** What the time begins with. It ends with the end of access. */
  readonly since: 'ended_at' | 'job_finished_at';
  readonly count: number;
  /** Milliseconds, by the nearest-rank method: each is the time of one of the grants. */
  readonly median_ms: number;
  readonly p95_ms: number;
  readonly max_ms: number;
  /** The slowest first. */
  readonly slowest: readonly { readonly grant_id: string; readonly ms: number }[];
}

const SLOWEST = 10;

/** Of the grants whose access was taken away, for each kind of revocation. */
export function latencies(rows: readonly GrantRow[]): Distribution[] {
  const revoked = Map.groupBy(
    rows.filter(({ outcome }) => outcome === 'revoked'),
    ({ revocation }) => revocation,
  );
  return [...revoked]
    .sort(byName)
    .flatMap(([revocation, ended]) => [
      ...distribution({ revocation, since: 'ended_at' }, ended, (row) => row.ended_to_access_ended_ms),
      ...distribution({ revocation, since: 'job_finished_at' }, ended, (row) => row.job_finished_to_access_ended_ms),
    ]);
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

function distribution(
  what: Pick<Distribution, 'revocation' | 'since'>,
  rows: readonly GrantRow[],
  timeOf: (row: GrantRow) => number | null,
): Distribution[] {
  const timed = rows
    .flatMap((row) => {
      const ms = timeOf(row);
      return ms === null ? [] : [{ grant_id: row.grant_id, ms }];
    })
    .sort((one, other) => one.ms - other.ms);
  if (timed.length === 0) return [];
  const rank = (share: number) => nearestRank(timed, share)?.ms ?? 0;
  return [
    {
      ...what,
      count: timed.length,
      median_ms: rank(0.5),
      p95_ms: rank(0.95),
      max_ms: rank(1),
      slowest: timed.slice(-SLOWEST).reverse(),
    },
  ];
}
