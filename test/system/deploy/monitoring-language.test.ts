// The evaluator of filters is only worth what it refuses: what Google would read otherwise, or not at all, is an error here.

import { describe, expect, it } from 'vitest';
import { parseExtractor, parseLogFilter } from './log-filter.ts';
import { toLogEntry } from './log-filter-entry.ts';

const LINE = {
  severity: 'WARNING',
  message: 'said "so"',
  event: 'a.b',
  count: 5,
  flag: true,
  none: null,
  list: [{ detail: 'one' }, { detail: 'two' }],
  'logging.googleapis.com/labels': { event: 'a.b', reason: 'R' },
};
const entry = toLogEntry(JSON.stringify(LINE), 0);

describe('a filter', () => {
  it.each([
    ['labels.event="a.b"', true],
    ['labels.event="A.B"', true],
    ['labels.event!="a.b"', false],
    ['labels.missing!="a"', false],
    ['NOT labels.missing="a"', true],
    ['jsonPayload.none!="a"', false],
    ['jsonPayload.none<9', false],
    ['jsonPayload.count<9 AND jsonPayload.count>4 AND jsonPayload.count>=5', true],
    ['jsonPayload.event<9', false],
    ['jsonPayload.flag=true', true],
    ['jsonPayload.list.detail="two"', true],
    ['jsonPayload.list.detail:"W"', true],
    ['jsonPayload.message="said \\"so\\""', true],
    ['labels.reason=~"^r$"', false],
    ['labels.reason=~"^[QR]$"', true],
    ['severity>=ERROR', false],
    ['severity>=NOTICE\nseverity=WARNING', true],
    ['labels.event="a" OR labels.event="a.b"', true],
    ['labels.event="a.b" (labels.reason="x" OR NOT labels.reason="x")', true],
  ])('%s: %s', (source, expected) => {
    expect(parseLogFilter(source)(entry)).toBe(expected);
  });

  it.each([
    ['labels.a="1" AND labels.b="2" OR labels.c="3"', 'parentheses'],
    ['labels.a=b', 'quote it'],
    ['labels.a>"b"', 'compares numbers'],
    ['labels.a=~b', 'quote it'],
    ['labels.a!~"b"', 'not understood'],
    ["labels.a='b'", 'not understood'],
    ['labels.a=~"a\\.b"', 'not understood'],
    ['payload.a="b"', 'not a field'],
    ['textPayload:"b"', 'not a field'],
    ['httpRequest.code=5', 'not a field'],
    ['severity>=BAD', 'no severity'],
    ['severity!=ERROR', 'compared by'],
    ['"a"', 'expected more'],
    ['(labels.a="b"', 'expected )'],
    ['labels.a="b")', 'too much'],
    ['', 'expected more'],
    ['sample(insertId, 0.1)', 'not understood'],
  ])('is refused as %s', (source, why) => {
    expect(() => parseLogFilter(source)).toThrow(why);
  });
});

describe('an extractor', () => {
  it.each([
    ['EXTRACT(jsonPayload.count)', '5'],
    ['EXTRACT(jsonPayload.none)', undefined],
    ['EXTRACT(jsonPayload.list.detail)', undefined],
    ['REGEXP_EXTRACT(jsonPayload.message, "said (.*)")', '"so"'],
    ['REGEXP_EXTRACT(jsonPayload.message, "^(so)")', undefined],
  ])('%s finds %s', (source, expected) => {
    expect(parseExtractor(source)(entry)).toBe(expected);
  });

  it.each(['EXTRACT(payload.a)', 'REGEXP_EXTRACT(labels.a, "b")', 'REGEXP_EXTRACT(labels.a, "(b)(c)")', 'labels.a'])(
    'is refused as %s',
    (source) => {
      expect(() => parseExtractor(source)).toThrow();
    },
  );
});

describe('a line', () => {
  it('becomes an entry whose payload has none of what the platform takes out', () => {
    expect(entry).toMatchObject({ severity: 'WARNING', labels: { event: 'a.b', reason: 'R' } });
    expect(Object.keys(entry.jsonPayload)).toEqual(['message', 'event', 'count', 'flag', 'none', 'list']);
  });

  it.each([
    [{ severity: 'LOUD' }],
    [{ 'logging.googleapis.com/trace': '105445aa7843bc8bf206b12000100000' }],
    [{ 'logging.googleapis.com/labels': { event: 1 } }],
    [{ 'logging.googleapis.com/insert_id': 'a' }],
    [{ httpRequest: { status: '200' } }],
  ])('is refused with %j', (changed) => {
    expect(() => toLogEntry(JSON.stringify({ ...LINE, ...changed }), 0)).toThrow();
  });
});
