// REST or gRPC for the ledger: what loading the client and a first transaction cost in a fresh process, and what a warm
// transaction costs.

import { fileURLToPath } from 'node:url';
import { functionEnvironment, ROOT } from '../sandbox/functions.ts';
import { run } from '../sandbox/process.ts';
import { median, row, title } from './measure.ts';

const PROBE = fileURLToPath(new URL('transport-probe.ts', import.meta.url));
const ROUNDS = 5;

export async function benchTransport(firestoreHost: string): Promise<void> {
  title('Ledger transport, unbundled client in a fresh process (median)');
  const taken = { rest: [] as Probed[], grpc: [] as Probed[] };
  for (let round = 0; round < ROUNDS; round += 1)
    for (const transport of ['rest', 'grpc'] as const) taken[transport].push(await probe(transport, firestoreHost));
  for (const transport of ['rest', 'grpc'] as const) {
    const of = (pick: (probed: Probed) => number) => median(taken[transport].map(pick));
    row(
      `${transport}: load and first transaction`,
      of(({ first }) => first),
      'ms',
    );
    row(
      `${transport}: warm transaction`,
      of(({ warm }) => warm),
      'ms',
    );
    row(
      `${transport}: resident memory`,
      of(({ memory }) => memory),
      'MiB',
    );
  }
}

interface Probed {
  readonly first: number;
  readonly warm: number;
  readonly memory: number;
}

async function probe(transport: string, firestoreHost: string): Promise<Probed> {
  const running = run(process.execPath, [PROBE, transport], {
    cwd: ROOT,
    env: functionEnvironment({ FIRESTORE_EMULATOR_HOST: firestoreHost }),
  });
  await new Promise((resolve) => running.process.once('close', resolve));
  return JSON.parse(
    running
      .output()
      .split('\n')
      .findLast((line) => line.startsWith('{')) ?? '',
  ) as Probed;
}
