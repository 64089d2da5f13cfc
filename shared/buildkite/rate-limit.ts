// What Buildkite says of its limits: how many calls are left, and how long to wait after too many.
// Source: buildkite.com/docs/apis/rest-api/rate-limits. Pure.

import { boundWait, parseRetryAfter, parseSeconds } from '../core/retry-after.ts';
import type { RateLimit } from '../operations/ports.ts';
import type { JsonResponse } from '../runtime/http-client.ts';

const REMAINING = ['RateLimit-Remaining', 'RateLimit-User-Remaining'];
const RESET = ['RateLimit-Reset', 'RateLimit-User-Reset'];
/** Seconds to wait after a 429 that says no time. */
const DEFAULT_WAIT = 60;

export function parseRateLimit({ headers }: Pick<JsonResponse, 'headers'>): RateLimit {
  const remaining: number[] = [];
  const malformed: string[] = [];
  for (const name of REMAINING) {
    const value = headers.get(name);
    if (value === null) continue;
    if (/^-?[0-9]{1,9}$/.test(value)) remaining.push(Math.max(0, Number(value)));
    else malformed.push(name);
  }
  for (const name of RESET) {
    const value = headers.get(name);
    if (value !== null && parseSeconds(value) === undefined) malformed.push(name);
  }
  return { remaining: remaining.length > 0 ? Math.min(...remaining) : undefined, malformed };
}

/**
 * Seconds to wait after a 429, from 1 to 300: the longest that a header says, or else what the body says, or else 60.
 * @param now milliseconds since the epoch
 */
export function parseWait({ headers, json }: Pick<JsonResponse, 'headers' | 'json'>, now: number): number {
  const waits = [
    parseRetryAfter(headers.get('Retry-After'), now),
    ...RESET.map((name) => parseSeconds(headers.get(name))),
  ].filter((seconds) => seconds !== undefined);
  const wait = waits.length > 0 ? Math.max(...waits) : (resetOf(json) ?? DEFAULT_WAIT);
  return boundWait(wait);
}

function resetOf(json: unknown): number | undefined {
  const reset = typeof json === 'object' && json !== null && 'reset' in json ? json.reset : undefined;
  return typeof reset === 'number' && Number.isFinite(reset) && reset >= 0 ? reset : undefined;
}
