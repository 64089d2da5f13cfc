// The ways in which a call to Google can fail, and which of them do the requested work all the same. Does not know the
// request.

import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalReply, LocalResponse } from '../../local-server.ts';
import { googleError } from './error.ts';

export type Fault =
  /** Does it, and responds `ms` milliseconds later. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Does nothing; responds with this status in the error shape of the API. */
  | { readonly kind: 'status'; readonly status: number }
  /** Does it, and responds with 200 and text that is not JSON. */
  | { readonly kind: 'garbage' }
  /** Does nothing and never responds; the connection ends with the server. */
  | { readonly kind: 'hang' }
  /** Does it, and closes the connection without a response. */
  | { readonly kind: 'cut' }
  /** Responds as if done, but disables or enables only when `changes` resolves; never when it rejects. */
  | { readonly kind: 'late'; readonly changes: Promise<unknown> };

/** google.rpc.Code by HTTP status. */
const CODES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/**
 * @param perform does the requested work. A change takes effect only when the promise that it gets, if any, resolves
 * @param options.failed how the API reports a status
 */
export async function underFault(
  fault: Fault | undefined,
  perform: (changes?: Promise<unknown>) => LocalResponse | Promise<LocalResponse>,
  { clock, failed = googleStatus }: { readonly clock: Clock; readonly failed?: (status: number) => LocalResponse },
): Promise<LocalReply> {
  switch (fault?.kind) {
    case undefined:
      return perform();
    case 'slow': {
      const response = await perform();
      await clock.sleep(fault.ms);
      return response;
    }
    case 'status':
      return failed(fault.status);
    case 'garbage':
      await perform();
      return { status: 200, text: '<html>not JSON' };
    case 'hang':
      return 'hang';
    case 'cut':
      await perform();
      return 'cut';
    case 'late':
      return perform(fault.changes);
  }
}

function googleStatus(status: number): LocalResponse {
  return googleError(status, CODES[status] ?? 'UNKNOWN', `A fault: ${status}.`);
}
