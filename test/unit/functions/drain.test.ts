// What a signal does to requests whose connections the system has accepted and the process has not.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SERVER = fileURLToPath(new URL('../../fixtures/signalled-server.ts', import.meta.url));

it('answers every request that had connected before the signal, and ends with 0', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [SERVER], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 30 }, () => '200'));
  expect(status).toBe(0);
});
