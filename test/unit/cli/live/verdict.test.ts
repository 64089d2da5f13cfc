// What a series of requests shows: the last acceptance, flips, and the rejections in a row that end a trial.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  acceptancesAtEnd,
  type Observation,
  type Outcome,
  rejectionsAtEnd,
  verdictOf,
} from '../../../../cli/live/verdict.ts';

const SEED = 20261130;
const LETTERS: Readonly<Record<string, Outcome>> = { a: 'accepted', r: 'rejected', e: 'error', p: 'pending' };

/** A request each 200 ms from time 0, by a letter each; spaces are for the reader. */
function observe(written: string): Observation[] {
  const letters = [...written.replaceAll(' ', '')];
  return letters.map((letter, at) => ({ sentAt: at * 200, outcome: LETTERS[letter] ?? 'error' }));
}

const RELEASE = { sentAt: 1000, respondedAt: 1300 };

describe('a verdict', () => {
  it.each([
    // The release is sent with the sixth request.
    ['aaaaa rrr', { outcome: 'ended', lastAcceptedMs: 0, lastAcceptedFromSendingMs: 0, flips: 0, nextRejectedMs: 0 }],
    ['aaaaa arrr', { outcome: 'ended', lastAcceptedMs: 0, lastAcceptedFromSendingMs: 0, nextRejectedMs: 0 }],
    ['aaaaa aaaarrr', { outcome: 'ended', lastAcceptedMs: 300, lastAcceptedFromSendingMs: 600, nextRejectedMs: 500 }],
    ['aaaaa aaarrarrr', { outcome: 'ended', lastAcceptedMs: 700, flips: 1, nextRejectedMs: 900 }],
    ['aaaaa rarararrr', { outcome: 'ended', lastAcceptedMs: 700, flips: 3 }],
    ['aaaaa rr', { outcome: 'undecided', lastAcceptedMs: 0 }],
    ['aaaaa rrra', { outcome: 'still_accepted', flips: 1, nextRejectedMs: undefined }],
    ['aaaaa aaaa', { outcome: 'still_accepted', flips: 0, watchedMs: 300 }],
    ['aaaaa eeee', { outcome: 'undecided', accepted: 0, rejected: 0, errors: 4 }],
    ['aaaaa rreer', { outcome: 'ended', rejected: 3, errors: 2, flips: 0 }],
    ['aaaaa aaee', { outcome: 'still_accepted', lastAcceptedFromSendingMs: 200, errors: 2 }],
    ['aaaaa', { outcome: 'undecided', accepted: 0, watchedMs: 0 }],
    ['rrrrr', { outcome: 'undecided', rejected: 0 }],
  ])('of %s', (written, expected) => {
    expect(verdictOf(observe(written), RELEASE, 3)).toMatchObject(expected);
  });

  it('counts what was never answered as an error', () => {
    expect(verdictOf(observe('aaaaa rrp'), RELEASE, 2)).toMatchObject({ outcome: 'ended', rejected: 2, errors: 1 });
  });

  const series = fc.array(fc.constantFrom<Outcome>('accepted', 'rejected', 'error'), { maxLength: 60 });
  const toObservations = (outcomes: readonly Outcome[]) =>
    outcomes.map((outcome, at) => ({ sentAt: RELEASE.sentAt + at * 200, outcome }));

  it('agrees with a reading of the series one by one', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(series, fc.integer({ min: 1, max: 6 }), (outcomes, inARow) => {
        const expected = { last: -1, flips: 0, run: 0 };
        let before: Outcome | undefined;
        for (const [at, outcome] of outcomes.entries()) {
          if (outcome === 'error') continue;
          if (outcome === 'accepted') expected.last = at;
          if (outcome === 'accepted' && before === 'rejected') expected.flips += 1;
          expected.run = outcome === 'rejected' ? expected.run + 1 : 0;
          before = outcome;
        }
        const verdict = verdictOf(toObservations(outcomes), RELEASE, inARow);
        expect(verdict.lastAcceptedFromSendingMs).toBe(Math.max(0, expected.last) * 200);
        expect(verdict.flips).toBe(expected.flips);
        expect(verdict.outcome === 'ended').toBe(expected.run >= inARow);
        expect(verdict.outcome === 'still_accepted').toBe(before === 'accepted');
        expect(verdict.accepted + verdict.rejected + verdict.errors).toBe(outcomes.length);
        seen.add(verdict.outcome);
      }),
      { seed: SEED, numRuns: 1000 },
    );
    expect([...seen].sort()).toEqual(['ended', 'still_accepted', 'undecided']);
  });

  it('is the same, but for its errors, with errors anywhere between', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 1, max: 6 }), (outcomes, inARow) => {
        const all = toObservations(outcomes);
        const judged = all.filter(({ outcome }) => outcome !== 'error');
        const { errors, watchedMs, ...verdict } = verdictOf(all, RELEASE, inARow);
        expect(verdictOf(judged, RELEASE, inARow)).toMatchObject(verdict);
        expect(errors).toBe(all.length - judged.length);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('never has a later end than the next rejection', () => {
    fc.assert(
      fc.property(series, (outcomes) => {
        const { lastAcceptedMs, nextRejectedMs = Number.POSITIVE_INFINITY } = verdictOf(
          toObservations(outcomes),
          RELEASE,
          1,
        );
        expect(lastAcceptedMs).toBeLessThanOrEqual(nextRejectedMs);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});

it.each([
  ['', 0, 0],
  ['aarr', 2, 0],
  ['arerp', 2, 0],
  ['rra', 0, 1],
  ['raaap', 0, 3],
  ['aaea', 0, 1],
])('%s ends with %i rejections and %i acceptances', (written, rejections, acceptances) => {
  expect([rejectionsAtEnd(observe(written)), acceptancesAtEnd(observe(written))]).toEqual([rejections, acceptances]);
});
