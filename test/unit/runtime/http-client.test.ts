// Outgoing HTTP over real sockets: when a request is not sent, and when it is sent a second time.

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createHttpClient, type OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

describe('a request whose time is up', () => {
  const nowhere = { dependency: 'nobody', url: 'http://127.0.0.1:9/' };

  it('is not sent', async () => {
    const late = createHttpClient(new TestClock(1_000))({ ...nowhere, until: 1_000 });
    await expect(late).rejects.toThrow('nobody: not requested: its time was up');
  });

  it('is sent a millisecond before', async () => {
    const inTime = createHttpClient(new TestClock(999))({ ...nowhere, until: 1_000 });
    await expect(inTime).rejects.toThrow('nobody: could not be reached');
  });
});

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"ok":true}';
const RESPONSES = {
  ok: (socket: Socket) => socket.write(OK),
  reset: (socket: Socket) => socket.resetAndDestroy(),
  closed: (socket: Socket) => socket.destroy(),
  silence: () => {},
  'half a body, then a reset': (socket: Socket) => socket.write(OK.slice(0, -5), () => socket.resetAndDestroy()),
  'a head, then a reset': (socket: Socket) => socket.write(OK.slice(0, -11), () => socket.resetAndDestroy()),
  'an error': (socket: Socket) => socket.write('HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n'),
  'no HTTP': (socket: Socket) => socket.end('SSH-2.0\r\n\r\n'),
} as const;
type Response = keyof typeof RESPONSES;

/** A server that responds so to the requests that come, in this order. */
async function listening(...responses: readonly Response[]) {
  const clock = new TestClock(1_000);
  const requestToken = createHttpClient(clock);
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const text = chunk.toString();
      // A body that came by itself.
      if (!/^(GET|POST) /.test(text)) return void requests.push(`${requests.pop()}${text}`);
      server.onRequest();
      requests.push(text);
      RESPONSES[responses[requests.length - 1] ?? 'no HTTP'](socket);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  const { port } = listener.address() as AddressInfo;
  const send = (more: Partial<OutgoingRequest> = {}) =>
    requestToken({ dependency: 'google', url: `http://127.0.0.1:${port}/`, ...more });
  const server = { clock, requests, sockets, send, onRequest: () => {} };
  return server;
}

const done = { status: 200, json: { ok: true } };

describe('a request whose connection is lost before a response', () => {
  it.each(['reset', 'closed'] as const)('is sent once more: %s', async (lost) => {
    const { send, requests } = await listening(lost, 'ok');
    expect(await send()).toMatchObject(done);
    expect(requests).toHaveLength(2);
  });

  it.each([
    ['JSON', { method: 'POST', json: { lifetime: '900s' } }, '{"lifetime":"900s"}'],
    ['a form', { method: 'POST', form: { grant_type: 'x y' } }, 'grant_type=x+y'],
  ] as const)('is sent whole again: %s', async (_, request, body) => {
    const { send, requests } = await listening('reset', 'ok');
    expect(await send({ ...request, headers: { authorization: 'Bearer a' } })).toMatchObject(done);
    expect(requests[1]).toBe(requests[0]);
    expect(requests[0]).toContain('authorization: Bearer a');
    expect(requests[0]?.endsWith(`\r\n\r\n${body}`)).toBe(true);
  });

  it('is sent once more over a new connection when a kept one was closed', async () => {
    const { send, requests, sockets } = await listening('ok', 'reset', 'ok');
    expect(await send()).toMatchObject(done);
    expect(await send({ method: 'POST', json: {} })).toMatchObject(done);
    expect(requests).toHaveLength(3);
    expect(sockets.size).toBe(2);
  });

  it('is not sent a third time', async () => {
    const { send, requests } = await listening('reset', 'closed', 'ok');
    await expect(send()).rejects.toMatchObject({ name: 'DependencyError', message: 'google: could not be reached' });
    expect(requests).toHaveLength(2);
  });

  it('is not sent again when it must not take effect twice', async () => {
    const { send, requests } = await listening('reset', 'ok');
    await expect(send({ method: 'POST', json: {}, noResend: true })).rejects.toThrow('google: could not be reached');
    await settled();
    expect(requests).toHaveLength(1);
  });

  it('is not sent again when its time is up', async () => {
    const server = await listening('reset', 'ok');
    server.onRequest = () => server.clock.advance(500);
    await expect(server.send({ until: 1_500 })).rejects.toThrow('google: could not be reached');
    await settled();
    expect(server.requests).toHaveLength(1);
  });

  it('has one deadline for both tries', async () => {
    const server = await listening('ok', 'reset', 'silence');
    await server.send();
    const again = Promise.withResolvers<void>();
    server.onRequest = () => {
      server.clock.advance(2_000);
      if (server.requests.length === 2) again.resolve();
    };
    const sending = server.send();
    await Promise.race([again.promise, sending]);
    server.clock.advance(1_000);
    await expect(sending).rejects.toThrow('google: no response within 5000 ms');
    expect(server.requests).toHaveLength(3);
  });
});

it('the first request to a host has 15 s, and the next what it is given', async () => {
  const { clock, send } = await listening('silence', 'silence', 'silence');
  for (const [more, milliseconds] of [
    [{ deadlineMs: 3_000 }, 15_000],
    [{ deadlineMs: 3_000 }, 3_000],
    [{}, 5_000],
  ] as const) {
    const sending = send(more);
    clock.advance(milliseconds - 1);
    expect(await Promise.race([sending, setImmediate('still waiting')])).toBe('still waiting');
    clock.advance(1);
    await expect(sending).rejects.toThrow(`google: no response within ${milliseconds} ms`);
  }
});

it.each(['a head, then a reset', 'half a body, then a reset', 'no HTTP'] as const)(
  'a request that got a response is not sent again: %s',
  async (response) => {
    const { send, requests } = await listening(response, 'ok');
    await expect(send()).rejects.toThrow('google: could not be reached');
    await settled();
    expect(requests).toHaveLength(1);
  },
);

it('a request that got an error response is not sent again', async () => {
  const { send, requests } = await listening('an error', 'ok');
  expect(await send()).toMatchObject({ status: 503 });
  await settled();
  expect(requests).toHaveLength(1);
});

/** Whatever is on its way has had the turns to arrive. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
}
