// What the sandbox shows when a story went wrong: with --once everything there is, because a machine of a CI keeps no files.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const { playStory } = vi.hoisted(() => ({ playStory: vi.fn<() => Promise<boolean>>() }));
vi.mock('../../sandbox/story.ts', () => ({ playStory }));
vi.mock('../../sandbox/ending.ts', () => ({ timeToEnd: () => Promise.resolve(new Promise(() => {})) }));
vi.mock('../../sandbox/process.ts', () => ({ stopAll: async () => {} }));
vi.mock('../../sandbox/emulators.ts', () => ({ CannotStart: class extends Error {} }));
vi.mock('../../sandbox/playground.ts', () => ({ openPlayground: () => {} }));
const close = vi.fn(async () => {});
vi.mock('../../sandbox/desk.ts', () => ({
  openDesk: async () => ({ close, log: ['{"line":1}', '{"line":2}'], google: { unexpected: [] }, token: { url: '' } }),
}));
const { live } = await import('../../../sandbox/live.ts');

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

it('shows the whole log of the functions when a step did not come out as promised', async () => {
  playStory.mockResolvedValue(false);
  expect(await live({ once: true })).toBe(1);
  expect(shown).toContain(`see the lines marked ✗.${LOG}`);
});

it('shows it when the story breaks off, and lets the failure through', async () => {
  playStory.mockRejectedValue(new Error('curl is not there'));
  await expect(live({ once: true })).rejects.toThrow('curl is not there');
  expect(shown).toContain(LOG);
});

it('shows none of it when all went well', async () => {
  playStory.mockResolvedValue(true);
  expect(await live({ once: true })).toBe(0);
  expect(shown).not.toContain('{"line"');
});
