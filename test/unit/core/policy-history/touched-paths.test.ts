// Paths that cover what was touched, and no more than the entry of `allow` that opened it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentPathProblem } from '../../../../shared/core/policy/document-path.ts';
import { touchOutside } from '../../../../shared/core/policy-analysis/documents.ts';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { Work } from '../../../../shared/core/policy-analysis/work.ts';
import type { DocumentTouch } from '../../../../shared/core/policy-history/document-touches.ts';
import { covers, TouchedPaths } from '../../../../shared/core/policy-history/touched-paths.ts';

const touch = (path: string): DocumentTouch => ({
  database: 'd',
  verbs: ['get'],
  path: path.split('/').map((name) => (name === '*' ? null : name)),
});
function pathsOf(entry: string, maxNames: number, touched: readonly string[]): string[] {
  const paths = new TouchedPaths(entry, maxNames);
  for (const path of touched) paths.add(touch(path), undefined);
  return paths.paths().map(({ path }) => path);
}

describe('touched documents', () => {
  it.each([
    ['config/{document=**}', ['config/a', 'config/b'], ['config/a', 'config/b']],
    ['config/{document=**}', ['config/a', 'config/b', 'config/c'], ['config/{document}']],
    ['config/{document=**}', ['config/a', 'config/*'], ['config/{document}']],
    [
      'config/{document=**}',
      ['config/a/x/1', 'config/b/x/2', 'config/c/y/3'],
      ['config/{document}/x/1', 'config/{document}/x/2', 'config/{document}/y/3'],
    ],
    ['users/{user}/files/{file}', ['users/a/files/1', 'users/b/files/1', 'users/c/files/1'], ['users/{user}/files/1']],
    ['config/{document=**}', ['config/a/1/x', 'config/a/2/x', 'config/a/3/x'], ['config/a/{collection}/x']],
    ['config/{document=**}', ['config/a.b', 'config/__x__', 'config/{x}'], ['config/{document}']],
    ['a/{document}', [], []],
  ])('of %s have few names or a wildcard at each place: %j', (entry, touched, paths) => {
    expect(pathsOf(entry, 2, touched)).toEqual(paths);
  });

  it('of a query over collections at any depth need the whole entry', () => {
    const paths = new TouchedPaths('config/{document=**}', 2);
    paths.add(touch('config/a'), 1);
    paths.add({ database: 'd', verbs: ['list'], path: ['config', 'a'], isGroup: true }, 2);
    expect(paths.paths()).toEqual([{ path: 'config/{document=**}', use: { count: 2, first_at: 1, last_at: 2 } }]);
  });

  it('are covered by valid paths within the entry', () => {
    const entries = ['config/{document=**}', 'config/{a}', 'config/{a}/x/{b}', 'config/b/{c=**}'];
    const name = fc.constantFrom('a', 'b', 'c', 'x', '*', 'd.e', '{a}');
    const documents = fc
      .array(fc.tuple(name, fc.constantFrom('x', 'y', 'z')), { maxLength: 2 })
      .chain((below) => name.map((last) => `config/${below.flat().concat(last).join('/')}`));
    fc.assert(
      fc.property(
        fc.constantFrom(...entries),
        fc.array(documents),
        fc.integer({ min: 1, max: 3 }),
        (entry, all, maxNames) => {
          const touched = all.filter((path) => covers(entry, touch(path)));
          const paths = pathsOf(entry, maxNames, touched);
          for (const path of paths) expect(documentPathProblem(path)).toBeUndefined();
          for (const path of touched) expect(paths.some((one) => covers(one, touch(path)))).toBe(true);
          const allow = (listed: readonly string[]) => listed.map((path) => ({ path, verbs: ['get' as const] }));
          const tools = { finder: new TextFinder(), work: new Work() };
          expect(touchOutside(allow(paths), allow([entry]), tools)).toBeUndefined();
        },
      ),
      { seed: 20261130, numRuns: 500 },
    );
  });

  it.each([
    ['config/{document=**}', 'config/a/b/c', true],
    ['config/{document}', 'config/a', true],
    ['config/{document}', 'config/*', true],
    ['config/release', 'config/*', false],
    ['config/{document}', 'config/a/b/c', false],
    ['config/a/{rest=**}', 'config/a', true],
    ['other/{document}', 'config/a', false],
  ])('of %s: %s is %s', (entry, path, covered) => {
    expect(covers(entry, touch(path))).toBe(covered);
  });
});
