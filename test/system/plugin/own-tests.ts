// Runs the tests in plugin/tests.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { PLUGIN } from './step.ts';

/** @param path the PATH of the plugin and its tests */
export async function runItsTests(path: string): Promise<void> {
  const bats = join(ROOT, 'node_modules/bats/bin/bats');
  const ran = await promisify(execFile)('bash', [bats, 'tests'], {
    cwd: PLUGIN,
    env: { PATH: path, HOME: '/nonexistent' },
  }).catch((error) => error);
  expect(ran.stdout).not.toMatch(/^not ok/m);
  const [, planned] = /^1\.\.([0-9]+)$/m.exec(ran.stdout) ?? [];
  expect(ran.stdout.match(/^ok /gm)).toHaveLength(Number(planned));
}
