// HTTP as Keydesk's handlers see it: a whole request in, a whole answer out, no framework. Reads the body as bytes, within
// a limit and a time, gives every request an id, writes its audit lines before its answer, and turns what a handler
// throws into JSON. Knows nothing about tokens, webhooks or ledgers.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Audit, AuditEntry } from '../shared/audit.ts';
import { type Clock, randomUuid } from '../shared/runtime/clock.ts';

const BODY_DEADLINE_MS = 10_000;
/** An oversized body is read and dropped this far, so that the client gets to read the answer. */
const DRAIN_LIMIT = 1024 * 1024;

export interface Incoming {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  readonly request_id: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, text as it is. */
  readonly body: object | string;
  readonly entries?: readonly AuditEntry[];
}

export type Handler = (request: Incoming) => Promise<Answer>;

/** What to answer when there is no request to handle. */
export interface Failures {
  readonly tooLarge: (request_id: string) => Answer;
}

/** @param parts.bodyLimit bytes; the handler never sees a larger body */
export function listen(parts: {
  readonly handler: Handler;
  readonly failures: Failures;
  readonly bodyLimit: number;
  readonly audit: Audit;
  readonly clock: Clock;
}): RequestListener {
  const { handler, failures, bodyLimit, audit, clock } = parts;

  const answerTo = async (message: IncomingMessage, path: string, request_id: string): Promise<Answer | undefined> => {
    try {
      const body = await readBody(message, bodyLimit, clock);
      if (body === 'too_large') return failures.tooLarge(request_id);
      return await handler({ method: message.method ?? '', path, headers: singleHeaders(message), body, request_id });
    } catch (error) {
      const hungUp = message.destroyed && !message.complete;
      if (hungUp) return undefined;
      const detail = error instanceof Error ? (error.stack ?? error.message) : 'not an Error';
      return {
        status: 500,
        body: {
          error: 'server_error',
          error_description: `Keydesk failed; the reason is in its log. Request id: ${request_id}`,
          request_id,
        },
        entries: [{ event: 'request.failed', severity: 'ERROR', message: `request failed: ${detail}` }],
      };
    }
  };

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startedAt = clock.now();
    const request_id = randomUuid(clock);
    const path = (message.url ?? '/').split('?', 1)[0] ?? '/';
    const answer = await answerTo(message, path, request_id);
    if (!answer) return;
    const headers = singleHeaders(message);
    for (const entry of answer.entries ?? [])
      audit(entry, {
        request_id,
        method: message.method ?? '',
        path,
        userAgent: headers['user-agent'],
        // The platform appends the address it saw; whatever stands before that the caller wrote.
        remoteIp: headers['x-forwarded-for']?.split(',').at(-1)?.trim() ?? message.socket.remoteAddress,
        status: answer.status,
        latencyMs: clock.now() - startedAt,
        trace: headers['x-cloud-trace-context'] ?? headers.traceparent,
      });
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
    response.end(text);
  };

  return (message, response) => {
    message.on('error', () => {});
    response.on('error', () => {});
    void serve(message, response);
  };
}

/** Headers by name; one that came more than once is joined as Node joins it. */
function singleHeaders(message: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

async function readBody(message: IncomingMessage, limit: number, clock: Clock): Promise<Buffer | 'too_large'> {
  if (Number(message.headers['content-length'] ?? 0) > DRAIN_LIMIT + limit) return 'too_large';
  const read = new AbortController();
  clock.sleep(BODY_DEADLINE_MS, read.signal).then(
    () => message.destroy(),
    () => {},
  );
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size <= limit) chunks.push(chunk);
      else if (size > DRAIN_LIMIT + limit) break;
    }
  } finally {
    read.abort('read');
  }
  return size > limit ? 'too_large' : Buffer.concat(chunks);
}
