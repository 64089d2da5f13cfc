import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createRequestListener,
  type Handlers,
  type HttpResponse,
  REQUEST_TIMED_OUT,
} from '../../functions/runtime/http-server.ts';
import type { AuditLogger } from '../../shared/audit/logger.ts';
import { TestClock } from '../fixtures/test-clock.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const LIMIT = 4 * MIB;

const refused: HttpResponse = { status: 401, body: { error: 'unauthorized' } };
const tooLarge: HttpResponse = { status: 413, body: { error: 'invalid_request' } };

/** `/whole` takes whole requests, the server of `heads` refuses all but `/piecewise` by their head. */
describe('the body of a request', () => {
  const clock = new TestClock(1_800_000_000_000);
  let heads: Server;
  let wholes: Server;
  /** The lines of both servers: event, severity and status. */
  const lines: unknown[] = [];
  let taken = 0;
  let finished = 0;
  /** Of the last connection, as the server has it. */
  let served: Socket;
  const clients: Client[] = [];

  beforeAll(async () => {
    heads = await serve({
      headHandler: ({ path }) =>
        path === '/piecewise'
          ? {
              take: (piece) => {
                taken += piece.length;
              },
              finish: async () => {
                finished += 1;
                return { status: 200, body: { taken } };
              },
            }
          : refused,
    });
    wholes = await serve({
      handler: async ({ body }) => {
        finished += 1;
        return { status: 200, body: { taken: body.length } };
      },
    });
  });
  beforeEach(() => {
    taken = 0;
    finished = 0;
    lines.length = 0;
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.socket.destroy();
  });
  afterAll(async () => {
    for (const server of [heads, wholes]) {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
  });

  async function serve(handling: Handlers): Promise<Server> {
    const errorResponses = { tooLarge: () => tooLarge, tooSlow: REQUEST_TIMED_OUT };
    const audit: AuditLogger = ({ event, severity }, request) => void lines.push([event, severity, request?.status]);
    const limits = { bodyLimit: LIMIT, trustedProxies: 0 };
    const server = createServer(createRequestListener({ ...handling, errorResponses, ...limits, audit, clock }));
    server.on('connection', (socket) => {
      served = socket;
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  const open = (server: Server, path: string, header: string): Client => {
    const client = new Client((server.address() as AddressInfo).port);
    clients.push(client);
    client.socket.write(`POST ${path} HTTP/1.1\r\nHost: keydesk.example\r\n${header}\r\n\r\n`);
    return client;
  };

  it('is not waited for when its head is refused', async () => {
    const client = open(heads, '/', `Content-Length: ${LIMIT}`);
    await turnsUntil(() => client.status !== undefined);
    expect(client.status).toBe(401);
    expect(client.text).toMatch(/\r\nconnection: close\r\n/i);
    expect(client.text).toMatch(/\{"error":"unauthorized"\}$/);
    expect(served.bytesRead).toBeLessThan(KIB);
    client.socket.end();
    await turnsUntil(() => served.destroyed);
    expect(served.destroyed).toBe(true);
  });

  it('is not waited for when it says itself that it is too large', async () => {
    for (const [server, path] of [
      [heads, '/piecewise'],
      [wholes, '/whole'],
    ] as const) {
      const client = open(server, path, `Content-Length: ${LIMIT + 1}`);
      await turnsUntil(() => client.status !== undefined);
      expect(client.status).toBe(413);
      expect(served.bytesRead).toBeLessThan(KIB);
    }
    expect([taken, finished]).toEqual([0, 0]);
  });

  it('that was refused unread does not keep its sender from reading why, when it is small', async () => {
    const client = open(heads, '/', `Content-Length: ${64 * KIB}`);
    await turnsUntil(() => client.status !== undefined);
    client.socket.write(Buffer.alloc(64 * KIB));
    await turnsUntil(() => client.closed);
    expect(client.status).toBe(401);
    expect(client.error).toBeUndefined();
    expect([taken, finished]).toEqual([0, 0]);
  });

  it('that was refused unread is dropped for ten seconds at most', async () => {
    const client = open(heads, '/', `Content-Length: ${LIMIT}`);
    await turnsUntil(() => client.status !== undefined && clock.deadlines > 0);
    clock.advance(9_999);
    await turnsUntil(() => client.closed, 1_000);
    expect(client.closed).toBe(false);
    clock.advance(1);
    await turnsUntil(() => client.closed);
    expect(client.closed).toBe(true);
    expect(lines).toEqual([]);
  });

  it.each([
    ['when its head is refused', () => heads, '/', 401, MIB],
    ['when it is taken as it arrives', () => heads, '/piecewise', 413, LIMIT + MIB],
    ['when it is taken whole', () => wholes, '/whole', 413, LIMIT + MIB],
  ] as const)('is not read on without end %s', async (_, server, path, status, most) => {
    const client = open(server(), path, 'Transfer-Encoding: chunked');
    const piece = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(64 * KIB), Buffer.from('\r\n')]);
    for (let sent = 0; sent < 4 * LIMIT && !client.closed; sent += 64 * KIB) {
      client.socket.write(piece);
      await turnsUntil(() => client.socket.writableLength === 0 || client.closed);
    }
    await turnsUntil(() => client.closed, 10_000);
    expect(client.closed).toBe(true);
    expect(client.status ?? status).toBe(status);
    // Beyond it: what one read of the socket may bring, and the lengths of the chunks.
    expect(served.bytesRead).toBeLessThan(most + 256 * KIB);
    expect(finished).toBe(0);
  });

  it.each([
    ['', 'no length'],
    ['Content-Length: 0', 'a length of 0'],
    ['Transfer-Encoding: chunked\r\n\r\n0', 'an empty chunk'],
  ])('that is empty leaves its connection for the next request: %j', async (header) => {
    for (const server of [wholes, heads]) {
      const client = open(server, '/piecewise', header);
      await turnsUntil(() => client.status !== undefined);
      expect(client.text).toContain('{"taken":0}');
      expect(client.text).not.toMatch(/connection: close/i);
      client.text = '';
      client.socket.write('POST /piecewise HTTP/1.1\r\nHost: keydesk.example\r\nContent-Length: 2\r\n\r\n{}');
      await turnsUntil(() => client.status !== undefined);
      expect(client.text).toContain('{"taken":2}');
    }
  });

  it('is taken up to its limit, and no byte more', async () => {
    for (const size of [LIMIT, LIMIT + 1])
      for (const [server, path] of [
        [heads, '/piecewise'],
        [wholes, '/whole'],
      ] as const) {
        taken = 0;
        const client = open(server, path, 'Transfer-Encoding: chunked');
        client.socket.write(`${size.toString(16)}\r\n`);
        client.socket.write(Buffer.alloc(size));
        client.socket.write('\r\n0\r\n\r\n');
        await turnsUntil(() => client.status !== undefined);
        expect(client.status).toBe(size > LIMIT ? 413 : 200);
        if (size === LIMIT) expect(client.text).toContain(`{"taken":${LIMIT}}`);
      }
  });

  it('has ten seconds to arrive, and ten more for each MiB that has', async () => {
    const client = open(heads, '/piecewise', `Content-Length: ${LIMIT}`);
    client.socket.write(Buffer.alloc(2 * MIB + 1));
    await turnsUntil(() => taken > 2 * MIB);
    expect(taken).toBe(2 * MIB + 1);
    clock.advance(10_000);
    await setImmediate();
    clock.advance(19_999);
    await turnsUntil(() => client.closed, 1_000);
    expect(client.closed).toBe(false);
    clock.advance(1);
    await turnsUntil(() => client.closed);
    expect(client.closed).toBe(true);
    expect(client.text).toBe('');
    expect(finished).toBe(0);
    expect(lines).toEqual([['request.timed_out', 'WARNING', 408]]);
  });

  it.each([
    ['as it arrives', () => heads, '/piecewise'],
    ['whole', () => wholes, '/whole'],
  ] as const)(
    'that is taken %s is one line in the log when it is too slow, and none when its client hangs up',
    async (_, server, path) => {
      const hangUp = open(server(), path, `Content-Length: ${KIB}`);
      await turnsUntil(() => clock.deadlines > 0);
      const connection = served;
      hangUp.socket.destroy();
      await turnsUntil(() => connection.destroyed && clock.deadlines === 0);
      expect([connection.destroyed, clock.deadlines]).toEqual([true, 0]);
      clock.advance(10_000);
      await turnsUntil(() => false, 100);
      expect(lines).toEqual([]);

      const slow = open(server(), path, `Content-Length: ${KIB}`);
      await turnsUntil(() => clock.deadlines > 0);
      clock.advance(10_000);
      await turnsUntil(() => slow.closed);
      expect(slow.closed).toBe(true);
      expect(lines).toEqual([['request.timed_out', 'WARNING', 408]]);
    },
  );
});

class Client {
  readonly socket: Socket;
  text = '';
  closed = false;
  error: NodeJS.ErrnoException | undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  /** Undefined until the whole response is there. */
  get status(): number | undefined {
    const whole = /^HTTP\/1\.1 ([0-9]{3}) [\s\S]*\r\n\r\n.+/.exec(this.text);
    return whole ? Number(whole[1]) : undefined;
  }
}

/** Lets the event loop turn until it is so, or this many times: while what happens in between is up to the network. */
async function turnsUntil(holds: () => boolean, most = 100_000): Promise<void> {
  for (let turn = 0; turn < most && !holds(); turn += 1) await setImmediate();
}
