// What stands before the emulator so that a client can speak to it as it speaks to Google: by gRPC over TLS.
// Passes on the bytes as they are.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';

export interface TlsFront {
  /** host:port */
  readonly host: string;
  /** For the environment of a client, so that it trusts the front's certificate. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** @param behind host:port of what speaks plain text. Throws where there is no openssl to make a certificate with. */
export async function openTlsFront(behind: string): Promise<TlsFront> {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-tls-'));
  const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const names = 'subjectAltName=DNS:localhost';
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  const certificate = ['-x509', '-days', '1', '-subj', '/CN=localhost', '-addext', names, '-out', certificateFile];
  execFileSync('openssl', ['req', ...key, ...certificate], { stdio: 'ignore', timeout: 10_000 });
  const sockets = new Set<TLSSocket>();
  const server = createServer({
    key: readFileSync(keyFile),
    cert: readFileSync(certificateFile),
    ALPNProtocols: ['h2'],
  });
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
    host: `localhost:${(server.address() as AddressInfo).port}`,
    env: { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: certificateFile },
    close: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
