// The period of a review, as options have it.

import { InvalidArgumentError } from '@commander-js/extra-typings';

/** A day in UTC, which begins then, or a time. @returns milliseconds since the epoch */
export function parseTime(written: string): number {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(written);
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z$/.test(written);
  const at = isDay || isTime ? Date.parse(written) : Number.NaN;
  // JavaScript takes 2026-02-30 for a day in March.
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(written.slice(0, 10)))
    throw new InvalidArgumentError('it is a day such as 2026-11-01, or a time such as 2026-11-01T08:00:00Z, in UTC.');
  return at;
}
