// Runs a faulty proxy in a thread of its own. Node takes one connection in each turn of its event loop, and the generator's turns
// are long: in its thread, the way to Firestore would be slower than Firestore.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { seededRandom } from '../../sandbox/seeded-random.ts';
import { type FaultyProxy, type FaultyProxyOptions, startFaultyProxy } from './faulty-proxy.ts';

interface Wanted extends Pick<FaultyProxyOptions, 'perMille'> {
  readonly target: string;
  readonly seed: number;
}

type Message = { readonly host: string } | { readonly fault: Parameters<FaultyProxyOptions['onFault']>[0] };

export async function startProxyThread(
  wanted: Wanted,
  onFault: FaultyProxyOptions['onFault'],
): Promise<FaultyProxy & { readonly close: () => Promise<unknown> }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: wanted });
  const host = await new Promise<string>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (message: Message) => {
      if ('host' in message) resolve(message.host);
      else onFault(message.fault);
    });
  });
  return { host, behave: () => worker.postMessage('behave'), close: () => worker.terminate() };
}

async function serveInThread({ target, seed, perMille }: Wanted): Promise<void> {
  const send = (message: Message) => parentPort?.postMessage(message);
  const onFault: FaultyProxyOptions['onFault'] = (fault) => send({ fault });
  const proxy = await startFaultyProxy(target, { random: seededRandom(seed), perMille, onFault });
  parentPort?.on('message', () => proxy.behave());
  send({ host: proxy.host });
}

if (!isMainThread) await serveInThread(workerData as Wanted);
