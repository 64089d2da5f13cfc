// Archives as `keydesk package` makes them, opened: what the tests of them look at.

import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { ROOT } from '../../../sandbox/functions.ts';

export const TARGETS = ['token', 'webhook', 'sweep', 'reader', 'admin'] as const;
export type Target = (typeof TARGETS)[number];

/** Outside the project, so that nothing is found in its node_modules; everybody may read it. */
export function cleanFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'keydesk-package-')));
  chmodSync(folder, 0o755);
  return folder;
}

/** Packages the project in `root` into `out`; resolves with what was printed. */
export async function packageInto(out: string, root = ROOT, environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const args = ['cli/keydesk.ts', 'package', '--policy', 'examples/policy.yaml', '--out', out];
  const env = { ...process.env, ...environment };
  return (await promisify(execFile)(process.execPath, args, { cwd: root, env, timeout: 60_000 })).stdout;
}

export function filesOf(archive: string): Map<string, Buffer> {
  const entries = Object.entries(unzipSync(readFileSync(archive)));
  return new Map(entries.map(([name, contents]) => [name, Buffer.from(contents)]));
}

export function unpack(archive: string, into: string): void {
  for (const [name, contents] of filesOf(archive)) {
    mkdirSync(dirname(join(into, name)), { recursive: true });
    writeFileSync(join(into, name), contents);
  }
}
