// HTTP as Keydesk's handlers see it: a request in, a whole response out, no framework. Reads the body as bytes, within
// a limit and a time, gives every request an id, writes its audit lines before its response, and turns what a handler
// throws into JSON. A handler takes the whole request, or its head first and then the body as it arrives.
// Knows nothing about tokens, webhooks or ledgers.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type AuditEvent, auditEvent } from '../../shared/audit/events.ts';
import type { AuditLogger } from '../../shared/audit/logger.ts';
import { type Clock, randomUuid } from '../../shared/runtime/clock.ts';

const MIB = 1024 * 1024;
const BODY_DEADLINE_MS = 10_000;
/**
 * What each MiB of a body that has arrived adds to its deadline, so that many large bodies at once do not fail each other.
 * A client that sends nothing gains nothing. The platform ends a request after its own time, by default 30 s.
 */
const BODY_DEADLINE_PER_MIB_MS = 10_000;
/**
 * After a response that did not wait for the body, so much of it is read and dropped. A connection that is closed with bytes
 * unread is reset, and the client may lose the response.
 */
const DRAIN_LIMIT = MIB;

interface Head {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Without its question mark; empty where there is none. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly request_id: string;
  /** The caller's address, as the platform or the socket names it. */
  readonly remoteIp: string | undefined;
  /** Writes a line at once: what a response that never comes cannot lose. */
  readonly audit: (event: AuditEvent) => void;
}

export interface HttpRequest extends Head {
  readonly body: Buffer;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, text as it is. */
  readonly body: object | string;
  readonly auditEvents?: readonly AuditEvent[];
}

export type Handler = (request: HttpRequest) => Promise<HttpResponse>;

/** Decides by the head alone: a response leaves the body unread, a receiver gets the body. */
export type HeadHandler = (head: Head) => HttpResponse | BodyReceiver;

interface BodyReceiver {
  /** Gets each piece of the body as it arrives. */
  readonly take: (piece: Buffer) => void;
  /** Called once, after the last piece. */
  readonly finish: () => Promise<HttpResponse>;
}

/** Of whole requests, or of heads first. */
export type Handlers = { readonly handler: Handler } | { readonly headHandler: HeadHandler };

/** The response, or the log entry, when there is no request to handle. */
export interface ErrorResponses {
  readonly tooLarge: (request_id: string) => HttpResponse;
  /** The line about a body that missed its deadline. Its sender gets no response. */
  readonly tooSlow: AuditEvent;
}

/** Anybody can send a slow body, so this is a warning. */
export const REQUEST_TIMED_OUT = auditEvent('request.timed_out', {});

/**
 * @param deps.bodyLimit bytes; no handler gets to finish a larger body
 * @param deps.trustedProxies how many entries of X-Forwarded-For proxies in front of the platform add after the caller's address
 */
export function createRequestListener(
  deps: Handlers & {
    readonly errorResponses: ErrorResponses;
    readonly bodyLimit: number;
    readonly trustedProxies: number;
    readonly audit: AuditLogger;
    readonly clock: Clock;
  },
): RequestListener {
  const { errorResponses, bodyLimit, trustedProxies, audit, clock } = deps;
  const headHandler = 'headHandler' in deps ? deps.headHandler : bufferBody(deps.handler);

  const respondTo = async (message: IncomingMessage, head: Head): Promise<HttpResponse | undefined> => {
    const { request_id } = head;
    try {
      const decided = headHandler(head);
      if (!('take' in decided)) return decided;
      const { take, finish } = decided;
      if (!mayHaveBody(head)) return await finish();
      if (Number(head.headers['content-length'] ?? 0) > bodyLimit) return errorResponses.tooLarge(request_id);
      const outcome = await read(message, { limit: bodyLimit, take, clock });
      if (outcome === 'too_slow') return { status: 408, body: '', auditEvents: [errorResponses.tooSlow] };
      return outcome === 'too_large' ? errorResponses.tooLarge(request_id) : await finish();
    } catch (error) {
      if (isCutOff(message)) return undefined;
      const stack = error instanceof Error ? (error.stack ?? error.message) : 'not an Error';
      return {
        status: 500,
        body: {
          error: 'server_error',
          request_id,
          error_description: `Keydesk failed. The reason is in its log. Request id: ${request_id}`,
        },
        auditEvents: [auditEvent('request.failed', { stack })],
      };
    }
  };

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startedAt = clock.now();
    const request_id = randomUuid(clock);
    const [path = '/', query = ''] = (message.url ?? '/').split(/\?(.*)/s, 2);
    const method = message.method ?? '';
    const headers = joinHeaders(message);
    const remoteIp = remoteIpOf(message, trustedProxies);
    const write = (entry: AuditEvent, status?: number) =>
      audit(entry, {
        request_id,
        method,
        path,
        userAgent: headers['user-agent'],
        remoteIp,
        status,
        latencyMs: clock.now() - startedAt,
        trace: headers['x-cloud-trace-context'] ?? headers.traceparent,
      });
    const head = { method, path, query, headers, request_id, remoteIp, audit: write };
    const result = await respondTo(message, head);
    if (!result) return;
    for (const entry of result.auditEvents ?? []) write(entry, result.status);
    if (isCutOff(message)) return;
    const text = typeof result.body === 'string' ? result.body : JSON.stringify(result.body);
    response.writeHead(result.status, {
      'content-type': typeof result.body === 'string' ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': request_id,
      ...(message.complete ? {} : { connection: 'close' }),
      ...result.headers,
    });
    if (message.complete) {
      response.end(text);
      return;
    }
    response.write(text);
    await read(message, { limit: DRAIN_LIMIT, take: () => {}, clock }).catch(() => {});
    response.end();
  };

  return (message, response) => {
    message.on('error', () => {});
    response.on('error', () => {});
    void serve(message, response);
  };
}

/** The connection is closed and the body has not come: the client hung up, or the body missed its deadline. */
function isCutOff(message: IncomingMessage): boolean {
  return message.destroyed && !message.complete;
}

/** RFC 9112 section 6.3. Node has refused a length that is no number. */
function mayHaveBody({ headers }: Head): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * Each proxy appends an address to X-Forwarded-For, and the caller may have written anything before it. So entries count from
 * the end. Where there are fewer than the proxies add, a request did not pass them, and only the last entry is the platform's.
 * docs.cloud.google.com/load-balancing/docs/https#x-forwarded-for_header
 */
function remoteIpOf({ headers, socket }: IncomingMessage, trustedProxies: number): string | undefined {
  const entries = [headers['x-forwarded-for']].flat().flatMap((header) => header?.split(',') ?? []);
  const addresses = entries.map((entry) => entry.trim()).filter((entry) => entry !== '');
  return addresses.at(-1 - trustedProxies) ?? addresses.at(-1) ?? socket.remoteAddress;
}

/** Headers by name; one that came more than once is joined as Node joins it. */
function joinHeaders(message: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function bufferBody(handler: Handler): HeadHandler {
  return (head) => {
    const pieces: Buffer[] = [];
    return {
      take: (piece) => void pieces.push(piece),
      finish: () => handler({ ...head, body: Buffer.concat(pieces) }),
    };
  };
}

/**
 * Gives the body to `take` as it arrives, until it is over the limit. Closes the connection of a body that misses its deadline.
 * Throws when the client hangs up.
 */
async function read(
  message: IncomingMessage,
  { limit, take, clock }: { readonly limit: number; readonly take: BodyReceiver['take']; readonly clock: Clock },
): Promise<'read' | 'too_large' | 'too_slow'> {
  let size = 0;
  let tooSlow = false;
  const done = new AbortController();
  const closeWhenSlow = async () => {
    let elapsed = 0;
    for (let allowed = BODY_DEADLINE_MS; elapsed < allowed; ) {
      await clock.sleep(allowed - elapsed, done.signal);
      elapsed = allowed;
      allowed = BODY_DEADLINE_MS + Math.floor(size / MIB) * BODY_DEADLINE_PER_MIB_MS;
    }
    tooSlow = !message.destroyed;
    message.destroy();
  };
  closeWhenSlow().catch(() => {});
  try {
    for await (const piece of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += piece.byteLength;
      if (size > limit) return 'too_large';
      take(piece);
    }
  } catch (error) {
    if (tooSlow) return 'too_slow';
    throw error;
  } finally {
    done.abort('read');
  }
  return 'read';
}
