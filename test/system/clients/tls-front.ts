// What stands before a server that speaks plain text, so that a client can speak to it by TLS as it speaks to Google or to
// a deployed Keydesk. Passes on the bytes as they are.

import { type AddressInfo, connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Authority } from './authority.ts';

export interface TlsFront {
  /** host:port */
  readonly host: string;
  close(): Promise<void>;
}

/**
 * @param behind host:port of what speaks plain text
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
