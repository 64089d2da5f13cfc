// The only way out of this machine that a client is shown: a proxy which lets nothing through and keeps what was asked of
// it, so that a client that turns to the real Google fails at once and the test can say where it wanted to go.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface NoWayOut {
  /** For the environment of a client. */
  readonly env: Readonly<Record<string, string>>;
  /** Where clients wanted to go, oldest first. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export async function openNoWayOut(): Promise<NoWayOut> {
  const requests: string[] = [];
  const server = createServer(({ method, url }, response) => {
    requests.push(`${method} ${url}`);
    response.writeHead(403, { 'content-type': 'text/plain' }).end('there is no way out');
  });
  server.on('connect', ({ url }, socket) => {
    requests.push(`CONNECT ${url}`);
    socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const here = '127.0.0.1,localhost';
  return {
    env: {
      http_proxy: proxy,
      HTTP_PROXY: proxy,
      https_proxy: proxy,
      HTTPS_PROXY: proxy,
      no_proxy: here,
      NO_PROXY: here,
    },
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
