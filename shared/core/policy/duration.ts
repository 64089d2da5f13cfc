// Durations as people write them in a policy: "90s", "15m", "1h". What a duration is for, and its limits, are the caller's.

import * as z from 'zod';

const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3600 } as const;
const DURATION = /^[1-9][0-9]{0,5}[smh]$/;

/** @param duration matches DURATION */
function toSeconds(duration: string): number {
  return Number(duration.slice(0, -1)) * SECONDS_PER_UNIT[duration.slice(-1) as keyof typeof SECONDS_PER_UNIT];
}

/** Seconds in the form of a policy: 90s, 15m, 1h. */
export function formatDuration(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

/** As people also write them: 30 minutes, 1.5h, 900. */
const ALMOST = /^(\d+(?:\.\d+)?)\s*(?:([smh])(?:ecs?|econds?|ins?|inutes?|rs?|ours?)?)?$/i;

/** @param limits `least` and `most` in words */
export const durationSchema = (least: number, most: number, limits: string) => {
  const error = ({ input }: { input: unknown }) =>
    typeof input !== 'string' && typeof input !== 'number'
      ? `must be a duration ${limits}, such as 15m`
      : `must be a duration ${limits}, such as 15m. ${correction(String(input))}`;
  return z
    .string({ error })
    .regex(DURATION, { error })
    .transform((text, context) => {
      const seconds = toSeconds(text);
      if (seconds >= least && seconds <= most) return seconds;
      context.addIssue({
        code: 'custom',
        message: `must be a duration ${limits}, and ${text} is too ${seconds < least ? 'short' : 'long'}`,
      });
      return z.NEVER;
    });
};

function correction(written: string): string {
  const [, number, unit] = ALMOST.exec(written) ?? [];
  if (number === undefined) return 'Write a whole number and s, m or h';
  if (unit === undefined) return `${written} has no unit: s, m or h`;
  const seconds = Number(number) * SECONDS_PER_UNIT[unit.toLowerCase() as keyof typeof SECONDS_PER_UNIT];
  return seconds >= 1 && Number.isInteger(seconds)
    ? `Write ${formatDuration(seconds)}`
    : 'Write a whole number and s, m or h';
}
