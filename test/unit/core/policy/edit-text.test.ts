// Edits of a policy's text change what they name, and nothing else: neither comments nor layout.

import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { applyEdits, removeEntries, replaceEntry, replaceList } from '../../../../shared/core/policy/edit-text.ts';

const TEXT = `# top
rules:
  - name: one   # first
    grants: [a, b, c]
  # about two
  # and more
  - name: two
    grants:
      - a
      - b # why

  - { name: three, grants: [ "x", y ] }
names: { a: 1, "b": 2, c: 3 }
map:
  first: 1
  # of second
  second:
    deep: [1]
  third: 3
`;
const source = (text = TEXT) => ({ text, contents: parseDocument(text).contents });
const edited = (edits: ReturnType<typeof removeEntries>) => (edits ? applyEdits(TEXT, edits) : undefined);

describe('the edit of a policy file', () => {
  it.each([
    ['an entry of a list in brackets', ['rules', 0, 'grants'], [1], ['[a, b, c]', '[a, c]']],
    ['the last entries of one', ['rules', 0, 'grants'], [1, 2], ['[a, b, c]', '[a]']],
    ['the first and the last of one', ['rules', 0, 'grants'], [0, 2], ['[a, b, c]', '[b]']],
    ['one with spaces', ['rules', 2, 'grants'], [0], ['[ "x", y ]', '[ y ]']],
    ['an entry of a list in lines', ['rules', 1, 'grants'], [1], ['      - b # why\n', '']],
    [
      'a rule with its comments',
      ['rules'],
      [1],
      [TEXT.slice(TEXT.indexOf('  # about'), TEXT.indexOf('\n  - { name')), ''],
    ],
    ['the last of a list', ['rules'], [2], ['  - { name: three, grants: [ "x", y ] }\n', '']],
    ['keys of a map in braces', ['names'], ['a', 'b'], ['{ a: 1, "b": 2, c: 3 }', '{ c: 3 }']],
    ['a key of a map in lines', ['map'], ['second'], ['  # of second\n  second:\n    deep: [1]\n', '']],
  ])('removes %s', (_, path, entries, [before, now]) => {
    expect(TEXT).toContain(before);
    expect(edited(removeEntries(source(), path, entries))).toBe(TEXT.replace(before ?? '', now ?? ''));
  });

  it.each([
    ['rules', 0, 'grants', 0, '[a, b, c]', '[{ p: 1 }, { p: 2 }, b, c]'],
    ['rules', 1, 'grants', 0, '      - a\n', '      - { p: 1 }\n      - { p: 2 }\n'],
  ])('replaces an entry by two: %s %s', (...[one, two, three, position, before, now]) => {
    const edits = replaceEntry(source(), [one, two, three], position, ['{ p: 1 }', '{ p: 2 }']);
    expect(edited(edits)).toBe(TEXT.replace(before, now));
  });

  it('replaces a whole list', () => {
    expect(edited(replaceList(source(), ['rules', 2, 'grants'], ['p', 'q', 'r']))).toBe(
      TEXT.replace('"x", y', 'p, q, r'),
    );
  });

  it.each([
    ['all entries of a list', removeEntries(source(), ['rules', 0, 'grants'], [0, 1, 2])],
    ['what is not there', removeEntries(source(), ['map'], ['fourth'])],
    ['what is no collection', removeEntries(source(), ['map', 'first'], [0])],
    ['an alias', removeEntries(source('a: &x [1, 2]\nb: *x\n'), ['b'], [0])],
    ['an entry with a comment in it', replaceEntry(source(), ['rules'], 0, ['x'])],
    ['an entry whose dash is on another line', removeEntries(source('a:\n  -\n    b: 1\n  - c\n'), ['a'], [0])],
  ])('is none for %s', (_, edits) => {
    expect(edits).toBeUndefined();
  });
});
