// The clock: the times in the headers of all responses, compared with the clock of the machine that runs this command. Job tokens and
// webhooks hold times, and Keydesk rejects those that are not now.
// Source: RFC 9110 section 6.6.1 (Date).

import type { Clock } from '../../shared/runtime/clock.ts';
import type { HttpClient } from '../../shared/runtime/http-client.ts';
import type { CheckKind } from '../checks/check.ts';
import type { DoctorTarget } from './target.ts';

const TOLERATED_SECONDS = 45;

/** How far the clock of each host is ahead of this machine's, in milliseconds. */
export type ClockOffsets = ReadonlyMap<string, number>;

/** @returns the same client, and what it notices of the clocks of hosts */
export function watchClocks(send: HttpClient, clock: Pick<Clock, 'now'>, offsets: Map<string, number>): HttpClient {
  return async (request) => {
    const before = clock.now();
    const response = await send(request);
    const stated = Date.parse(response.headers.get('date') ?? '');
    if (!Number.isNaN(stated)) offsets.set(request.dependency, stated - (before + clock.now()) / 2);
    return response;
  };
}

type Name = 'clock_differs';

export const clocks: CheckKind<DoctorTarget & { readonly offsets: ClockOffsets }, Name> = {
  name: 'clock',
  looksAt: `Whether the clocks of Google, Buildkite and the functions agree with this machine's within ${TOLERATED_SECONDS} seconds.`,
  findings: {
    clock_differs: {
      severity: 'error',
      what: 'The clock of {host} is {seconds} seconds ahead of the clock of this machine.',
      why: 'Keydesk rejects job tokens and webhooks by their times. If the other hosts agree, the clock of this machine is wrong.',
      fix: 'Set the clock of this machine: timedatectl set-ntp true. If it is right, report it to the owner of {host}.',
      undo: 'timedatectl set-ntp false',
    },
  },
  checksOf: ({ offsets }) =>
    [...offsets].map(([host, offset]) => ({
      subject: host,
      look: async () => {
        const seconds = Math.round(offset / 1000);
        if (Math.abs(seconds) <= TOLERATED_SECONDS) return { found: [] };
        return { found: [{ finding: 'clock_differs' as const, facts: { host, seconds: String(seconds) } }] };
      },
    })),
};
