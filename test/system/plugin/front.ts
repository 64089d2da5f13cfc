// A proxy between agents and Keydesk: passes requests on, or responds itself as load balancers and failing services do. Keeps
// the requests that it sees.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

type Instead =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'hang'
  | 'cut'
  | undefined;

export interface Front {
  readonly url: string;
  /** What was asked, as `POST /token/staging-config`. */
  readonly seen: string[];
  /** Decides for each request; undefined passes it on. */
  instead: (request: string) => Instead;
  close(): Promise<void>;
}

export async function openFront(keydeskUrl: string): Promise<Front> {
  const server = createServer(async (message, response) => {
    const request = `${message.method} ${message.url}`;
    front.seen.push(request);
    const body = await bodyOf(message);
    const instead = front.instead(request);
    if (instead === 'hang') return;
    if (instead === 'cut') {
      message.socket.destroy();
      return;
    }
    if (instead) {
      response.writeHead(instead.status, { 'content-type': 'text/html', ...instead.headers });
      response.end(instead.body ?? '');
      return;
    }
    const { authorization, accept, 'content-type': type } = message.headers;
    const answer = await fetch(`${keydeskUrl}${message.url}`, {
      method: message.method ?? 'GET',
      headers: {
        ...(authorization ? { authorization } : {}),
        ...(accept ? { accept } : {}),
        ...(type ? { 'content-type': type } : {}),
      },
      body: new Uint8Array(body),
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front: Front = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    instead: () => undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return front;
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
