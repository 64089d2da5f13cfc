// What the sandbox prints when the demo or another play fails: with --once the whole log, because continuous integration keeps no files.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Environment } from '../../../sandbox/environment.ts';
import { runSandbox } from '../../../sandbox/run.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';

const close = vi.fn(async () => {});
const environment = {
  close,
  log: ['{"line":1}', '{"line":2}'],
  google: { unexpected: [], url: '' },
  token: { url: '' },
  webhook: { url: '' },
  sweep: { url: '' },
  reader: { url: '' },
  admin: { url: '' },
  buildkite: { url: '' },
  policy: { teams: {}, identityProviders: {} },
};

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

/** Runs the sandbox with what it plays, and starts nothing. */
function runWith(runPlay: () => Promise<boolean>, play: 'demo' | 'approvals' = 'demo'): Promise<number> {
  const openEnvironment = async () => environment as unknown as Environment;
  const options = { once: true, shell: false, play, policyFile: '', policy: {} as Policy };
  const waitForShutdown = () => new Promise<void>(() => {});
  const issueEach = () => expect.unreachable('something else is played');
  return runSandbox(options, {
    openEnvironment,
    runDemo: play === 'demo' ? runPlay : issueEach,
    runApprovals: play === 'approvals' ? runPlay : issueEach,
    issueEach,
    openShell: issueEach,
    stopAll: async () => {},
    waitForShutdown,
  });
}

it('says nothing about what a run with --once does not wait for', async () => {
  environment.policy = { teams: { web: 'id' }, identityProviders: {} };
  expect(await runWith(async () => true, 'approvals')).toBe(0);
  expect(shown).toContain('Carol is in none\n');
  expect(shown).not.toMatch(/To stop|once an hour/);
});

it('shows the whole log of the functions when a step failed', async () => {
  expect(await runWith(async () => false)).toBe(1);
  expect(shown).toContain(`see the lines marked ✗.${LOG}`);
});

it('shows it when the demo throws, and throws the same error', async () => {
  await expect(
    runWith(async () => {
      throw new Error('curl is not there');
    }),
  ).rejects.toThrow('curl is not there');
  expect(shown).toContain(LOG);
});

it('shows none of it when all steps passed', async () => {
  expect(await runWith(async () => true)).toBe(0);
  expect(shown).not.toContain('{"line"');
  // The file is removed at the end.
  expect(shown).not.toContain('functions.log');
});

it('plays the approvals in place of the demo, with the same exit code', async () => {
  expect(await runWith(async () => true, 'approvals')).toBe(0);
  expect(close).toHaveBeenCalledOnce();
  vi.clearAllMocks();
  expect(await runWith(async () => false, 'approvals')).toBe(1);
  expect(shown).toContain(LOG);
});
