// The inputs that the fuzzers kept hold what each target says. `npm run fuzz` looks for others.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCorpus } from '../../tools/fuzz/corpus.ts';
import { PLANTED } from '../../tools/fuzz/planted.ts';
import { loadTarget, TARGETS } from '../../tools/fuzz/target.ts';

describe('the corpus of', () => {
  it.each(TARGETS)('%s holds its claim', async (name) => {
    const target = await loadTarget(name);
    const inputs = [...target.seeds.map((text) => Buffer.from(text)), ...readCorpus(name).map(({ input }) => input)];
    for (const input of inputs) await target.run(input);
    expect(inputs.length).toBeGreaterThan(1);
  });
});

it('a mistake that the fuzzers must find can be made', () => {
  for (const { target, file, find } of PLANTED) {
    expect(TARGETS).toContain(target);
    expect(readFileSync(file, 'utf8').split(find)).toHaveLength(2);
  }
});
