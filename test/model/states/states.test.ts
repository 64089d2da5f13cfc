// A bounded search over every state: no invariant is broken, and a search with one broken transition finds what that breaks. At length:
// `npm run states`.

import { describe, expect, it } from 'vitest';
import { MISTAKES, withMistake } from './broken.ts';
import { SMALL } from './scenarios.ts';
import { search } from './search.ts';

describe('every state within small bounds', () => {
  it.each(SMALL)('keeps every invariant: $name', (bounds) => {
    const result = search(bounds);
    expect(result).toMatchObject({ complete: true, counterexample: undefined });
    expect(result.states).toBeGreaterThan(4_000);
    expect(result.drained).toBeGreaterThan(100);
  });
});

describe('a broken transition', () => {
  it.each(MISTAKES)('is found: $mistake', (mistake) => {
    const { counterexample } = search(mistake.bounds, { transitions: withMistake(mistake), most: 100_000 });
    const { invariant, text } = mistake;
    expect(counterexample).toMatchObject({ invariant, text });
    expect(counterexample?.history.length).toBeGreaterThan(1);
  });
});
