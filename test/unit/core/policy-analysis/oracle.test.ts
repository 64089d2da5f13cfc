// The policy analysis answers as trying everything does, for random rules and paths over few letters. A longer run is in
// oracle.deep.ts.

import { describe, expect, it } from 'vitest';
import { compareDocuments, compareRules } from '../../../fixtures/policy-oracle/compare.ts';

const SEED = 20261130;

describe('random rules', () => {
  it('match the jobs that trying all of them finds', () => {
    const answers = compareRules(3000, SEED);
    for (const count of Object.values(answers)) expect(count).toBeGreaterThan(200);
  });
});

describe('random paths', () => {
  it('open the documents that trying all of them finds', () => {
    const { inside, outside } = compareDocuments(3000, SEED);
    expect(inside).toBeGreaterThan(200);
    expect(outside).toBeGreaterThan(200);
  });
});
