// A TLS proxy in front of a server on loopback, so that a client can use TLS as it does with Google and with a deployed
// Keydesk. It passes on the bytes unchanged.

import { type AddressInfo, connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Authority } from './authority.ts';

export interface TlsFront {
  /** host:port */
  readonly host: string;
  close(): Promise<void>;
}

/**
 * @param behind host:port of the server, which has no TLS
 * @param protocol as ALPN names it: `h2` for gRPC
 */
export async function openTlsFront(
  behind: string,
  { localhost }: Authority,
  protocol: 'h2' | 'http/1.1' = 'h2',
): Promise<TlsFront> {
  const sockets = new Set<TLSSocket>();
  const server = createServer({ ...localhost, ALPNProtocols: [protocol] });
  server.on('secureConnection', (socket) => {
    const [host, port] = behind.split(':');
    const plain = connect({ host: host as string, port: Number(port) });
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      plain.destroy();
    });
    plain.once('close', () => socket.destroy());
    socket.on('error', () => plain.destroy());
    plain.on('error', () => socket.destroy());
    socket.pipe(plain).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
