// A log is split into the same entries wherever its pieces are cut.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSplitter, type JsonText } from '../../../../shared/core/policy-history/json-texts.ts';

function split(text: string, lengths: readonly number[] = [], maxLength?: number): JsonText[] {
  const splitter = createSplitter(maxLength);
  const found: JsonText[] = [];
  let start = 0;
  for (const length of lengths) {
    found.push(...splitter.push(text.slice(start, start + length)));
    start += length;
  }
  return [...found, ...splitter.push(text.slice(start)), ...splitter.end()];
}
const valuesOf = (texts: readonly JsonText[]) =>
  texts.map(({ text }) => (text === undefined ? undefined : JSON.parse(text)));

const entry = fc.record({ event: fc.string(), more: fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' })) });
const FORMS: Readonly<Record<string, (entries: readonly unknown[]) => string>> = {
  'JSON lines': (entries) => entries.map((one) => `${JSON.stringify(one)}\n`).join(''),
  'JSON lines without the last line end': (entries) => entries.map((one) => JSON.stringify(one)).join('\r\n'),
  'an array': (entries) => JSON.stringify(entries),
  'an array over several lines': (entries) => `\ufeff${JSON.stringify(entries, null, 2)}\n`,
  'objects over several lines': (entries) => entries.map((one) => `${JSON.stringify(one, null, 4)}\n`).join(''),
};

describe('a log is split into its entries', () => {
  it.each(Object.entries(FORMS))('%s', (_, write) => {
    fc.assert(
      fc.property(fc.array(entry), fc.array(fc.integer({ min: 1, max: 40 })), (entries, lengths) => {
        expect(valuesOf(split(write(entries), lengths))).toEqual(JSON.parse(JSON.stringify(entries)));
      }),
      { seed: 20261130, numRuns: 300 },
    );
  });

  it('each with the line on which it begins', () => {
    expect(split('{"a":1}\n\n{"b":2}\n').map(({ line }) => line)).toEqual([1, 3]);
    expect(split('[\n  {\n    "a": 1\n  },\n  {\n    "b": 2\n  }\n]\n').map(({ line }) => line)).toEqual([2, 5]);
  });

  it('also a long array on one line', () => {
    const entries = Array.from({ length: 20_000 }, (_, nth) => ({ nth, text: 'x'.repeat(50) }));
    expect(split(JSON.stringify(entries), Array(30).fill(65_536))).toHaveLength(20_000);
  });

  it('and a broken line harms no other', () => {
    expect(split('{"a":1}\n{"a":"\n{"a":3}\n').map(({ text }) => text)).toEqual(['{"a":1}', '{"a":"', '{"a":3}']);
  });

  it('and the end of a file that was cut off is none', () => {
    expect(split('[\n{"a":1},\n{"a":').map(({ text }) => text)).toEqual(['{"a":1}', undefined]);
    expect(split('[\n{"a":"x\n"},\n{"b":2}]').map(({ text }) => text)).toEqual([undefined, '{"b":2}']);
  });

  it.each([
    ['lines', (long: string) => `{"a":1}\n{"b":"${long}"}\n{"c":3}\n`],
    ['an array', (long: string) => `[{"a":1},{"b":"${long}"},{"c":3}]`],
  ])('and one that is too long is none, in %s', (_, write) => {
    const text = write('x'.repeat(100));
    for (const lengths of [[], [10, 30, 30, 30], Array(120).fill(1)])
      expect(split(text, lengths, 50).map((one) => one.text)).toEqual(['{"a":1}', undefined, '{"c":3}']);
  });
});
