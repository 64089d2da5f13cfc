// An HTTP server on loopback that responds with JSON, for the fake Buildkite and the fake Google. It can also fail to respond,
// as networks do. Knows nothing about the requests.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LocalRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As text. `bytes` is for bodies that may not be text. */
  readonly body: string;
  readonly bytes: Buffer;
}

export interface LocalResponse {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly bytes?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `hang` leaves the connection open and silent until the server closes; `cut` destroys it. */
export type LocalReply = LocalResponse | 'hang' | 'cut';

export interface LocalServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function jsonServer(
  name: string,
  handle: (request: LocalRequest) => LocalReply | Promise<LocalReply>,
  port = 0,
): Promise<LocalServer> {
  const server = createServer(async (message, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    let reply: LocalReply;
    try {
      const url = new URL(`http://local${message.url ?? '/'}`);
      reply = await handle({
        method: message.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: message.headers,
        body: bytes.toString('utf8'),
        bytes,
      });
    } catch (error) {
      reply = { status: 500, json: { message: `${name} failed: ${error}` } };
    }
    if (reply === 'hang') return;
    if (reply === 'cut') {
      response.destroy();
      return;
    }
    const { status, json, text = JSON.stringify(json ?? {}), bytes: content = text, headers = {} } = reply;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(content);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
