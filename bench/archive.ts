// The archive of `token` as the platform's build leaves it: its files, the packages of its lock file, and then its own build script.

import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../sandbox/functions.ts';
import { writeBenchPolicy } from './bench-policy.ts';

/** The function's setting KEYDESK_POLICY. */
export const ARCHIVED_POLICY = 'policy.yaml';

export function buildArchive(folder: string): void {
  cpSync(join(ROOT, 'dist/keydesk/functions/token'), folder, { recursive: true });
  writeBenchPolicy(join(folder, ARCHIVED_POLICY));
  const options: ExecFileSyncOptions = { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] };
  execFileSync('npm', ['ci', '--quiet', '--no-fund', '--no-audit', '--prefer-offline'], options);
  execFileSync('npm', ['run', 'gcp-build'], options);
}
