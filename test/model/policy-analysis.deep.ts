// The policy analysis against trying everything, at length: a million pairs of lists of rules, and a million pairs of lists of paths.

import { describe, expect, it } from 'vitest';
import { compareDocuments, compareRules } from '../fixtures/policy-oracle/compare.ts';

const SEED = Number(process.env.POLICY_ANALYSIS_SEED ?? 1);
const [PAIRS, PARTS] = [1_000_000, 20];
const MINUTES = 60;

describe.each(Array.from({ length: PARTS }, (_, part) => SEED * 1000 + part))('with the seed %i', (seed) => {
  it('random rules match the jobs that trying all of them finds', { timeout: MINUTES * 60_000 }, () => {
    const answers = compareRules(PAIRS / PARTS, seed);
    for (const count of Object.values(answers)) expect(count).toBeGreaterThan(PAIRS / PARTS / 20);
  });

  it('random paths open the documents that trying all of them finds', { timeout: MINUTES * 60_000 }, () => {
    const { inside, outside } = compareDocuments(PAIRS / PARTS, seed);
    expect(Math.min(inside, outside)).toBeGreaterThan(PAIRS / PARTS / 50);
  });
});
