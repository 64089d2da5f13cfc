// Options with a time, which all commands take in the same forms.

import { InvalidArgumentError } from '@commander-js/extra-typings';
import { parseTimeOrPeriod, parseTime as parseWritten } from '../shared/core/written-time.ts';
import { systemClock } from '../shared/runtime/clock.ts';

const FORMS = 'it takes a day such as 2026-11-30, or a time in UTC such as 2026-11-30T08:00:00Z';

/** @returns milliseconds since the epoch */
export function parseTime(written: string): number {
  const at = parseWritten(written);
  if (at !== undefined) return at;
  throw new InvalidArgumentError(`${FORMS}.`);
}

/** A time, or how long ago. @returns ISO 8601 in UTC */
export function parseAgo(written: string): string {
  const at = parseTimeOrPeriod(written, systemClock.now());
  if (at !== undefined) return new Date(at).toISOString();
  throw new InvalidArgumentError(`${FORMS}, or how long ago, such as 2h or 30d.`);
}

/** A time that is over, or how long ago. @returns milliseconds since the epoch */
export function parsePast(written: string): number {
  const at = Date.parse(parseAgo(written));
  if (at <= systemClock.now()) return at;
  throw new InvalidArgumentError('it takes a time in the past.');
}

/** @returns the day and the next, each as it begins in UTC, in milliseconds since the epoch */
export function parseDay(written: string): { readonly from: number; readonly to: number } {
  const from = written.length === 10 ? parseWritten(written) : undefined;
  if (from !== undefined) return { from, to: from + 86_400_000 };
  throw new InvalidArgumentError('it takes a day in UTC, such as 2026-11-30.');
}
