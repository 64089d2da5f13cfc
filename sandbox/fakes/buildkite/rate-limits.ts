// How many requests to the REST API a user may make in a minute, and all users of the organization together. Each request counts, also one
// that is refused. When Buildkite's minute begins is not documented. Here it is the last 60 seconds, and so no minute has more.
// Source: buildkite.com/docs/apis/rest-api/rate-limits.

import type { LocalResponse } from '../../local-server.ts';

const MINUTE_MS = 60_000;
const OF_ORGANIZATION = 200;
const OF_USER = 50;
const WARNING = 'You have exceeded your API rate limit.';

interface Call {
  readonly user: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface Counted {
  /** Of every response. */
  readonly headers: Readonly<Record<string, string>>;
  /** The response where a limit is exceeded. */
  readonly refusal: LocalResponse | undefined;
}

export class RateLimits {
  readonly #now: () => number;
  #calls: readonly Call[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts a request of a user. */
  count(user: string): Counted {
    const now = this.#now();
    this.#calls = [...this.#calls.filter(({ at }) => at > now - MINUTE_MS), { user, at: now }];
    const ofUser = this.#calls.filter((call) => call.user === user);
    const scopes = [
      { prefix: 'ratelimit-user', scope: 'rest_user', limit: OF_USER, calls: ofUser },
      { prefix: 'ratelimit', scope: 'rest', limit: OF_ORGANIZATION, calls: this.#calls },
    ].map((one) => ({ ...one, reset: secondsToReset(one.calls, one.limit, now) }));
    const headers = Object.fromEntries(
      scopes.flatMap(({ prefix, scope, limit, calls, reset }) => [
        [`${prefix}-scope`, scope],
        [`${prefix}-limit`, String(limit)],
        [`${prefix}-remaining`, String(Math.max(0, limit - calls.length))],
        [`${prefix}-reset`, String(reset)],
        ...(calls.length >= limit ? [[`${prefix}-warning`, WARNING] as const] : []),
      ]),
    );
    const exceeded = scopes.find(({ calls, limit }) => calls.length > limit);
    if (!exceeded) return { headers, refusal: undefined };
    const { scope, limit, calls, reset } = exceeded;
    const message = `${WARNING.slice(0, -1)}. Please wait ${reset} seconds before making more requests.`;
    return {
      headers,
      refusal: { status: 429, headers, json: { message, scope, limit, current: calls.length, reset } },
    };
  }
}

/** Until one more request is possible, or until the oldest of these is a minute old. */
function secondsToReset(calls: readonly Call[], limit: number, now: number): number {
  const first = calls[Math.max(0, calls.length - limit)];
  return Math.ceil(((first?.at ?? now) + MINUTE_MS - now) / 1000);
}
