// That the functions' own transport stores, finds and refuses what Google's client does, on the same emulator.

import { randomUUID } from 'node:crypto';
import type { Firestore } from '@google-cloud/firestore';
import * as fc from 'fast-check';
import { describe, expect, inject, it } from 'vitest';
import type { Database, DocumentSnapshot, Operator, Query } from '../../shared/firestore/database.ts';
import { clientOpener, restOpener } from '../fixtures/emulator-databases.ts';

const name = { project: `rest-${randomUUID().slice(0, 8)}`, database: 'ledger' };
const rest = restOpener(inject('firestoreHost'))(name);
const client: Firestore & Database = clientOpener(inject('firestoreHost'))(name);

/** Fields whose names Firestore reserves are refused by both. */
const fieldName = fc
  .oneof(fc.constantFrom('a', 'b c', 'a.b', '`', '\\', 'ü', '\u{1F600}', '__proto', 'toString'), fc.string())
  .filter((text) => text !== '' && !/^__.*__$/s.test(text) && text.isWellFormed());
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' })).filter((one) => one.isWellFormed());
const leaf = fc.oneof(
  text,
  fc.boolean(),
  fc.constantFrom(null, 0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.maxSafeInteger(),
  fc.double(),
  fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
  fc.uint8Array({ maxLength: 40 }),
);
const { value } = fc.letrec<{ value: unknown; item: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('item'), { maxLength: 4 }),
    fc.dictionary(fieldName, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
  item: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.dictionary(fieldName, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const topName = fc.constantFrom('a', 'b', 'created_at', 'ünï', 'a-b');
const record = fc.dictionary(topName, value, { maxKeys: 5, noNullPrototype: true });

/** What both clients read alike: times by their milliseconds, bytes as text. */
function plain(one: unknown): unknown {
  if (Array.isArray(one)) return one.map(plain);
  if (one instanceof Uint8Array) return `bytes ${Buffer.from(one).toString('hex')}`;
  if (one instanceof Date) return `time ${one.getTime()}`;
  // Google's client sends -0 as 0, too.
  if (one === 0) return 0;
  if (typeof one !== 'object' || one === null) return one;
  if ('toMillis' in one && typeof one.toMillis === 'function') return `time ${one.toMillis()}`;
  return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, plain(inner)]));
}

describe('values', () => {
  it('are stored and read as Google’s client stores and reads them', async () => {
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 10, maxLength: 10 }), async (records) => {
        const ids = records.map(() => `document-${serial++}`);
        const [ours, theirs] = ['ours', 'theirs'] as const;
        const writing = rest.batch();
        const other = client.batch();
        for (const [at, data] of records.entries()) {
          writing.create(rest.collection(ours).doc(ids[at] as string), data);
          other.create(client.collection(theirs).doc(ids[at] as string), data);
        }
        await Promise.all([writing.commit(), other.commit()]);
        const read = async (database: Database, collection: string) =>
          (await database.getAll(...ids.map((id) => database.collection(collection).doc(id)))).map((one) =>
            plain(one.data()),
          );
        const expected = records.map(plain);
        expect(await read(client, ours)).toEqual(expected);
        expect(await read(rest, theirs)).toEqual(expected);
        expect(await read(rest, ours)).toEqual(expected);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['undefined in a map', { inner: undefined }],
    ['a list in a list', [[1]]],
    ['a function', () => 1],
    ['a bigint', 1n],
    ['an object of a class', new Map()],
    ['a symbol', Symbol('one')],
  ])('that Firestore cannot store are refused before anything is sent: %s', (_, one) => {
    expect(() => rest.batch().create(rest.collection('refused').doc('one'), { field: one })).toThrow(
      /^the field (field|inner) has a value|^the field field has a list in a list/,
    );
  });

  it('of types that Keydesk does not store are refused by name', async () => {
    const reference = client.collection('theirs').doc('one');
    await reference.set({ reference });
    const read = await rest.collection('theirs').doc('one').get();
    expect(() => read.data()).toThrow('a type that Keydesk does not store: referenceValue');
  });

  it('keep a time to the nanosecond in a condition', async () => {
    const document = rest.collection('times').doc('one');
    await document.create({ a: 1 });
    const { updateTime } = await document.get();
    await document.update({ a: 2 }, { lastUpdateTime: updateTime as NonNullable<typeof updateTime> });
    const stale = document.update({ a: 3 }, { lastUpdateTime: updateTime as NonNullable<typeof updateTime> });
    await expect(stale).rejects.toMatchObject({ code: 9 });
    expect((await document.get()).get('a')).toBe(2);
  });
});

type Step = readonly [
  write: 'create' | 'set' | 'update' | 'update if unchanged',
  id: string,
  data: Record<string, unknown>,
];

const step = fc.tuple(
  fc.constantFrom<Step[0]>('create', 'set', 'update', 'update if unchanged'),
  fc.constantFrom('one', 'two', 'three'),
  fc.dictionary(fc.constantFrom('a', 'b', 'map'), fc.oneof(leaf, fc.constant({ x: 1 })), {
    minKeys: 1,
    noNullPrototype: true,
  }),
);

describe('writes', () => {
  it('come to what they come to with Google’s client, also those that are refused', async () => {
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 8 }), async (batches) => {
        serial += 1;
        const outcomes = await Promise.all(
          [rest, client].map((database, at) => play(database, `steps-${serial}-${at}`, batches.map(onePerDocument))),
        );
        expect(outcomes[0]).toEqual(outcomes[1]);
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  it('say when they were written: what they changed, at the time of the commit', async () => {
    const document = rest.collection('writes').doc('one');
    const created = await document.create({ a: 1 });
    expect(created.writeTime).toEqual((await document.get()).updateTime);
    // A write that changes nothing says when the document was changed.
    expect((await document.set({ a: 1 })).writeTime).toEqual(created.writeTime);
    const [changed] = await rest.batch().update(document, { a: 2 }, { lastUpdateTime: created.writeTime }).commit();
    expect(changed?.writeTime).toEqual((await document.get()).updateTime);
  });

  it('refuse an update of a field path, and a version that was read elsewhere', async () => {
    const document = rest.collection('writes').doc('two');
    expect(() => document.update({ 'a.b': 1 })).toThrow('an update of the field "a.b" is not supported');
    const read = await client.collection('writes').doc('one').get();
    expect(() =>
      document.update({ a: 1 }, { lastUpdateTime: read.updateTime as NonNullable<typeof read.updateTime> }),
    ).toThrow('the version of writes/two was not read from this database');
  });

  it.each(['', 'a/b', '.', '..', '__id__'])('refuse the id %j', (id) => {
    expect(() => rest.collection('writes').doc(id)).toThrow('no document can have the id');
  });
});

function onePerDocument(steps: readonly Step[]): Step[] {
  return [...new Map(steps.map((one) => [one[1], one])).values()];
}

/** The codes of what was refused, and what is stored in the end. */
async function play(database: Database, collection: string, batches: readonly (readonly Step[])[]) {
  const documentOf = (id: string) => database.collection(collection).doc(id);
  const codes: unknown[] = [];
  for (const steps of batches) {
    const batch = database.batch();
    for (const [write, id, data] of steps) {
      const document = documentOf(id);
      const { updateTime } = await document.get();
      if (write === 'create') batch.create(document, data);
      else if (write === 'set') batch.set(document, data);
      else if (write === 'update' || !updateTime) batch.update(document, data);
      else batch.update(document, data, { lastUpdateTime: updateTime });
    }
    codes.push(
      await batch.commit().then(
        (results) => results.length,
        (error: { code: unknown }) => `refused ${error.code}`,
      ),
    );
  }
  const read = await database.getAll(documentOf('one'), documentOf('two'), documentOf('three'), documentOf('one'));
  return { codes, read: read.map((one) => [one.id, one.ref.path.split('/')[1], one.exists, plain(one.data())]) };
}

describe('queries', () => {
  const NUMBERS = Array.from({ length: 30 }, (_, at) => at);

  it('find what Google’s client finds, page by page', async () => {
    const collection = `found-${randomUUID()}`;
    await Promise.all(
      NUMBERS.map((at) =>
        client
          .collection(collection)
          .doc(`d${(at * 7) % 30}`)
          .set({
            state: ['issuing', 'active', 'ended'][at % 3],
            at: new Date(Math.floor(at / 4) * 1000),
            tags: [`t${at % 4}`, 'all'],
            inner: { name: `n${at % 2}` },
            maybe: at % 5 === 0 ? null : at,
          }),
      ),
    );
    type Filter = readonly [string, Operator, unknown];
    const filters: readonly (readonly Filter[])[] = [
      [],
      [['state', '==', 'active']],
      [['state', 'in', ['issuing', 'active']]],
      [['state', 'not-in', ['issuing', 'revoking']]],
      [['tags', 'array-contains', 't2']],
      [
        ['inner.name', '==', 'n1'],
        ['state', 'in', ['issuing', 'ended']],
      ],
      [['maybe', '==', null]],
      [['at', '>', new Date(2_000)]],
      [['at', '<=', new Date(2_000)]],
      [
        ['state', '==', 'active'],
        ['at', '<', new Date(4_000)],
      ],
      [['at', '>=', new Date(99_000)]],
    ];
    for (const filter of filters) {
      const bounded = filter.some(([, operator]) => /[<>]/.test(operator));
      const excluding = filter.some(([, operator]) => operator === 'not-in');
      for (const order of bounded ? ['at'] : excluding ? ['none'] : ['none', '__name__', 'at']) {
        for (const size of [4, 100]) {
          const find = (database: Database) => {
            let query: Query = database.collection(collection);
            for (const [field, operator, operand] of filter) query = query.where(field, operator, operand);
            return pages(order === 'none' ? query : query.orderBy(order), order === 'none' ? undefined : size);
          };
          expect(await find(rest), JSON.stringify([filter, order, size])).toEqual(await find(client));
        }
      }
      const count = async (database: Database) => {
        let query: Query = database.collection(collection);
        for (const [field, operator, operand] of filter) query = query.where(field, operator, operand);
        return (await query.count().get()).data().count;
      };
      expect(await count(rest)).toBe(await count(client));
    }
  });

  it('say which document lacks the field by which they are to go on', async () => {
    const documents = rest.collection('lacking');
    await documents.doc('one').set({ a: 1 });
    const read = await documents.doc('one').get();
    expect(() => documents.orderBy('b').startAfter(read)).toThrow('the document lacking/one has no b to go on after');
  });

  it('refuse what nothing can be', () => {
    expect(() => rest.collection('lacking').where('a', '>', null)).toThrow('nothing is > null');
  });
});

/** The documents of each page; one page without a size. */
async function pages(query: Query, size: number | undefined): Promise<unknown[]> {
  const found: unknown[] = [];
  let last: DocumentSnapshot | undefined;
  for (let page = 0; page < 10; page += 1) {
    const next = last ? query.startAfter(last) : query;
    const { docs } = await (size === undefined ? next : next.limit(size)).get();
    found.push(docs.map((one) => [one.id, plain(one.data()), one.get('inner.name')]));
    if (size === undefined || docs.length < size) return found;
    last = docs.at(-1);
  }
  throw new Error('more pages than there are documents');
}
