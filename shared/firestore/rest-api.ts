// Calls of Firestore's REST API: cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents. A call that failed
// on the way, or that Firestore says may be repeated, is repeated until its time is up.

import { LEDGER_DEADLINE_MS } from '../core/timing.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient, JsonResponse } from '../runtime/http-client.ts';
import type { DatabaseName } from './database.ts';

/** Codes of google.rpc.Code (github.com/googleapis/googleapis/blob/master/google/rpc/code.proto), by what the JSON calls them. */
const CODES: Readonly<Record<string, number>> = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
};
const { DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE, UNKNOWN } = CODES;

/** What Firestore refused, or why it was not reached. */
export class FirestoreError extends Error {
  override readonly name = 'FirestoreError';
  /** google.rpc.Code */
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type Method = 'batchGet' | 'commit' | 'runQuery' | 'runAggregationQuery';

/** Which failures are tried again, as Google's own clients do; ABORTED too, as they do for writes outside a transaction. */
const READ_AGAIN: ReadonlySet<unknown> = new Set([RESOURCE_EXHAUSTED, UNAVAILABLE, INTERNAL, DEADLINE_EXCEEDED]);
const RETRIED: Readonly<Record<Method, ReadonlySet<unknown>>> = {
  batchGet: READ_AGAIN,
  runQuery: READ_AGAIN,
  runAggregationQuery: READ_AGAIN,
  // One whose response was lost may have been carried out. Each write of Keydesk's is one that bears being made twice, or
  // is refused the second time, and is then read again.
  commit: new Set([RESOURCE_EXHAUSTED, UNAVAILABLE, ABORTED, DEADLINE_EXCEEDED]),
};

const DEPENDENCY = 'firestore';
/** Of one attempt. A connection on which nothing arrives any more leaves time for another. */
const ATTEMPT_MS = 2_000;
/** Within which attempts begin: by then each caller of the ledger has given up. */
const CALL_MS = LEDGER_DEADLINE_MS;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
/** Bytes of a response. A document may have 1 MiB, and a page of them is read at once. */
const MAX_BYTES = 128 * 1024 * 1024;

/** The JSON of a response. @throws FirestoreError */
export type CallFirestore = (method: Method, body: object) => Promise<unknown>;

/**
 * @param send sends requests with the identity that may use the database
 * @param url of the API: `https://firestore.googleapis.com`
 */
export function createFirestoreApi(
  { send, url, clock }: { readonly send: HttpClient; readonly url: string; readonly clock: Clock },
  { project, database }: DatabaseName,
): CallFirestore {
  const documents = `${url}/v1/projects/${project}/databases/${database}/documents`;
  const attempt = async (method: Method, json: object, until: number): Promise<unknown> => {
    const request = { dependency: DEPENDENCY, url: `${documents}:${method}`, method: 'POST', json } as const;
    const response = await send({ ...request, deadlineMs: ATTEMPT_MS, maxBytes: MAX_BYTES, until }).catch(toError);
    return contentOf(response);
  };
  return async (method, body) => {
    const until = clock.now() + CALL_MS;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
      try {
        return await attempt(method, body, until);
      } catch (error) {
        const again = error instanceof FirestoreError && RETRIED[method].has(error.code);
        if (!again || clock.now() + pause >= until) throw error;
        // Between half of it and all of it: those that failed together do not come back together.
        await clock.sleep(pause * (0.5 + clock.random() / 2));
      }
    }
  };
}

/** Without a response nobody knows whether Firestore did it. What another dependency did, such as the metadata server, is passed on. */
function toError(error: unknown): never {
  if (!DependencyError.is(error) || error.dependency !== DEPENDENCY) throw error;
  const tooLate = error.code === 'timed_out' || error.code === 'not_attempted';
  const code = tooLate ? DEADLINE_EXCEEDED : UNAVAILABLE;
  throw new FirestoreError(code as number, error.message, { cause: error });
}

/** A response that streams is a list, and so is an error in it, also in the middle. */
function contentOf({ status, json }: JsonResponse): unknown {
  for (const part of Array.isArray(json) ? json : [json]) {
    const error = errorOf(part);
    if (error) throw error;
  }
  if (status !== 200)
    throw new FirestoreError(status >= 500 ? (UNAVAILABLE as number) : (UNKNOWN as number), `HTTP ${status}`);
  if (typeof json !== 'object' || json === null)
    throw new FirestoreError(INTERNAL as number, 'the response is no JSON');
  return json;
}

function errorOf(part: unknown): FirestoreError | undefined {
  if (typeof part !== 'object' || part === null || !('error' in part)) return undefined;
  const { status, message } = (part.error ?? {}) as { readonly status?: unknown; readonly message?: unknown };
  return new FirestoreError(CODES[String(status)] ?? (UNKNOWN as number), String(message));
}
