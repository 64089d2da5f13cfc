// Durations as people write them in a policy: "90s", "15m", "1h". What a duration is for, and its limits, are the caller's.

import * as z from 'zod';

const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3600 } as const;

/** Seconds in `text` (a whole number followed by `s`, `m` or `h`), or undefined when it is not a duration. */
function parseDuration(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,5})([smh])$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * SECONDS_PER_UNIT[match[2] as keyof typeof SECONDS_PER_UNIT];
}

/** Seconds in the form of a policy: 90s, 15m. */
export function formatDuration(seconds: number): string {
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

/** @param limits `least` and `most` in words */
export const durationSchema = (least: number, most: number, limits: string) =>
  z.string({ error: `must be a duration such as 15m, ${limits}` }).transform((text, context) => {
    const seconds = parseDuration(text);
    if (seconds !== undefined && seconds >= least && seconds <= most) return seconds;
    context.addIssue({ code: 'custom', message: `must be a duration such as 15m, ${limits}; "${text}" is not` });
    return z.NEVER;
  });
