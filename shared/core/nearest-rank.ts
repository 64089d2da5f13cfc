// Percentiles by the nearest-rank method: each is one of the values.

/** @param sorted smallest first. @param share from 0 to 1, such as 0.95. @returns undefined without a value */
export function nearestRank<T>(sorted: readonly T[], share: number): T | undefined {
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1];
}
