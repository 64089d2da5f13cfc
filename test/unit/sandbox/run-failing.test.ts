// What the sandbox shows when a story went wrong: with --once everything there is, because a machine of a CI keeps no files.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Environment } from '../../../sandbox/environment.ts';
import { runSandbox } from '../../../sandbox/run.ts';

const close = vi.fn(async () => {});
const environment = { close, log: ['{"line":1}', '{"line":2}'], google: { unexpected: [] }, token: { url: '' } };

let shown = '';
beforeEach(() => {
  shown = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    shown += text;
    return true;
  });
});
afterEach(() => {
  expect(close).toHaveBeenCalledOnce();
  vi.clearAllMocks();
  vi.restoreAllMocks();
});

const LOG = '\nThe functions\' log:\n{"line":1}\n{"line":2}\n';

/** One run of the sandbox whose story is `runDemo`, with nothing started. */
function runWith(runDemo: () => Promise<boolean>): Promise<number> {
  const openEnvironment = async () => environment as unknown as Environment;
  return runSandbox(
    { once: true },
    { openEnvironment, runDemo, stopAll: async () => {}, waitForShutdown: () => new Promise<void>(() => {}) },
  );
}

it('shows the whole log of the functions when a step did not come out as promised', async () => {
  expect(await runWith(async () => false)).toBe(1);
  expect(shown).toContain(`see the lines marked ✗.${LOG}`);
});

it('shows it when the story breaks off, and lets the failure through', async () => {
  await expect(
    runWith(async () => {
      throw new Error('curl is not there');
    }),
  ).rejects.toThrow('curl is not there');
  expect(shown).toContain(LOG);
});

it('shows none of it when all went well', async () => {
  expect(await runWith(async () => true)).toBe(0);
  expect(shown).not.toContain('{"line"');
});
