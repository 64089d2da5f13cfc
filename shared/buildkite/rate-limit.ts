// What Buildkite says of its limits: how many calls are left, and how long to wait after too many.
// Source: buildkite.com/docs/apis/rest-api/rate-limits. Pure.

import { boundWait, parseRetryAfter, parseSeconds } from '../core/retry-after.ts';
import type { OutgoingAnswer } from '../runtime/http-client.ts';

const REMAINING = ['RateLimit-Remaining', 'RateLimit-User-Remaining'];
const RESET = ['RateLimit-Reset', 'RateLimit-User-Reset'];
/** Seconds to wait after a 429 that says no time. */
const DEFAULT_WAIT = 60;

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
    if (value !== null && parseSeconds(value) === undefined) nonsense.push(name);
  }
  return { remaining: left.length > 0 ? Math.min(...left) : undefined, nonsense };
}

/**
 * Seconds to wait after a 429, from 1 to 300: the longest that a header says, or else what the body says, or else 60.
 * @param now milliseconds since the epoch
 */
export function parseWait({ headers, json }: Pick<OutgoingAnswer, 'headers' | 'json'>, now: number): number {
  const said = [
    parseRetryAfter(headers.get('Retry-After'), now),
    ...RESET.map((name) => parseSeconds(headers.get(name))),
  ].filter((seconds) => seconds !== undefined);
  const wait = said.length > 0 ? Math.max(...said) : (resetOf(json) ?? DEFAULT_WAIT);
  return boundWait(wait);
}

function resetOf(json: unknown): number | undefined {
  const reset = typeof json === 'object' && json !== null && 'reset' in json ? json.reset : undefined;
  return typeof reset === 'number' && Number.isFinite(reset) && reset >= 0 ? reset : undefined;
}
