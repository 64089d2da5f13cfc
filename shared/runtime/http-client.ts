// Outgoing HTTP/1.1 with a deadline, a bounded body and no redirects. Its errors name the dependency. A request whose
// connection is lost before any response is sent once more: platforms close connections of idle instances.
// Knows nothing about whom it talks to. Messages never hold a URL's query, a header or a body.
// On node:http, because Node's fetch takes about 30 ms to load and, with its streams, a quarter of a token's processor time.

import { Agent as HttpAgent, type IncomingMessage, request as overHttp } from 'node:http';
import { globalAgent, Agent as HttpsAgent, request as overHttps } from 'node:https';
import { parseJson } from '../core/json.ts';
import { COLD_DEADLINE_MS } from '../core/timing.ts';
import type { Clock } from './clock.ts';
import { DependencyError, withAbortableTimeout } from './errors.ts';

const MAX_BYTES = 256 * 1024;
const DEADLINE_MS = 5_000;
/** Before a request is sent again, over a new connection. */
const RESEND_PAUSE_MS = 20;
/** After which an idle connection is closed. Google closes its own after about four minutes. */
const IDLE_MS = 60_000;

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
  readonly headers: { readonly get: (name: string) => string | null };
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
  const transportTo = openTransports();
  return async (request) => {
    const { dependency, url, deadlineMs = DEADLINE_MS, until = Number.POSITIVE_INFINITY } = request;
    if (clock.now() >= until) throw new DependencyError(dependency, 'not_attempted', 'not requested: its time was up');
    const target = new URL(url);
    const { host } = target;
    const milliseconds = warm.has(host) ? deadlineMs : COLD_DEADLINE_MS;
    try {
      return await withAbortableTimeout({ clock, milliseconds, dependency }, (signal) =>
        sendAndRead({ request, target, transport: transportTo(target), signal, clock }),
      );
    } finally {
      warm.add(host);
    }
  };
}

/** How a request is sent, over connections that are kept. */
interface Transport {
  readonly request: typeof overHttp;
  readonly agent: HttpAgent;
}

/** Finds it by a URL. A proxy is used where Node's own agent uses one: nodejs.org/api/http.html, "Built-in Proxy Support". */
function openTransports(): (target: URL) => Transport {
  const { proxyEnv } = globalAgent.options;
  const options = { keepAlive: true, timeout: IDLE_MS, ...(proxyEnv ? { proxyEnv } : {}) };
  const http = { request: overHttp, agent: new HttpAgent(options) };
  const https = { request: overHttps, agent: new HttpsAgent(options) };
  return ({ protocol }) => (protocol === 'https:' ? https : http);
}

interface Sending {
  readonly request: OutgoingRequest;
  readonly target: URL;
  readonly transport: Transport;
  /** Aborted when the deadline is over. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

async function sendAndRead(sending: Sending): Promise<JsonResponse> {
  const { request, transport, signal, clock } = sending;
  const { dependency, noResend = false, until = Number.POSITIVE_INFINITY } = request;
  try {
    const response = await send(sending).catch(async (error: unknown) => {
      if (noResend || !isConnectionLost(error)) throw error;
      await clock.sleep(RESEND_PAUSE_MS);
      if (signal.aborted || clock.now() >= until) throw error;
      // Other connections that were kept may have been closed as well.
      closeIdle(transport.agent);
      return send(sending);
    });
    const { statusCode: status = 0, headers } = response;
    if (status >= 300 && status < 400) {
      response.destroy();
      throw new DependencyError(
        dependency,
        'invalid_response',
        `returned a redirect (${status}), which is not followed`,
      );
    }
    const coding = headers['content-encoding'] ?? 'identity';
    if (coding !== 'identity') {
      response.destroy();
      throw new DependencyError(dependency, 'invalid_response', 'returned a compressed body, which was not requested');
    }
    const json = parseJson(await readBounded(request, response));
    return { status, headers: { get: (name) => [headers[name.toLowerCase()]].flat().join(', ') || null }, json };
  } catch (error) {
    if (DependencyError.is(error)) throw error;
    throw new DependencyError(dependency, 'unreachable', 'could not be reached', { cause: error });
  }
}

/** Resolves once the head of a response came. */
function send({ request, target, transport, signal }: Sending): Promise<IncomingMessage> {
  const { method = 'GET', headers = {} } = request;
  const { type, body } = toBody(request);
  return new Promise((resolve, reject) => {
    const sent = transport.request(target, {
      method,
      headers: {
        accept: 'application/json',
        // RFC 9110 section 12.5.3: without it any coding would be acceptable.
        'accept-encoding': 'identity',
        ...(type === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
      agent: transport.agent,
      signal,
    });
    sent.once('response', resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

function closeIdle(agent: HttpAgent): void {
  for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
}

/** Codes of Node: nodejs.org/api/errors.html#common-system-errors. A connection that was refused is not lost. */
const CONNECTION_LOST = new Set(['ECONNRESET', 'EPIPE']);

function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && CONNECTION_LOST.has(String(error.code));
}

function toBody({ json, form }: OutgoingRequest): { readonly type?: string; readonly body: string } {
  if (form) return { type: 'application/x-www-form-urlencoded', body: new URLSearchParams(form).toString() };
  return json === undefined ? { body: '' } : { type: 'application/json', body: JSON.stringify(json) };
}

function readBounded(
  { dependency, maxBytes = MAX_BYTES }: OutgoingRequest,
  response: IncomingMessage,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > maxBytes)
        response.destroy(new DependencyError(dependency, 'response_too_large', `returned more than ${maxBytes} bytes`));
      else chunks.push(chunk);
    });
    response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    response.on('error', reject);
  });
}
