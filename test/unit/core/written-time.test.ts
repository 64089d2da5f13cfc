import { describe, expect, it } from 'vitest';
import { parseTime, parseTimeOrPeriod } from '../../../shared/core/written-time.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');

describe('a written time', () => {
  it.each([
    ['30d', '2026-10-31T12:00:00Z'],
    ['12h', '2026-11-30T00:00:00Z'],
    ['4w', '2026-11-02T12:00:00Z'],
    ['2026-11-01', '2026-11-01T00:00:00Z'],
    ['2027-11-01', '2027-11-01T00:00:00Z'],
    ['2026-11-01T08:30Z', '2026-11-01T08:30:00Z'],
    ['2026-11-01T08:30:00Z', '2026-11-01T08:30:00Z'],
    ['2026-11-01T00:30:00.5+01:00', '2026-10-31T23:30:00.500Z'],
  ])('%s is %s', (text, time) => {
    expect(parseTimeOrPeriod(text, NOW)).toBe(Date.parse(time));
  });

  it.each([
    '',
    '30',
    '0d',
    '30m',
    '2026-13-01',
    '2026-02-30',
    '2026-02-30T08:00:00Z',
    '1 November',
    '2026-11-01T08:30:00',
  ])('is not %j', (text) => {
    expect(parseTimeOrPeriod(text, NOW)).toBeUndefined();
  });

  it('is no period where none is meant', () => {
    expect(parseTime('30d')).toBeUndefined();
  });
});
