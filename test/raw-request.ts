// A request exactly as written: repeated headers, odd paths and bodies that `fetch` would mend or refuse to send.

import { request } from 'node:http';
import type { Called, InProcessDesk } from './in-process-desk.ts';

export interface RawRequest {
  readonly method?: string;
  /** Sent as it is. */
  readonly path?: string;
  /** Names in lower case. A list is sent as a header of its own for each of its values. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

/** Sends it to the function at `url` and returns the answer with the audit lines it caused. */
export async function callRaw(desk: InProcessDesk, url: string, raw: RawRequest): Promise<Called> {
  const { status, headers, text } = await send(url, raw);
  const requestId = headers.get('x-request-id');
  return {
    status,
    headers,
    text,
    json: headers.get('content-type')?.startsWith('application/json') && text ? JSON.parse(text) : undefined,
    audit: desk.audit.filter((line) => line.request_id === requestId),
  };
}

function send(url: string, raw: RawRequest): Promise<{ status: number; headers: Headers; text: string }> {
  const { hostname, port } = new URL(url);
  const { method = 'POST', path = '/', headers = {}, body = '' } = raw;
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: new Headers(Object.entries(answer.headers).map(([name, value]) => [name, String(value)])),
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    outgoing.on('error', reject);
    const chunked = 'transfer-encoding' in headers;
    if (!chunked && body.length > 0) outgoing.setHeader('content-length', Buffer.byteLength(body));
    for (const [name, value] of Object.entries(headers)) outgoing.setHeader(name, value);
    outgoing.end(body);
  });
}
