// No audit line is larger than Cloud Logging takes, whatever its facts are, and a line that was cut still says what it is.

import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../sandbox/seeded-random.ts';
import { MAX_LINE_BYTES } from '../../../shared/audit/line-size.ts';
import { createAuditLogger } from '../../../shared/audit/logger.ts';
import { uncheckedEvent } from '../../fixtures/audit-events.ts';

const REQUEST = {
  ...{ request_id: 'r', method: 'POST', path: '/token', userAgent: 'u', remoteIp: '192.0.2.1' },
  ...{ status: 200, latencyMs: 1, trace: undefined },
};
const ENTRY = { event: 'grant.issued', severity: 'INFO', message: 'm', labels: { credential: 'config' } } as const;

function lineOf(facts: object, entry: { readonly message?: string; readonly labels?: object } = {}) {
  const written: string[] = [];
  createAuditLogger({ project: 'p', write: (line) => written.push(line) })(
    uncheckedEvent({ ...ENTRY, ...entry, ...facts }),
    REQUEST,
  );
  const [text = ''] = written;
  return { bytes: Buffer.byteLength(text), line: JSON.parse(text) as Record<string, unknown> };
}

const many = <T>(count: number, item: (nth: number) => T) => Array.from({ length: count }, (_, nth) => item(nth));

describe('an audit line', () => {
  it('is written whole when it fits', () => {
    const facts = { list: many(150, (nth) => 'x'.repeat(1_200) + nth) };
    const { bytes, line } = lineOf(facts);
    expect(bytes).toBeGreaterThan(180_000);
    expect(line).toMatchObject(facts);
    expect(line).not.toHaveProperty('truncated');
  });

  it.each<[string, object]>([
    ['a list of texts', { list: many(50_000, (nth) => `item ${nth}`) }],
    ['a long text', { detail: 'x'.repeat(300_000) }],
    ['a text of three bytes a character', { detail: '漢'.repeat(80_000) }],
    ['a text that is escaped', { detail: '\u0001'.repeat(40_000) }],
    ['a text of characters that are hidden', { detail: '\u{e0001}'.repeat(20_000) }],
    ['a list of objects', { failures: many(500, (nth) => ({ grant_id: nth, detail: 'x'.repeat(1_000) })) }],
    ['an object of many members', { pools: Object.fromEntries(many(20_000, (nth) => [`pool-${nth}`, nth])) }],
    ['lists in lists', { deep: many(60, () => many(60, () => many(60, () => 'xxxxxxxx'))) }],
    ['many facts', Object.fromEntries(many(500, (nth) => [`fact_${nth}`, 'x'.repeat(1_000)]))],
    ['long names', Object.fromEntries(many(400, (nth) => [`${nth}${'n'.repeat(2_000)}`, 1]))],
  ])('is cut when it holds %s, and says so', (_, facts) => {
    const { bytes, line } = lineOf(facts);
    expect(bytes).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(line).toMatchObject({
      ...{ event: 'grant.issued', severity: 'INFO', message: 'm', request_id: 'r', truncated: true },
      'logging.googleapis.com/labels': { event: 'grant.issued', credential: 'config' },
      httpRequest: { status: 200 },
    });
  });

  it('keeps its plain facts when nothing else fits', () => {
    const facts = { grant_id: 'g', tokens_issued: 3, repeated: true, access_ended_at: null };
    const lists = Object.fromEntries(many(90, (nth) => [`list_${nth}`, many(50, () => 'x'.repeat(100))]));
    expect(lineOf({ ...facts, ...lists }).line).toMatchObject({ ...facts, truncated: true });
  });

  it('fits with arbitrary facts, labels and messages', () => {
    const random = randomFrom(13);
    const below = (limit: number) => Math.floor(random() * limit);
    const CHARACTERS = ['a', 'é', '漢', '😀', '\u0000', '"', '\\', '\u2028', '\u{e0001}', '\ud800'];
    let left = 0;
    const text = (longest: number) => {
      const length = Math.min(below(longest), left);
      left -= length;
      return (CHARACTERS[below(CHARACTERS.length)] ?? '').repeat(length);
    };
    const value = (depth: number): unknown => {
      switch (below(depth > 0 ? 7 : 5)) {
        case 0:
          return text(60_000);
        case 1:
          return random();
        case 2:
          return null;
        case 3:
          return random() < 0.5;
        case 4:
          return undefined;
        case 5:
          return many(below(12), () => value(depth - 1));
        default:
          return Object.fromEntries(many(below(12), () => [text(300), value(depth - 1)]));
      }
    };
    const sizes = many(40, () => {
      left = 400_000;
      const facts = Object.fromEntries(many(below(80), (nth) => [`${nth}${text(200)}`, value(3)]));
      const labels = Object.fromEntries(many(below(60), (nth) => [`${nth}${text(100)}`, text(2_000)]));
      const { bytes, line } = lineOf(facts, { message: text(400_000), labels });
      expect(line).toMatchObject({ event: 'grant.issued', request_id: 'r' });
      return bytes;
    });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(Math.max(...sizes)).toBeGreaterThan(MAX_LINE_BYTES / 4);
  });
});
