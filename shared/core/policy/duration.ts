// Durations as people write them in a policy: "90s", "15m", "1h".
// Knows nothing about what a duration is for; limits are the caller's.

const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3600 } as const;

/** Seconds in `text` (a whole number followed by `s`, `m` or `h`), or undefined when it is not a duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,5})([smh])$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * SECONDS_PER_UNIT[match[2] as keyof typeof SECONDS_PER_UNIT];
}
