import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GLOBSTAR, isWildcardOnly, matchesPattern, STAR, toParts } from '../../../../shared/core/policy/pattern.ts';

describe('a pattern', () => {
  it.each([
    ['main', 'main'],
    ['release/*', 'release/1.2'],
    ['release/*', 'release/'],
    ['release/**', 'release/1/2'],
    ['*', ''],
    ['*', 'main'],
    ['**', ''],
    ['**', 'a/b/c'],
    ['**', 'line\nbreak'],
    ['*/*', 'a/b'],
    ['**/hotfix', 'team/a/hotfix'],
    ['**/hotfix', '/hotfix'],
    ['v*.*', 'v1.2.3'],
    ['v*', 'v'],
    ['a*b*c', 'abbc'],
    ['a***b', 'a/x/b'],
    ['a**', 'a'],
    ['feature/*-done', 'feature/x-done-done'],
    ['ünïcode-*', 'ünïcode-✓'],
    ['*', '😀'],
    ['a.c', 'a.c'],
    ['[ab]?+(x)|^$\\', '[ab]?+(x)|^$\\'],
  ])('%j matches %j', (pattern, value) => {
    expect(matchesPattern(pattern, value)).toBe(true);
  });

  it.each([
    ['main', 'xmain'],
    ['main', 'mainx'],
    ['main', 'main\n'],
    ['main', '\nmain'],
    ['main', 'x\nmain\nx'],
    ['main', 'main\r\n'],
    ['main', 'Main'],
    ['main', ' main'],
    ['main', ''],
    ['', 'main'],
    ['main|develop', 'main'],
    ['main|develop', 'develop'],
    ['main|develop', 'xdevelop'],
    ['main|develop', 'mainx'],
    ['^main$', 'main'],
    ['mai[n]', 'main'],
    ['mai?', 'main'],
    ['.*', 'main'],
    ['main\\', 'main'],
    ['\\*', '*'],
    ['release/*', 'release/1/2'],
    ['release/*', 'xrelease/1'],
    ['release/*', 'release'],
    ['*', 'a/b'],
    ['*', '/'],
    ['*/*', 'a/b/c'],
    ['*/*', 'ab'],
    ['**/hotfix', 'hotfix'],
    ['**/hotfix', 'team/hotfix2'],
    ['v*.*', 'v1'],
    ['a.c', 'abc'],
    ['a*', 'ba'],
    ['*a', 'ab'],
    ['e\u0301', '\u00e9'],
  ])('%j does not match %j', (pattern, value) => {
    expect(matchesPattern(pattern, value)).toBe(false);
  });

  const piece = fc.constantFrom('a', 'b', '/', '.', '*', '**', '|', '$', '\n', '\\', '😀', 'ab');
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

  it('means the same as the regular expression built from its escaped parts', () => {
    const oracle = (pattern: string, value: string) => {
      const source = pattern
        .split(/(\*+)/u)
        .map((part) => (part === '*' ? '[^/]*' : part.startsWith('*') ? '[^]*' : part.replace(/[^\w\s]/gu, escaped)))
        .join('');
      return new RegExp(`^(?:${source})$`, 'u').test(value);
    };
    const escaped = (character: string) => `\\u{${character.codePointAt(0)?.toString(16)}}`;
    let matched = 0;
    fc.assert(
      fc.property(text, text, fc.boolean(), (pattern, other, fill) => {
        const value = fill ? pattern.replace(/\*+/g, other) : other;
        if (oracle(pattern, value)) matched += 1;
        expect(matchesPattern(pattern, value)).toBe(oracle(pattern, value));
      }),
      { numRuns: 3_000 },
    );
    expect(matched).toBeGreaterThan(300);
  });

  it('without a wildcard matches itself and nothing else', () => {
    const plain = text.map((value) => value.replaceAll('*', ''));
    fc.assert(
      fc.property(plain, plain, (pattern, value) => {
        expect(matchesPattern(pattern, pattern)).toBe(true);
        expect(matchesPattern(pattern, value)).toBe(pattern === value);
      }),
    );
  });

  it('never matches less when * becomes **', () => {
    fc.assert(
      fc.property(text, text, (pattern, value) => {
        if (matchesPattern(pattern, value)) expect(matchesPattern(pattern.replace(/\*+/g, '**'), value)).toBe(true);
      }),
    );
  });

  it.each([
    ['**a'.repeat(85), `${'a'.repeat(1023)}b`],
    ['*a'.repeat(128), `${'a'.repeat(1023)}b`],
    [`${'*'.repeat(255)}b`, 'a'.repeat(1024)],
    ['a*'.repeat(128), 'a'.repeat(1024)],
  ])('that would never end in a backtracking matcher is decided at once: %#', (pattern, value) => {
    // A matcher that backtracks needs more steps here than there is time; one that does not needs some hundred thousand.
    expect(matchesPattern(pattern, value)).toBe(pattern.endsWith('*'));
  });
});

it('the parts of a pattern are characters and wildcards, and no two wildcards are neighbours', () => {
  expect(toParts('a*😀**')).toEqual(['a', STAR, '😀', GLOBSTAR]);
  expect(toParts('***b****')).toEqual([GLOBSTAR, 'b', GLOBSTAR]);
});

describe('a pattern of wildcards and slashes only', () => {
  it.each(['*', '**', '***', '**/*', '*/**', '/', ''])('is %j', (pattern) => {
    expect(isWildcardOnly(pattern)).toBe(true);
  });

  it.each(['a', 'a*', '*a*', '**/x', '*-*', ' ', '.'])('is not %j', (pattern) => {
    expect(isWildcardOnly(pattern)).toBe(false);
  });
});
