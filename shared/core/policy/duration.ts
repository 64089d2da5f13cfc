// Durations as people write them in a policy: "90s", "15m", "1h". What a duration is for, and its limits, are the caller's.

import * as z from 'zod';

const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3600 } as const;
const DURATION = /^[1-9][0-9]{0,5}[smh]$/;

/** @param duration matches DURATION */
function toSeconds(duration: string): number {
  return Number(duration.slice(0, -1)) * SECONDS_PER_UNIT[duration.slice(-1) as keyof typeof SECONDS_PER_UNIT];
}

/** Seconds in the form of a policy: 90s, 15m. */
export function formatDuration(seconds: number): string {
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

/** @param limits `least` and `most` in words */
export const durationSchema = (least: number, most: number, limits: string) => {
  const error = `must be a duration such as 15m, ${limits}`;
  return z
    .string({ error })
    .regex(DURATION, { error: ({ input }) => `${error}; "${input}" is not` })
    .transform((text, context) => {
      const seconds = toSeconds(text);
      if (seconds >= least && seconds <= most) return seconds;
      context.addIssue({ code: 'custom', message: `${error}; "${text}" is not` });
      return z.NEVER;
    });
};
