// Outgoing HTTP: a fetch with a deadline, a bounded body and no redirects. Its errors name the dependency. A request
// whose connection is lost before any response is sent once more: platforms close connections of idle instances.
// Knows nothing about whom it talks to. Messages never hold a URL's query, a header or a body.

import { parseJson } from '../core/json.ts';
import { COLD_DEADLINE_MS } from '../core/timing.ts';
import type { Clock } from './clock.ts';
import { DependencyError, withAbortableTimeout } from './errors.ts';

const MAX_BYTES = 256 * 1024;
const DEADLINE_MS = 5_000;
/** Before a request is sent again. By then other connections that were closed meanwhile have been noticed, too. */
const RESEND_PAUSE_MS = 20;

export interface OutgoingRequest {
  /** The dependency, by the name that errors show. */
  readonly dependency: string;
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as a form, instead. */
  readonly form?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
  /** Bytes that the body may have; 256 KiB by default. */
  readonly maxBytes?: number;
  /** Not sent from then on, in milliseconds since the epoch: for what must not take effect late. */
  readonly until?: number;
  /** Not sent again when its connection is lost: for what must not take effect twice. */
  readonly noResend?: boolean;
}

export interface JsonResponse {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown;
}

export type HttpClient = (request: OutgoingRequest) => Promise<JsonResponse>;

/**
 * Sends a request and reads the whole response, with any status. The first request to a host may take COLD_DEADLINE_MS: it
 * looks up the host's name and opens a connection.
 * It throws DependencyError when its time is up, the response is incomplete, too large, or a redirect.
 */
export function createHttpClient(clock: Clock): HttpClient {
  const warm = new Set<string>();
  return async (request) => {
    const { dependency, url, deadlineMs = DEADLINE_MS, until = Number.POSITIVE_INFINITY } = request;
    if (clock.now() >= until) throw new DependencyError(dependency, 'not_attempted', 'not requested: its time was up');
    const { host } = new URL(url);
    const milliseconds = warm.has(host) ? deadlineMs : COLD_DEADLINE_MS;
    try {
      return await withAbortableTimeout({ clock, milliseconds, dependency }, (signal) =>
        sendAndRead(request, signal, clock),
      );
    } finally {
      warm.add(host);
    }
  };
}

async function sendAndRead(request: OutgoingRequest, signal: AbortSignal, clock: Clock): Promise<JsonResponse> {
  const { dependency, noResend = false, until = Number.POSITIVE_INFINITY } = request;
  try {
    const response = await send(request, signal).catch(async (error: unknown) => {
      if (noResend || !isConnectionLost(error)) throw error;
      await clock.sleep(RESEND_PAUSE_MS);
      if (signal.aborted || clock.now() >= until) throw error;
      return send(request, signal);
    });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      throw new DependencyError(
        dependency,
        'invalid_response',
        `returned a redirect (${response.status}), which is not followed`,
      );
    }
    return {
      status: response.status,
      headers: response.headers,
      json: parseJson(await readBounded(request, response)),
    };
  } catch (error) {
    if (DependencyError.is(error)) throw error;
    throw new DependencyError(dependency, 'unreachable', 'could not be reached', { cause: error });
  }
}

/** Resolves once the head of a response came. */
function send(request: OutgoingRequest, signal: AbortSignal): Promise<Response> {
  const { url, method = 'GET', headers = {} } = request;
  return fetch(url, {
    method,
    headers: {
      accept: 'application/json',
      ...(request.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...toBody(request),
    redirect: 'manual',
    signal,
  });
}

/** Codes of Node and of undici, its fetch: undici.nodejs.org/#/docs/api/Errors. A connection that was refused is not lost. */
const CONNECTION_LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

function isConnectionLost(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && CONNECTION_LOST.has(String(cause.code));
}

function toBody({ json, form }: OutgoingRequest): { body?: string | URLSearchParams } {
  if (form) return { body: new URLSearchParams(form) };
  return json === undefined ? {} : { body: JSON.stringify(json) };
}

async function readBounded({ dependency, maxBytes = MAX_BYTES }: OutgoingRequest, response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes)
      throw new DependencyError(dependency, 'response_too_large', `returned more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
