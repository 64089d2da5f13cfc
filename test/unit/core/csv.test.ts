// Lines of a CSV file: what a spreadsheet takes for a formula is text.

import { describe, expect, it } from 'vitest';
import { csvLine } from '../../../shared/core/csv.ts';

describe('a cell', () => {
  it.each([
    '=1',
    '+1',
    '-1',
    '@x',
    '\t=1',
    ' =1',
    '\u200b=1',
    '\ufeff=1',
    '\u00a0=1',
    '\x00=1',
    '\u200e=1',
    '\u061c\u200b =1',
    '\uff1d1',
  ])('is text where a spreadsheet may take it for a formula: %j', (text) => {
    expect(csvLine([text])).toBe(`'${text}\r\n`);
  });

  it.each(['main', 'a=1', '\u200bmain', "it's", ''])('is as it was where it may not: %j', (text) => {
    expect(csvLine([text])).toBe(`${text}\r\n`);
  });

  it('is a number where it is one, and quoted where a comma would end it', () => {
    expect(csvLine([-1, 'a,b', 'a"b', null])).toBe('-1,"a,b","a""b",\r\n');
  });
});
