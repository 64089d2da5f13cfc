// HTTP as Keydesk's handlers see it: a request in, a whole answer out, no framework. Reads the body as bytes, within
// a limit and a time, gives every request an id, writes its audit lines before its answer, and turns what a handler
// throws into JSON. A handler takes the whole request, or its head first and then the body as it arrives.
// Knows nothing about tokens, webhooks or ledgers.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Audit, AuditEntry } from '../../shared/audit/logger.ts';
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
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly request_id: string;
  /** The caller's address, as the platform or the socket names it. */
  readonly remoteIp: string | undefined;
}

export interface Incoming extends Head {
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, text as it is. */
  readonly body: object | string;
  readonly entries?: readonly AuditEntry[];
}

export type Handler = (request: Incoming) => Promise<Answer>;

/** Decides by the head alone: an answer leaves the body unread, a receiver gets it. */
export type HeadHandler = (head: Head) => Answer | BodyReceiver;

interface BodyReceiver {
  /** Gets each piece of the body as it arrives. */
  readonly take: (piece: Buffer) => void;
  /** Called once, after the last piece. */
  readonly finish: () => Promise<Answer>;
}

/** Of whole requests, or of heads first. */
export type Handling = { readonly handler: Handler } | { readonly headHandler: HeadHandler };

/** What to answer, or to log, when there is no request to handle. */
export interface Failures {
  readonly tooLarge: (request_id: string) => Answer;
  /** The line about a body that missed its deadline. Its sender gets no response. */
  readonly tooSlow: AuditEntry;
}

/** Anybody can send a slow body, so this is a warning. */
export const REQUEST_TIMED_OUT: AuditEntry = {
  event: 'request.timed_out',
  severity: 'WARNING',
  message: 'the body of a request did not arrive in time; the connection was closed without a response',
};

/** @param parts.bodyLimit bytes; no handler gets to finish a larger body */
export function listen(
  parts: Handling & {
    readonly failures: Failures;
    readonly bodyLimit: number;
    readonly audit: Audit;
    readonly clock: Clock;
  },
): RequestListener {
  const { failures, bodyLimit, audit, clock } = parts;
  const headHandler = 'headHandler' in parts ? parts.headHandler : whole(parts.handler);

  const answerTo = async (message: IncomingMessage, head: Head): Promise<Answer | undefined> => {
    const { request_id } = head;
    try {
      const decided = headHandler(head);
      if (!('take' in decided)) return decided;
      const { take, finish } = decided;
      if (Number(head.headers['content-length'] ?? 0) > bodyLimit) return failures.tooLarge(request_id);
      const outcome = await read(message, { limit: bodyLimit, take, clock });
      if (outcome === 'too_slow') return { status: 408, body: '', entries: [failures.tooSlow] };
      return outcome === 'too_large' ? failures.tooLarge(request_id) : await finish();
    } catch (error) {
      if (isCutOff(message)) return undefined;
      const detail = error instanceof Error ? (error.stack ?? error.message) : 'not an Error';
      return {
        status: 500,
        body: {
          error: 'server_error',
          request_id,
          error_description: `Keydesk failed; the reason is in its log. Request id: ${request_id}`,
        },
        entries: [{ event: 'request.failed', severity: 'ERROR', message: `request failed: ${detail}` }],
      };
    }
  };

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startedAt = clock.now();
    const request_id = randomUuid(clock);
    const path = (message.url ?? '/').split('?', 1)[0] ?? '/';
    const method = message.method ?? '';
    const headers = singleHeaders(message);
    const head = { method, path, headers, request_id, remoteIp: remoteIpOf(message) };
    const answer = await answerTo(message, head);
    if (!answer) return;
    for (const entry of answer.entries ?? [])
      audit(entry, {
        request_id,
        method,
        path,
        userAgent: headers['user-agent'],
        remoteIp: head.remoteIp,
        status: answer.status,
        latencyMs: clock.now() - startedAt,
        trace: headers['x-cloud-trace-context'] ?? headers.traceparent,
      });
    if (isCutOff(message)) return;
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status, {
      'content-type': typeof answer.body === 'string' ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': request_id,
      ...(message.complete ? {} : { connection: 'close' }),
      ...answer.headers,
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

/** The platform appends the address it saw to X-Forwarded-For. The caller may have written what stands before it. */
function remoteIpOf({ headers, socket }: IncomingMessage): string | undefined {
  return [headers['x-forwarded-for']].flat().at(-1)?.split(',').at(-1)?.trim() ?? socket.remoteAddress;
}

/** Headers by name; one that came more than once is joined as Node joins it. */
function singleHeaders(message: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function whole(handler: Handler): HeadHandler {
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
  const hangUpWhenSlow = async () => {
    let waited = 0;
    for (let allowed = BODY_DEADLINE_MS; waited < allowed; ) {
      await clock.sleep(allowed - waited, done.signal);
      waited = allowed;
      allowed = BODY_DEADLINE_MS + Math.floor(size / MIB) * BODY_DEADLINE_PER_MIB_MS;
    }
    tooSlow = !message.destroyed;
    message.destroy();
  };
  hangUpWhenSlow().catch(() => {});
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
