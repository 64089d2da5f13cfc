// A diff is applied by `patch`, whatever the texts are.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { unifiedDiff } from '../../../shared/core/unified-diff.ts';

const lines = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 }), fc.boolean())
  .map(([all, ended]) => all.join('\n') + (ended && all.length > 0 ? '\n' : ''));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-diff-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is what git apply makes of the first text the second from', () => {
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const diff = unifiedDiff(before, after, ['a/file', 'b/file']);
      if (before === after) {
        expect(diff).toBe('');
        return;
      }
      writeFileSync(join(folder, 'file'), before);
      execFileSync('git', ['apply', '--unidiff-zero', '-'], { cwd: folder, input: diff });
      expect(readFileSync(join(folder, 'file'), 'utf8')).toBe(after);
    }),
    {
      seed: 20261130,
      numRuns: 60,
      examples: [
        ['a\nb\n', 'a\nb'],
        ['', 'a\n'],
        ['a\n', 'a\nb\n'],
      ],
    },
  );
});

it('shows three lines around a change, and no others', () => {
  const before = Array.from({ length: 20 }, (_, index) => `line ${index + 1}\n`).join('');
  expect(unifiedDiff(before, before.replace('line 10\n', 'line ten\n'), ['old', 'new'])).toBe(
    '--- old\n+++ new\n@@ -7,7 +7,7 @@\n line 7\n line 8\n line 9\n-line 10\n+line ten\n line 11\n line 12\n line 13\n',
  );
});
