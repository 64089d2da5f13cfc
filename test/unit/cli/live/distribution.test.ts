import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { distributionOf } from '../../../../cli/live/distribution.ts';

it.each([
  [[], undefined],
  [[4], { count: 1, min: 4, median: 4, p95: 4, max: 4 }],
  [[3, 1, 2, 10], { count: 4, min: 1, median: 2, p95: 10, max: 10 }],
  [Array.from({ length: 40 }, (_, at) => 40 - at), { count: 40, min: 1, median: 20, p95: 38, max: 40 }],
])('of %j', (values, expected) => {
  expect(distributionOf(values)).toEqual(expected);
});

it('has values that were measured, in order, with enough of them below each', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1 }), (values) => {
      const { min, median, p95, max } = distributionOf(values) ?? { min: -1, median: -1, p95: -1, max: -1 };
      for (const figure of [min, median, p95, max]) expect(values).toContain(figure);
      expect([min, median, p95, max]).toEqual([min, median, p95, max].sort((left, right) => left - right));
      const share = (figure: number) => values.filter((value) => value <= figure).length / values.length;
      expect(share(median)).toBeGreaterThanOrEqual(0.5);
      expect(share(p95)).toBeGreaterThanOrEqual(0.95);
      expect(share(max)).toBe(1);
    }),
    { seed: 20261130 },
  );
});
