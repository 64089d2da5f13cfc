// The bound of questions, and texts that are too long for a claim.

import { describe, expect, it } from 'vitest';
import { exampleOf } from '../../../../shared/core/policy-analysis/claim-values.ts';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { CannotTell, Work, WorkTogether } from '../../../../shared/core/policy-analysis/work.ts';

describe('a question', () => {
  it('ends when its steps are used up', () => {
    const work = new Work(10);
    expect(() => work.spend(10)).not.toThrow();
    expect(() => work.spend()).toThrow(CannotTell);
  });

  it('leaves few steps to those after it', () => {
    const together = new WorkTogether(1_000_000);
    expect(() => together.next().spend(1_000_000)).not.toThrow();
    expect(() => together.next().spend(1_000_000)).toThrow(CannotTell);
    expect(() => together.next().spend(1000)).not.toThrow();
  });
});

describe('many questions', () => {
  const MANY = 10_000;

  it('have a bound together, which grows by little with their number', () => {
    const together = new WorkTogether(1_000_000);
    for (let count = 0; count < MANY; count += 1) {
      const work = together.next();
      expect(() => {
        for (;;) work.spend(100);
      }).toThrow(CannotTell);
    }
    expect(together.spent).toBeGreaterThan(2_000_000);
    expect(together.spent).toBeLessThan(2_000_000 + MANY * 1101);
    expect(() => together.next().spend(1000)).not.toThrow();
  });

  it('leave the others what they need when they are easy', () => {
    const together = new WorkTogether(1_000_000);
    for (let count = 0; count < MANY; count += 1) together.next().spend(10);
    expect(() => together.next().spend(800_000)).not.toThrow();
    expect(together.spent).toBe(MANY * 10 + 800_000);
  });

  it('have at most the steps of one question each', () => {
    expect(() => new WorkTogether(1_000_000, 100_000).next().spend(100_000)).not.toThrow();
    expect(() => new WorkTogether(1_000_000, 100_000).next().spend(100_001)).toThrow(CannotTell);
  });
});

describe('a text', () => {
  it('is no example for a claim whose values are shorter, although it is for another', () => {
    const finder = new TextFinder();
    const values = {
      absent: false,
      within: [[`${'y'.repeat(70)}*`, `${'z'.repeat(70)}*`]],
      without: [`${'y'.repeat(70)}*`],
    };
    const tools = () => ({ finder, work: new Work() });
    const crossing = { ...values, within: [...values.within, ['*w*']] };
    expect(exampleOf('step_key', crossing, tools())).toMatch(/^z{70}.*w/);
    expect(() => exampleOf('build_source', crossing, tools())).toThrow(CannotTell);
  });
});
