import { parseRateLimit, parseWait } from '../../../shared/buildkite/rate-limit.ts';
import { parseRetryAfter } from '../../../shared/core/retry-after.ts';
import { parseJson } from '../independent/json.ts';
import { NOW } from '../independent/setting.ts';
import { demand, type Target } from '../target.ts';

export const target: Target = {
  claim:
    'The headers by which Google and Buildkite say how long to wait, each on a line, and a body: a wait is a whole number of seconds from 1 to 300, by the header as it is written.',
  files: ['shared/core/retry-after.ts', 'shared/buildkite/rate-limit.ts'],
  seeds: [
    'retry-after: 120\nratelimit-remaining: 10\nratelimit-reset: 30\n\n{"reset":5}',
    'retry-after: Tue, 24 Nov 2026 10:01:00 GMT\nratelimit-user-remaining: -1\nratelimit-user-reset: x\n\n{}',
    'ratelimit-remaining: soon\n\n{"reset":1.5}',
    'retry-after: 999999999\n\nnull',
  ],
  run: (input) => {
    const [head = '', ...rest] = input.toString('latin1').split('\n\n');
    const lines = head.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string?]);
    const written = new Map(lines.map(([name, value = '']) => [name.toLowerCase(), value]));
    const headers = { get: (name: string) => written.get(name.toLowerCase()) ?? null };
    const retryAfter = parseRetryAfter(headers.get('retry-after'), NOW);
    const header = headers.get('retry-after') ?? '';
    if (/^\d{1,9}$/.test(header))
      demand(retryAfter === Math.min(300, Math.max(1, Number(header))), 'seconds are those of the header');
    else if (retryAfter !== undefined)
      demand(new Date(header).toUTCString().slice(5) === header.slice(5), 'else it is an HTTP date of the calendar');
    const wait = parseWait({ headers, json: parseJson(rest.join('\n\n')) }, NOW);
    for (const seconds of [wait, retryAfter ?? 1])
      demand(Number.isInteger(seconds) && seconds >= 1 && seconds <= 300, `${seconds} is from 1 to 300`);
    const { remaining, malformed } = parseRateLimit({ headers });
    demand(remaining === undefined || (Number.isInteger(remaining) && remaining >= 0), 'calls are left, or none');
    demand(malformed.length <= 4, 'four headers can be malformed');
  },
};
