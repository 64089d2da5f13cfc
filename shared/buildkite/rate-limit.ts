// What Buildkite says of its limits: how many calls are left, and how long to wait after too many.
// Source: buildkite.com/docs/apis/rest-api/rate-limits; Retry-After: RFC 9110 section 10.2.3. Pure.

import type { OutgoingAnswer } from '../outgoing.ts';

const REMAINING = ['RateLimit-Remaining', 'RateLimit-User-Remaining'];
const RESET = ['RateLimit-Reset', 'RateLimit-User-Reset'];
/** Seconds to wait after a 429 that says no time, and at most. */
const DEFAULT_WAIT = 60;
const LONGEST_WAIT = 300;

export interface RateLimit {
  /** The least of what the organization and the user have left; undefined when Buildkite does not say. Never negative. */
  readonly remaining: number | undefined;
  /** Names of headers whose value makes no sense. */
  readonly nonsense: readonly string[];
}

export function parseRateLimit({ headers }: Pick<OutgoingAnswer, 'headers'>): RateLimit {
  const left: number[] = [];
  const nonsense: string[] = [];
  for (const name of REMAINING) {
    const value = headers.get(name);
    if (value === null) continue;
    if (/^-?[0-9]{1,9}$/.test(value)) left.push(Math.max(0, Number(value)));
    else nonsense.push(name);
  }
  for (const name of RESET) {
    const value = headers.get(name);
    if (value !== null && toSeconds(value) === undefined) nonsense.push(name);
  }
  return { remaining: left.length > 0 ? Math.min(...left) : undefined, nonsense };
}

/**
 * Seconds to wait after a 429, from 1 to 300: the longest that a header says, or else what the body says, or else 60.
 * @param now milliseconds since the epoch
 */
export function parseRetryAfter({ headers, json }: Pick<OutgoingAnswer, 'headers' | 'json'>, now: number): number {
  const retryAfter = headers.get('Retry-After');
  const said = [
    retryAfter === null ? undefined : (toSeconds(retryAfter) ?? secondsUntil(retryAfter, now)),
    ...RESET.map((name) => toSeconds(headers.get(name) ?? '')),
  ].filter((seconds) => seconds !== undefined);
  const wait = said.length > 0 ? Math.max(...said) : (resetOf(json) ?? DEFAULT_WAIT);
  return Math.min(Math.max(Math.ceil(wait), 1), LONGEST_WAIT);
}

function toSeconds(value: string): number | undefined {
  return /^[0-9]{1,9}$/.test(value) ? Number(value) : undefined;
}

/** An HTTP date in the form that RFC 9110 section 5.6.7 has senders write. */
function secondsUntil(date: string, now: number): number | undefined {
  const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(date)
    ? Date.parse(date)
    : Number.NaN;
  return Number.isNaN(at) ? undefined : (at - now) / 1000;
}

function resetOf(json: unknown): number | undefined {
  const reset = typeof json === 'object' && json !== null && 'reset' in json ? json.reset : undefined;
  return typeof reset === 'number' && Number.isFinite(reset) && reset >= 0 ? reset : undefined;
}
