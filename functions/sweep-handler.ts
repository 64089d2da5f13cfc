// The sweep's endpoint: called each minute by Cloud Scheduler, under the platform's own authentication.

import type { Swept } from '../shared/sweep.ts';
import { Unavailable } from '../shared/unavailable.ts';
import { grantEntry } from './grant-entry.ts';
import type { Answer, Failures, Handler } from './http.ts';

/** Bytes; the body is not read for anything. */
export const SWEEP_BODY_LIMIT = 16 * 1024;

export interface SweepParts {
  readonly sweep: () => Promise<Swept>;
  readonly now: () => number;
}

export function createSweepHandler({ sweep, now }: SweepParts): Handler {
  return async ({ method, path, request_id }) => {
    if (path !== '/') return error(404, 'not_found', 'The sweep is run at /.', request_id);
    if (method !== 'POST')
      return { ...error(405, 'invalid_request', 'Only POST is answered.', request_id), headers: { allow: 'POST' } };
    const startedAt = now();
    try {
      return done(await sweep(), now() - startedAt, request_id);
    } catch (failure) {
      if (!Unavailable.is(failure)) throw failure;
      return {
        ...error(
          503,
          'temporarily_unavailable',
          'The ledger could not be read. The next sweep tries again.',
          request_id,
        ),
        headers: { 'retry-after': String(failure.retryAfter) },
        entries: [
          {
            event: 'sweep.completed',
            severity: 'ERROR',
            message: `sweep failed: ${failure.message}`,
            completed: false,
          },
        ],
      };
    }
  };
}

export const SWEEP_FAILURES: Failures = {
  tooLarge: (request_id) => error(413, 'invalid_request', 'The limit is 16 KiB for a body.', request_id),
};

function done({ revoked, expired, failures, more }: Swept, took_ms: number, request_id: string): Answer {
  const summary = { revoked: revoked.length, expired: expired.length, failed: failures.length, more, took_ms };
  return {
    status: 200,
    body: { ...summary, request_id },
    entries: [
      ...revoked.map((grant) => grantEntry('grant.revoked', grant)),
      ...expired.map((grant) => grantEntry('grant.expired', grant)),
      {
        event: 'sweep.completed',
        severity: failures.length > 0 ? 'WARNING' : 'INFO',
        message: `sweep: ${revoked.length} revoked, ${expired.length} expired, ${failures.length} failed${more ? ', more to do' : ''}`,
        completed: true,
        ...summary,
        failures: failures.slice(0, 20),
      },
    ],
  };
}

function error(status: number, code: string, description: string, request_id: string): Answer {
  return { status, body: { error: code, error_description: description, request_id } };
}
