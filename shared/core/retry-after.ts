// How long a dependency asks to wait: the header Retry-After, in whole seconds or as an HTTP date. Pure.
// Source: RFC 9110 sections 10.2.3 (Retry-After) and 5.6.7 (HTTP dates).

/** The longest wait in seconds that a caller is given: a dependency's own wait may come from another project's quota. */
export const LONGEST_RETRY_AFTER = 300;

/**
 * Seconds to wait, from 1 to 300; undefined when the header is absent or malformed.
 * @param now milliseconds since the epoch
 */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  const seconds = parseSeconds(header) ?? secondsUntil(header ?? '', now);
  return seconds === undefined ? undefined : boundWait(seconds);
}

/** The wait in whole seconds, from 1 to 300. */
export function boundWait(seconds: number): number {
  return Math.min(Math.max(Math.ceil(seconds), 1), LONGEST_RETRY_AFTER);
}

/** Whole seconds as a header states them; undefined when it is absent or malformed. */
export function parseSeconds(header: string | null): number | undefined {
  return header !== null && /^[0-9]{1,9}$/.test(header) ? Number(header) : undefined;
}

/** An HTTP date in the form that RFC 9110 section 5.6.7 has senders write. */
function secondsUntil(date: string, now: number): number | undefined {
  const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(date)
    ? Date.parse(date)
    : Number.NaN;
  // JavaScript takes 10:01:80 and 31 Nov for times.
  return Number.isNaN(at) || new Date(at).toUTCString().slice(5) !== date.slice(5) ? undefined : (at - now) / 1000;
}
