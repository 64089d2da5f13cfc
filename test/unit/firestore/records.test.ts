// What becomes of a document that somebody changed by hand: a record that cannot be read, and nothing worse.

import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseAll, parseRecord } from '../../../shared/firestore/records.ts';
import { createRestDatabase } from '../../../shared/firestore/rest-database.ts';
import type { Fields } from '../../../shared/firestore/values.ts';

const NAME = { project: 'acme-staging', database: 'ledger' };
const schema = z.object({ state: z.string(), ended_at: z.number().nullable() });
const VALID = { state: { stringValue: 'active' }, ended_at: { timestampValue: '2026-11-24T10:00:00Z' } };

async function snapshotOf(fields: Fields) {
  const name = 'projects/acme-staging/databases/ledger/documents/grants/a';
  const response = [{ found: { name, fields, updateTime: '2026-11-24T10:00:00Z' } }];
  return createRestDatabase(NAME, async () => response)
    .collection('grants')
    .doc('a')
    .get();
}

describe('a document', () => {
  it('is read as the record that was written', async () => {
    const record = parseRecord(schema, await snapshotOf(VALID));
    expect(record).toEqual({ state: 'active', ended_at: Date.UTC(2026, 10, 24, 10) });
  });

  it.each<[string, Fields]>([
    ['a type that Keydesk does not store', { place: { geoPointValue: { latitude: 1, longitude: 2 } } }],
    ['a reference in a list', { list: { arrayValue: { values: [{ referenceValue: 'a' }] } } }],
    ['bytes that are no text', { bytes: { bytesValue: 7 } }],
    ['a number that is a list', { count: { integerValue: ['1'] } }],
    ['text that is an object', { state: { stringValue: {} } }],
    ['a truth value that is text', { is: { booleanValue: 'true' } }],
    ['a list that is none', { list: { arrayValue: { values: 'a' } } }],
    ['a map that is none', { map: { mapValue: 'a' } }],
    ['a time that is no text', { at: { timestampValue: 7 } }],
    ['a value of no type', { nothing: {} }],
    ['a number in place of a time', { ended_at: { doubleValue: 1e300 } }],
    ['a map in place of a time', { ended_at: { mapValue: { fields: { toMillis: { integerValue: '1' } } } } }],
  ])('with %s is an unreadable record', async (_, fields) => {
    const snapshot = await snapshotOf({ ...VALID, ...fields });
    const { loaded, unreadable } = parseAll([snapshot], (read) => parseRecord(schema, read));
    expect([loaded, unreadable.map(({ id }) => id)]).toEqual([[], ['a']]);
    expect(() => parseRecord(schema, snapshot)).toThrow(
      expect.objectContaining({ dependency: 'ledger', code: 'unreadable_record' }),
    );
  });
});
