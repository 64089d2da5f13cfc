// The distribution of a few measured values. Pure.

import { nearestRank } from '../../shared/core/nearest-rank.ts';

export interface Distribution {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  /** By the nearest rank: with fewer than twenty values it is the largest. */
  readonly p95: number;
  readonly max: number;
}

/** Each figure is one of the values; undefined without any. */
export function distributionOf(values: readonly number[]): Distribution | undefined {
  const sorted = values.toSorted((left, right) => left - right);
  const [min] = sorted;
  if (min === undefined) return undefined;
  const atRank = (share: number) => nearestRank(sorted, share) ?? min;
  return { count: sorted.length, min, median: atRank(0.5), p95: atRank(0.95), max: atRank(1) };
}
