// How far clocks may differ: those of the functions' instances, Google's and Buildkite's. Every comparison of a time that
// one clock set with what another says allows for it.

/** Milliseconds by which any one clock may be fast or slow. */
export const CLOCK_SKEW_MS = 45_000;

/** Milliseconds by which two clocks may differ: one fast, the other slow. */
export const CLOCK_MARGIN_MS = 2 * CLOCK_SKEW_MS;

/** Whether a time that another clock set has passed by every clock. */
export function surelyPast(time: number, now: number): boolean {
  return time + CLOCK_MARGIN_MS <= now;
}
