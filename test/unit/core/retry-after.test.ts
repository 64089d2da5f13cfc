import { describe, expect, it } from 'vitest';
import { LONGEST_RETRY_AFTER, parseRetryAfter } from '../../../shared/core/retry-after.ts';

const NOW = Date.UTC(2026, 10, 24, 10);

describe('Retry-After', () => {
  it.each([
    ['37', 37],
    ['0', 1],
    ['301', LONGEST_RETRY_AFTER],
    ['999999999', LONGEST_RETRY_AFTER],
    ['Tue, 24 Nov 2026 10:01:30 GMT', 90],
    ['Tue, 24 Nov 2026 10:05:01 GMT', LONGEST_RETRY_AFTER],
    ['Tue, 24 Nov 2026 09:00:00 GMT', 1],
  ])('is read as seconds or as a date, from 1 to 300: %s', (header, seconds) => {
    expect(parseRetryAfter(header, NOW)).toBe(seconds);
  });

  it('is rounded up to a whole second', () => {
    expect(parseRetryAfter('Tue, 24 Nov 2026 10:01:30 GMT', NOW + 500)).toBe(90);
  });

  it.each([
    null,
    '',
    '-1',
    '1.5',
    '1e3',
    ' 5',
    '9999999999',
    'soon',
    '2026-11-24T10:01:30Z',
    'Tue, 99 Nov 2026 10:00:00 GMT',
    'Tue, 31 Nov 2026 10:00:00 GMT',
    'Tue, 24 Nov 2026 10:01:80 GMT',
    '(x) Tue, 24 Nov 2026 10:01:30 GMT',
    'Tue, 24 Nov 2026 10:01:30 GMT+0100',
  ])('says nothing when it is malformed or absent: %j', (header) => {
    expect(parseRetryAfter(header, NOW)).toBeUndefined();
  });
});
