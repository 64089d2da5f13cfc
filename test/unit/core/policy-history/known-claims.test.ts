// What an event says of a claim, and what it does not.

import { describe, expect, it } from 'vitest';
import { claimsOfEvent } from '../../../../shared/core/policy-history/known-claims.ts';

const LONG = 'x'.repeat(256);

describe('a claim of an event', () => {
  it.each<[string, unknown, boolean, string | null | undefined]>([
    ['has its value', 'main', false, 'main'],
    ['has a number as text', 7, false, '7'],
    ['is not in the token when a whole line lacks it', undefined, false, null],
    ['is not known when a cut line lacks it', undefined, true, undefined],
    ['is not known when the logger wrote something else for a part of it', 'release/[token]', false, undefined],
    ['is not known when a cut line has its beginning', LONG, true, undefined],
    ['has a long value in a whole line', LONG, false, LONG],
  ])('%s', (_, value, truncated, expected) => {
    expect(claimsOfEvent({ build_branch: value }, truncated).get('build_branch')).toBe(expected);
  });
});
