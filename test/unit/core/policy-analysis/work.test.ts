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
