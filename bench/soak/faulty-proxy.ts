// A way to a server on which connections break, responses are late or held back: before a request got through, and after it
// did while its response is lost. Knows nothing about what is sent.

import { connect, createServer } from 'node:net';
import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';

/** `cut_before`: the request does not get through. `cut_after`: it does, and its response does not. `stall`: held for seconds. */
type ProxyFault = 'cut_before' | 'cut_after' | 'delay' | 'stall';

export interface FaultyProxy {
  readonly host: string;
  /** From then on everything gets through at once. */
  readonly behave: () => void;
}

export interface FaultyProxyOptions {
  readonly random: SeededRandom;
  /** The weight of each fault, in thousandths of all pieces of requests. */
  readonly perMille: Readonly<Record<ProxyFault, number>>;
  readonly onFault: (kind: ProxyFault) => void;
}

export async function startFaultyProxy(target: string, options: FaultyProxyOptions): Promise<FaultyProxy> {
  const { random, perMille, onFault } = options;
  const { hostname, port } = new URL(`http://${target}`);
  let behaves = false;
  const draw = (): ProxyFault | undefined => {
    if (behaves) return undefined;
    let left = random.next() * 1000;
    for (const [kind, weight] of Object.entries(perMille) as [ProxyFault, number][]) {
      left -= weight;
      if (left < 0) return kind;
    }
    return undefined;
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', cut);
    }
    let cutAtResponse = false;
    let heldUntil = 0;
    client.on('data', (chunk) => {
      const fault = draw();
      if (fault) onFault(fault);
      if (fault === 'cut_before') return cut();
      if (fault === 'cut_after') cutAtResponse = true;
      if (fault === 'delay') heldUntil = systemClock.now() + random.between(20, 900);
      if (fault === 'stall') heldUntil = systemClock.now() + random.between(3_000, 20_000);
      upstream.write(chunk);
    });
    let sending: Promise<unknown> = Promise.resolve();
    upstream.on('data', (chunk) => {
      if (cutAtResponse) return cut();
      const wait = heldUntil - systemClock.now();
      // One after the other, whatever each waits for.
      sending = sending.then(async () => {
        if (wait > 0) await systemClock.sleep(wait);
        if (!client.destroyed) client.write(chunk);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${own}`,
    behave: () => {
      behaves = true;
    },
  };
}
