// The list of mutations stays true to the code: each can be made, and the tests that must notice are there.

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyEdits, editsByFile } from '../../tools/mutation/mutation.ts';
import { MUTATIONS } from '../../tools/mutation/mutations.ts';
import { projectOf } from '../../tools/mutation/test-run.ts';

describe('each mutation', () => {
  it.each(MUTATIONS.map((mutation) => [mutation.id, mutation] as const))(
    'finds the text that it replaces exactly once, and changes it: %s',
    (_, mutation) => {
      for (const [file, edits] of editsByFile(mutation)) {
        const text = readFileSync(file, 'utf8');
        expect(applyEdits(text, edits)).not.toBe(text);
      }
    },
  );

  it.each(MUTATIONS.map(({ id, killers }) => [id, killers] as const))('names tests that exist: %s', (_, killers) => {
    expect(killers.length).toBeGreaterThan(0);
    for (const file of killers) {
      expect(existsSync(file), file).toBe(true);
      expect(() => projectOf(file)).not.toThrow();
    }
  });

  it('has an id of its own', () => {
    const ids = MUTATIONS.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
    expect(ids.filter((id) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id))).toEqual([]);
  });
});

describe('edits', () => {
  const edit = (find: string, replace: string) => ({ file: 'a.ts', find, replace });

  it('are made in the original text, whatever their order', () => {
    expect(applyEdits('one two', [edit('two', 'one'), edit('one', '1')])).toBe('1 one');
  });

  it.each([
    ['is not there', [edit('three', '')], 'a.ts has 0 times, not once: "three"'],
    ['is there twice', [edit('t', '')], 'a.ts has 2 times, not once: "t"'],
    ['is empty', [edit('', 'x')], 'a.ts has'],
    ['is changed by another', [edit('one t', ''), edit('two', '')], 'a.ts: two edits overlap'],
  ])('fail when their text %s', (_, edits, message) => {
    expect(() => applyEdits('one two thing', edits)).toThrow(message);
  });
});
