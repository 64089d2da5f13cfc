// A test for each mistake: a history must object to it.

import { expect, it } from 'vitest';
import { checkHistories } from '../history.ts';
import type { Mistake } from './mistakes.ts';

/** @param histories that are played at most */
export function expectObjections(mistakes: readonly Mistake[], histories: number): void {
  it.each(mistakes)('histories of people object where %s', async (_, alter, objection) => {
    const { failure } = await checkHistories({
      focus: 'people',
      histories,
      seed: 20260107,
      path: undefined,
      replayPath: undefined,
      shrink: false,
      alter,
    });
    expect(failure?.split('\n')[0] ?? 'no history objected').toMatch(objection);
  });
}
