// The tools of busybox in place of this machine's, as they are on Alpine, which the agent's own image is made from.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '../../fixtures/needs.ts';

export const busybox = needs('busybox');

/** Makes a folder under `at` for the PATH: all tools of busybox but its shells, since the plugin runs in bash. */
export function busyboxTools(at: string): string {
  const folder = mkdtempSync(join(at, 'busybox-'));
  const path = busybox.path ?? 'busybox';
  const { stdout } = spawnSync(path, ['--list'], { encoding: 'utf8' });
  const tools = stdout.split('\n').filter((name) => /^[a-z0-9_]+$/.test(name) && !['ash', 'bash', 'sh'].includes(name));
  for (const tool of tools) symlinkSync(path, join(folder, tool));
  return folder;
}
