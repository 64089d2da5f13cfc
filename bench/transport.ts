// Transports of the ledger: Keydesk's own, and Google's client over REST and over gRPC. What loading one and a first round cost in a fresh
// process, and what a warm round costs: a read and two conditional commits, as for a token.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { functionEnvironment, ROOT } from '../sandbox/functions.ts';
import { run } from '../sandbox/process.ts';
import { median, row, title } from './measure.ts';

const PROBE = fileURLToPath(new URL('transport-probe.ts', import.meta.url));
const ROUNDS = 5;
const KINDS = ['own', 'rest', 'grpc'] as const;

interface Probed {
  /** Milliseconds, until the first round is over. */
  readonly first: number;
  /** Milliseconds of a round. */
  readonly warm: number;
  /** Milliseconds of processor time of a round. */
  readonly processor: number;
  /** Resident, in MiB. */
  readonly memory: number;
}

export async function benchTransport(firestoreHost: string): Promise<void> {
  title("Transports of the ledger: own, and Google's client over REST and gRPC (median)");
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-transport-'));
  try {
    const probes = {
      own: await bundle(folder, 'own'),
      rest: await bundle(folder, 'rest'),
      grpc: await bundle(folder, 'grpc'),
    };
    const taken: Record<(typeof KINDS)[number], Probed[]> = { own: [], rest: [], grpc: [] };
    for (let round = 0; round < ROUNDS; round += 1)
      for (const kind of KINDS) taken[kind].push(await measure(probes[kind], firestoreHost));
    const of = (kind: (typeof KINDS)[number], figure: keyof Probed) => median(taken[kind].map((one) => one[figure]));
    const figures = { first: 'load and first round', warm: 'warm round', processor: 'processor time of a round' };
    for (const [figure, label] of Object.entries(figures) as [keyof Probed, string][])
      for (const kind of KINDS)
        row(
          `${kind}: ${label}`,
          of(kind, figure),
          'ms',
          `${(of(kind, figure) / of('rest', figure)).toFixed(2)} × rest`,
        );
    for (const kind of KINDS) row(`${kind}: resident memory`, of(kind, 'memory'), 'MiB');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One file with this transport, and no other. */
async function bundle(folder: string, kind: string): Promise<string> {
  const outfile = join(folder, `${kind}.cjs`);
  await build({
    entryPoints: [PROBE],
    outfile,
    define: { KIND: JSON.stringify(kind) },
    bundle: true,
    minifySyntax: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    logLevel: 'error',
  });
  return outfile;
}

async function measure(probe: string, firestoreHost: string): Promise<Probed> {
  const running = run(process.execPath, [probe], {
    cwd: ROOT,
    env: functionEnvironment({ FIRESTORE_EMULATOR_HOST: firestoreHost }),
  });
  await new Promise((resolve) => running.process.once('close', resolve));
  const line = running
    .output()
    .split('\n')
    .findLast((one) => one.startsWith('{'));
  if (line === undefined) throw new Error(`${probe} measured nothing:\n${running.output()}`);
  return JSON.parse(line) as Probed;
}
