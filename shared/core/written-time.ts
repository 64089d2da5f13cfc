// Times as people write them.

const HOUR = 3_600_000;
const UNITS = { h: HOUR, d: 24 * HOUR, w: 7 * 24 * HOUR } as const;
const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** A day, which begins then in UTC, or a time with its zone. @returns milliseconds since the epoch; undefined for anything else */
export function parseTime(written: string): number | undefined {
  if (!TIME.test(written)) return undefined;
  const at = Date.parse(written);
  // JavaScript takes 2026-02-30 for a day in March.
  const day = written.slice(0, 10);
  return Number.isNaN(at) || new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) !== day ? undefined : at;
}

/** The same, or a period such as 2h, 30d or 4w before `now`. */
export function parseTimeOrPeriod(written: string, now: number): number | undefined {
  const [, number, unit] = /^([1-9][0-9]{0,3})([hdw])$/.exec(written) ?? [];
  if (number !== undefined) return now - Number(number) * UNITS[unit as keyof typeof UNITS];
  return parseTime(written);
}
