// That the Firestore in memory answers as the emulator does, operation by operation; and what it does beyond: it asks for
// indexes, and lets a test into every round trip.

import { randomUUID } from 'node:crypto';
import {
  type CollectionReference,
  type DocumentSnapshot,
  FieldPath,
  FieldValue,
  type Firestore,
  type Query,
  Timestamp,
  type Transaction,
  type WhereFilterOp,
} from '@google-cloud/firestore';
import * as fc from 'fast-check';
import { describe, expect, inject, it } from 'vitest';
import { clientOpener } from '../fixtures/emulator-databases.ts';
import { type Around, createMemoryFirestore } from '../fixtures/memory-firestore.ts';

const emulator = clientOpener(inject('firestoreHost'))({
  project: `memory-${randomUUID().slice(0, 8)}`,
  database: '(default)',
});

const IDS = ['a', 'b', 'c', 'd'] as const;
type Id = (typeof IDS)[number];
type Data = Record<string, unknown>;
type Precondition = 'none' | 'right' | 'first' | 'future' | 'nanoseconds';

type Write =
  | { readonly write: 'create'; readonly id: Id; readonly data: Data }
  | { readonly write: 'set'; readonly id: Id; readonly data: Data }
  | { readonly write: 'update'; readonly id: Id; readonly data: Data; readonly precondition: Precondition }
  | { readonly write: 'delete'; readonly id: Id };

interface Filter {
  readonly field: string;
  readonly op: WhereFilterOp;
  readonly value: unknown;
}

interface QueryPlan {
  readonly filters: readonly Filter[];
  readonly orders: readonly { readonly field: string | undefined; readonly direction: 'asc' | 'desc' }[];
  readonly limit: number | undefined;
  readonly after: Id | undefined;
  readonly count: boolean;
  /** As the database was at the latest step `mark`; the present when undefined. */
  readonly marked?: boolean;
}

type Step =
  | { readonly step: 'write'; readonly write: Write }
  | { readonly step: 'collections' }
  | { readonly step: 'write again'; readonly id: Id; readonly how: 'set' | 'update' | 'batch' }
  | { readonly step: 'batch'; readonly writes: readonly Write[] }
  | { readonly step: 'read'; readonly id: Id; readonly marked?: boolean }
  | { readonly step: 'mark' }
  | { readonly step: 'query'; readonly query: QueryPlan };

const time = fc.constantFrom(new Date(0), new Date(5), new Timestamp(0, 1_000), new Timestamp(0, 1_999));
const scalar = fc.constantFrom<unknown>(
  null,
  false,
  true,
  -1,
  0,
  1,
  1.5,
  Number.NaN,
  '',
  'a',
  'b',
  '\u{1F600}',
  '\uFFEE',
);
const item = fc.oneof(scalar, time, fc.record({ x: scalar }, { requiredKeys: [] }));
const value = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom<unknown>(0, 1, 1, 'a', new Date(5), [1, 'a'], { x: 1 }) },
  { weight: 2, arbitrary: scalar },
  { weight: 1, arbitrary: time },
  { weight: 1, arbitrary: fc.array(item, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.record({ x: item, y: scalar }, { requiredKeys: [] }) },
);
const FIELDS = ['f', 'g', 'm', 'm.x'] as const;
const data = fc.record({ f: value, g: value, m: value }, { requiredKeys: ['f'] });
const change = fc
  .oneof(data, fc.record({ f: value, 'm.x': value, 'm.z.w': scalar }, { requiredKeys: [] }))
  .filter((fields) => Object.keys(fields).length > 0);
const id = fc.constantFrom(...IDS);
const precondition = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<Precondition>('none', 'right', 'first') },
  fc.constantFrom<Precondition>('future', 'nanoseconds'),
);
const single = fc.oneof(
  fc.record({ write: fc.constantFrom('create', 'set'), id, data }),
  fc.record({ write: fc.constant('update'), id, data: change, precondition }),
);
const anyWrite = fc.oneof(
  { weight: 5, arbitrary: single },
  fc.record({ write: fc.constant('delete'), id }),
) as fc.Arbitrary<Write>;

const known = value.map(withoutNanoseconds);
const operand = known.filter((one) => one !== null && !Number.isNaN(one));
const field = fc.constantFrom('f', 'f', 'f', 'g', ...FIELDS);
const listed = fc.oneof(
  { weight: 20, arbitrary: fc.array(known, { minLength: 1, maxLength: 5 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      [],
      Array.from({ length: 31 }, () => 0),
    ),
  },
);
const equality = fc.oneof(
  fc.record({ field, op: fc.constant('=='), value: known }),
  fc.record({ field, op: fc.constant('in'), value: listed }),
  fc.record({ field, op: fc.constant('array-contains'), value: operand }),
) as fc.Arbitrary<Filter>;
const equalities = fc.uniqueArray(equality, { maxLength: 2, selector: ({ op, field }) => (op === '==' ? field : op) });
const direction = fc.constantFrom('asc' as const, 'desc' as const);
const limit = fc.constantFrom(undefined, undefined, undefined, 0, 1, 1, 2, 2, 3, -1);
const common = { limit, count: fc.constantFrom(false, false, true) };
const after = fc.constantFrom(undefined, undefined, undefined, undefined, ...IDS);
const ordered = fc.record({
  filters: equalities,
  orders: fc
    .uniqueArray(fc.record({ field, direction }), { maxLength: 2, selector: ({ field }) => field })
    .chain((orders) =>
      fc
        .option(direction, { nil: undefined })
        .map((ids) => (ids ? [...orders, { field: undefined, direction: ids }] : orders)),
    ),
  after,
  ...common,
});
const ranged = fc
  .record({
    field,
    bounds: fc.array(fc.record({ op: fc.constantFrom('<', '<=', '>', '>='), value: operand }), {
      minLength: 1,
      maxLength: 2,
    }),
    others: fc.array(equality, { maxLength: 1 }),
    direction: fc.option(direction, { nil: undefined }),
    after,
    ...common,
  })
  .map(({ field, bounds, others, direction, ...rest }) => ({
    filters: [...bounds.map((bound) => ({ field, ...bound })), ...others.filter((other) => other.field !== field)],
    orders: direction ? [{ field, direction }] : [],
    ...rest,
  }));
const bound = fc.record({ op: fc.constantFrom('<', '<=', '>', '>='), value: operand });
const rangedByTwo = fc
  .record({
    fields: fc.constantFrom(['f', 'g'] as const, ['g', 'f'] as const),
    bounds: fc.tuple(bound, bound),
    others: fc.array(equality, { maxLength: 1 }),
    directions: fc.tuple(direction, direction),
    after,
    ...common,
  })
  .map(({ fields, bounds, others, directions, ...rest }) => ({
    filters: [
      ...fields.map((field, at) => ({ field, ...(bounds[at] ?? bounds[0]) })),
      ...others.filter(({ field }) => field === 'm'),
    ],
    orders: fields.map((field, at) => ({ field, direction: directions[at] ?? 'asc' })),
    ...rest,
  }));
const query = fc
  .tuple(fc.oneof(ordered, ranged, rangedByTwo), fc.constantFrom(false, false, true))
  .map(([query, marked]) => ({ ...query, marked })) as fc.Arbitrary<QueryPlan>;

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ step: fc.constant('write'), write: anyWrite }) },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant('batch'),
      writes: fc.uniqueArray(anyWrite, { maxLength: 4, selector: (one) => one.id }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ step: fc.constant('write again'), id, how: fc.constantFrom('set', 'update', 'batch') }),
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('read'), id, marked: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('mark') }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('collections') }) },
  { weight: 5, arbitrary: fc.record({ step: fc.constant('query'), query }) },
) as fc.Arbitrary<Step>;

function withoutNanoseconds(value: unknown): unknown {
  if (value instanceof Timestamp) return new Timestamp(value.seconds, value.nanoseconds - (value.nanoseconds % 1_000));
  if (Array.isArray(value)) return value.map(withoutNanoseconds);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutNanoseconds(inner)]));
}

/** One of every kind, and neighbours within each. */
const VALUES: readonly unknown[] = [
  ...[null, false, true, Number.NaN, Number.NEGATIVE_INFINITY, -1, 0, 0.5, 1, 2 ** 60],
  ...[new Date(0), new Timestamp(0, 1_000), new Timestamp(-5, 0)],
  ...['', 'a', 'ab', 'b', '\u{1F600}', '\uFFEE'],
  ...[[], [1], [1, 2], [2], [null], [null, Number.NaN, 'x'], [{ x: 1 }]],
  ...[{}, { x: 1 }, { x: 2 }, { x: 1, y: 1 }, { y: 0 }, { x: { z: 1 } }, { '\u{1F600}': 1 }, { '\uFFEE': 1 }],
];

const FUTURE = Timestamp.fromMillis(Date.UTC(2100, 0));

const READING: readonly Step['step'][] = ['read', 'mark', 'query', 'collections'];

/** Runs steps on a collection. Times become the number under which they first appeared, so that databases compare. */
function player(firestore: Firestore, collection: CollectionReference) {
  const times: Timestamp[] = [];
  let mark: Timestamp | undefined;
  const reading = <T>(marked: boolean | undefined, now: () => Promise<T>, then: (t: Transaction) => Promise<T>) =>
    marked && mark ? firestore.runTransaction(then, { readOnly: true, readTime: mark }) : now();
  const first = new Map<Id, Timestamp>();
  const numbered = (time: Timestamp | undefined): number | undefined => {
    if (!time) return undefined;
    if (!times.some((known) => known.isEqual(time))) times.push(time);
    return times.findIndex((known) => known.isEqual(time));
  };
  const seen = (snapshot: DocumentSnapshot) => ({
    id: snapshot.id,
    refId: snapshot.ref.id,
    exists: snapshot.exists,
    data: snapshot.data(),
    fields: FIELDS.map((field) => snapshot.get(field)),
    created: numbered(snapshot.createTime),
    updated: numbered(snapshot.updateTime),
  });
  const readAll = async () => {
    const snapshots = await firestore.getAll(...IDS.map((id) => collection.doc(id)));
    for (const { id, updateTime } of snapshots) {
      if (updateTime && !first.has(id as Id)) first.set(id as Id, updateTime);
    }
    return snapshots;
  };

  const options = async (id: Id, precondition: Precondition): Promise<[] | [{ lastUpdateTime: Timestamp }]> => {
    if (precondition === 'none') return [];
    if (precondition === 'future') return [{ lastUpdateTime: FUTURE }];
    const { updateTime = new Timestamp(5, 0) } = await collection.doc(id).get();
    if (precondition === 'first') return [{ lastUpdateTime: first.get(id) ?? updateTime }];
    const past = precondition === 'nanoseconds' ? 1 : 0;
    return [{ lastUpdateTime: new Timestamp(updateTime.seconds, updateTime.nanoseconds + past) }];
  };

  const play = async (step: Step): Promise<unknown> => {
    switch (step.step) {
      case 'read': {
        const document = collection.doc(step.id);
        return seen(
          await reading(
            step.marked,
            () => document.get(),
            (transaction) => transaction.get(document),
          ),
        );
      }
      case 'mark':
        mark = (await collection.doc('a').get()).readTime;
        return undefined;
      case 'collections': {
        const collections = await firestore.listCollections();
        return collections.some(({ path }) => path === collection.path);
      }
      case 'write': {
        const { write } = step;
        const document = collection.doc(write.id);
        const result = async () => {
          if (write.write === 'create') return document.create(write.data);
          if (write.write === 'set') return document.set(write.data);
          if (write.write === 'delete') return firestore.doc(document.path).delete();
          const [precondition] = await options(write.id, write.precondition);
          return precondition ? document.update(write.data, precondition) : document.update(write.data);
        };
        return numbered((await result()).writeTime);
      }
      case 'write again': {
        const document = collection.doc(step.id);
        const read = await document.get();
        const held = read.data() ?? { f: 1 };
        if (step.how === 'set') return numbered((await document.set(held)).writeTime);
        const { updateTime: lastUpdateTime = FUTURE } = read;
        if (step.how === 'update') return numbered((await document.update(held, { lastUpdateTime })).writeTime);
        const other = collection.doc(step.id === 'a' ? 'b' : 'a');
        const batch = firestore.batch().update(document, held, { lastUpdateTime }).set(other, { f: 1 });
        return (await batch.commit()).map(({ writeTime }) => numbered(writeTime));
      }
      case 'batch': {
        const batch = firestore.batch();
        for (const write of step.writes) {
          const document = collection.doc(write.id);
          if (write.write === 'create') batch.create(document, write.data);
          else if (write.write === 'set') batch.set(document, write.data);
          else if (write.write === 'delete') batch.delete(document);
          else {
            const [precondition] = await options(write.id, write.precondition);
            if (precondition) batch.update(document, write.data, precondition);
            else batch.update(document, write.data);
          }
        }
        return (await batch.commit()).map(({ writeTime }) => numbered(writeTime));
      }
      case 'query': {
        let built: Query = collection;
        for (const { field, op, value } of step.query.filters) built = built.where(field, op, value);
        for (const { field, direction } of step.query.orders) {
          built = built.orderBy(field ?? FieldPath.documentId(), direction);
        }
        if (step.query.limit !== undefined) built = built.limit(step.query.limit);
        const { after, orders } = step.query;
        const byIdOnly = orders.length === 1 && orders[0]?.field === undefined;
        if (after && byIdOnly) built = built.startAfter(after);
        else if (after) built = built.startAfter(await collection.doc(after).get());
        if (step.query.count) return (await built.count().get()).data();
        const { docs, empty, size } = await reading(
          step.query.marked,
          () => built.get(),
          (transaction) => transaction.get(built),
        );
        return { docs: docs.map(seen), empty, size };
      }
    }
  };

  return async (step: Step): Promise<unknown> => {
    const outcome = await play(step).catch(asRefusal);
    const after = READING.includes(step.step) ? [] : (await readAll()).map(seen);
    return { outcome, after };
  };
}

/** What the two must have in common: a code where there is one; an error of the client's own has none. */
function asRefusal(error: unknown): { refused: unknown } {
  if (!(error instanceof Error) || error.message.startsWith('The memory Firestore')) throw error;
  return { refused: 'code' in error ? error.code : 'by the client' };
}

describe('the Firestore in memory', () => {
  it('responds like the emulator', { timeout: 900_000 }, async () => {
    const initial = fc
      .tuple(data, data, data)
      .map((all) =>
        all.map((data, at): Step => ({ step: 'write', write: { write: 'create', id: IDS[at] ?? 'a', data } })),
      );
    await fc.assert(
      fc.asyncProperty(initial, fc.array(step, { minLength: 1, maxLength: 12, size: 'max' }), async (before, steps) => {
        const name = `run-${randomUUID()}`;
        const { firestore } = createMemoryFirestore({ indexes: 'unchecked' });
        const real = player(emulator, emulator.collection(name));
        const memory = player(firestore, firestore.collection(name));
        for (const step of [...before, ...steps]) expect(await memory(step)).toEqual(await real(step));
      }),
      { numRuns: 50 * inject('effort') },
    );
  });

  it('has the fields that a query selects, like the emulator', async () => {
    const { firestore } = createMemoryFirestore({ indexes: 'unchecked' });
    const name = `selected-${randomUUID()}`;
    const [real, memory] = await Promise.all(
      [emulator, firestore].map(async (database) => {
        const collection = database.collection(name);
        await collection.doc('a').set({ f: 1, g: { h: 2, i: 3 }, j: 'long' });
        await collection.doc('b').set({ j: 'long' });
        const { docs } = await collection.select('f', 'g.h', 'absent').orderBy(FieldPath.documentId()).get();
        return docs.map((document) => [document.id, document.data()]);
      }),
    );
    expect(memory).toEqual([
      ['a', { f: 1, g: { h: 2 } }],
      ['b', {}],
    ]);
    expect(memory).toEqual(real);
  });

  it('compares and orders every kind of value like the emulator', async () => {
    const name = `values-${randomUUID()}`;
    const { firestore } = createMemoryFirestore({ indexes: 'unchecked' });
    const [real, memory] = [emulator.collection(name), firestore.collection(name)];
    for (const [at, f] of VALUES.entries()) {
      for (const id of [`${at}`, `${at}-again`]) await Promise.all([real, memory].map((one) => one.doc(id).set({ f })));
    }
    const alike = async (what: string, query: (collection: CollectionReference) => Promise<Query>) => {
      const found = async (collection: CollectionReference) =>
        (await (await query(collection)).get().catch(asRefusal)) as { docs?: DocumentSnapshot[] };
      const [expected, actual] = await Promise.all([found(real), found(memory)]);
      expect([what, actual.docs?.map(({ id }) => id) ?? actual]).toEqual([
        what,
        expected.docs?.map(({ id }) => id) ?? expected,
      ]);
      return expected.docs?.length ?? 0;
    };
    for (const direction of ['asc', 'desc'] as const) {
      expect(await alike(direction, async (c) => c.orderBy('f', direction))).toBe(2 * VALUES.length);
      for (const at of VALUES.keys()) {
        await alike(`${direction} after ${at}`, async (c) =>
          c.orderBy('f', direction).startAfter(await c.doc(`${at}`).get()),
        );
      }
    }
    for (const [at, value] of VALUES.entries()) {
      const empty = value === null || Number.isNaN(value);
      expect(await alike(`== ${at}`, async (c) => c.where('f', '==', value))).toBe(2);
      await alike(`in ${at}`, async (c) => c.where('f', 'in', [value, 1]));
      if (empty) continue;
      await alike(`array-contains ${at}`, async (c) => c.where('f', 'array-contains', value));
      for (const op of ['<', '<=', '>', '>='] as const)
        await alike(`${op} ${at}`, async (c) => c.where('f', op, value));
    }
  });

  it.each(['the emulator', 'memory'])('throws at once for undefined, in %s', async (where) => {
    const firestore = where === 'memory' ? createMemoryFirestore().firestore : emulator;
    const document = firestore.collection('undefined').doc('a');
    const message = /Cannot use "undefined" as a Firestore value/;
    expect(() => document.create({ f: undefined })).toThrow(message);
    expect(() => document.set({ f: [{ g: undefined }] })).toThrow(message);
    expect(() => document.update({ f: { g: undefined } })).toThrow(message);
    expect(() => firestore.batch().create(document, { f: undefined })).toThrow(message);
    expect(() => document.update({})).toThrow(/At least one field/);
    expect(() => document.update({ f: 1, 'f.g': 2 })).toThrow(/specified multiple times/);
    expect((await document.get()).exists).toBe(false);
  });

  it('returns copies and stores copies', async () => {
    const { firestore } = createMemoryFirestore();
    const document = firestore.collection('jobs').doc('a');
    const given = { list: [{ x: 1 }] };
    await document.create(given);
    given.list.push({ x: 2 });
    const snapshot = await document.get();
    snapshot.data()?.list.push({ x: 3 });
    snapshot.get('list')[0].x = 4;
    expect(snapshot.data()).toEqual({ list: [{ x: 1 }] });
    expect((await document.get()).data()).toEqual({ list: [{ x: 1 }] });
  });

  it.each(['the emulator', 'memory'])('reads at no time that has not come, and in microseconds: %s', async (where) => {
    const firestore = where === 'memory' ? createMemoryFirestore().firestore : emulator;
    const document = firestore.collection('jobs').doc('a');
    const { readTime } = await document.get();
    const readAt = (time: Timestamp) =>
      firestore.runTransaction((transaction) => transaction.get(document), { readOnly: true, readTime: time });
    expect((await readAt(readTime)).exists).toBe(false);
    await expect(readAt(FUTURE)).rejects.toMatchObject({ code: 3 });
    await expect(readAt(new Timestamp(readTime.seconds - 1, 5))).rejects.toMatchObject({ code: 3 });
  });

  it('writes all of a batch or nothing', async () => {
    const { firestore, dump } = createMemoryFirestore();
    const [one, other] = [firestore.collection('jobs').doc('a'), firestore.collection('grants').doc('b')];
    await other.create({ x: 1 });
    const refused = firestore.batch().create(one, { x: 2 }).create(other, { x: 3 }).commit();
    await expect(refused).rejects.toMatchObject({ code: 6 });
    expect([...dump()]).toEqual([['grants/b', { x: 1 }]]);
    await firestore.batch().create(one, { x: 2 }).update(other, { x: 3 }).commit();
    expect(dump()).toEqual(
      new Map([
        ['jobs/a', { x: 2 }],
        ['grants/b', { x: 3 }],
      ]),
    );
  });

  it('says what it does not support', async () => {
    const { firestore } = createMemoryFirestore();
    const collection = firestore.collection('jobs');
    const [document, snapshot] = [collection.doc('a'), await collection.doc('a').get()];
    const missing = /^The memory Firestore does not support /;
    expect(() => firestore.runTransaction(async () => {})).toThrow(
      `${missing.source.slice(1)}Firestore.runTransaction`,
    );
    expect(() => collection.add({})).toThrow(missing);
    expect(() => collection.offset(1)).toThrow(missing);
    expect(() => collection.doc()).toThrow(missing);
    expect(() => document.delete({ exists: true })).toThrow(missing);
    expect(() => firestore.doc('jobs/a/steps/b')).toThrow(missing);
    expect(() => document.set({}, { merge: true })).toThrow(missing);
    expect(() => document.set({ f: FieldValue.increment(1) })).toThrow(missing);
    expect(() => document.set({ f: [[1]] })).toThrow(missing);
    expect(() => document.update({ f: 1 }, { exists: true })).toThrow(missing);
    expect(() => firestore.runTransaction(async () => {}, { readOnly: true })).toThrow(missing);
    expect(() => snapshot.isEqual(snapshot)).toThrow(missing);
    expect(() => firestore.batch().set(document, {}).set(document, {})).toThrow(missing);
    expect(() => firestore.batch().delete(document, { exists: true })).toThrow(missing);
    expect(() => collection.where('f', '!=', 1)).toThrow(missing);
    expect(() => collection.orderBy('f').startAfter(1)).toThrow(missing);
    expect(() => collection.where('f', '<', 1).where('g', '<', 1).get()).toThrow(missing);
    expect(() => collection.where('f', '<', 1).where('g', '<', 1).orderBy('f').get()).toThrow(missing);
    expect(() => collection.where('f', '<', 1).orderBy('g').get()).toThrow(missing);
    expect(() => createMemoryFirestore().firestore.getAll(document)).toThrow(/another database/);
  });
});

describe('around', () => {
  it('is called once for each round trip, with its kind and paths', async () => {
    const calls: unknown[] = [];
    const around: Around = async (call, perform) => {
      calls.push([call.kind, ...call.paths]);
      return perform();
    };
    const { firestore } = createMemoryFirestore({ around });
    const collection = firestore.collection('jobs');
    const [one, other] = [collection.doc('a'), collection.doc('b')];
    await one.create({});
    await one.set({});
    await one.update({ f: 1 });
    await one.get();
    await firestore.getAll(one, other);
    await firestore.batch().set(one, {}).delete(other).commit();
    await collection.limit(1).get();
    await collection.count().get();
    expect(calls).toEqual([
      ['write', 'jobs/a'],
      ['write', 'jobs/a'],
      ['write', 'jobs/a'],
      ['read', 'jobs/a'],
      ['read', 'jobs/a', 'jobs/b'],
      ['write', 'jobs/a', 'jobs/b'],
      ['read', 'jobs'],
      ['read', 'jobs'],
    ]);
  });

  it('decides when and whether a round trip happens, and whether its response arrives', async () => {
    const waiting: (() => unknown)[] = [];
    const lost = Object.assign(new Error('lost'), { code: 14 });
    const around: Around = async (_, perform) => {
      waiting.push(perform);
      throw lost;
    };
    const { firestore, dump } = createMemoryFirestore({ around });
    await expect(firestore.collection('jobs').doc('a').create({ f: 1 })).rejects.toBe(lost);
    expect(dump().size).toBe(0);
    expect(waiting[0]?.()).toHaveProperty('writeTime');
    expect(dump().get('jobs/a')).toEqual({ f: 1 });
    expect(() => waiting[0]?.()).toThrow(expect.objectContaining({ code: 6 }));
  });
});

describe('the check of indexes', () => {
  const indexes = {
    indexes: [
      { collectionGroup: 'c', queryScope: 'COLLECTION', fields: [ascending('state'), ascending('at')] },
      { collectionGroup: 'c', queryScope: 'COLLECTION', fields: [ascending('kind'), ascending('at')] },
      { collectionGroup: 'c', queryScope: 'COLLECTION', fields: [ascending('secret'), ascending('state')] },
      { collectionGroup: 'c', queryScope: 'COLLECTION', fields: [ascending('b'), ascending('a'), descending('at')] },
      {
        collectionGroup: 'c',
        queryScope: 'COLLECTION',
        fields: [ascending('kind'), ascending('end'), ascending('at')],
      },
      { collectionGroup: 'c', queryScope: 'COLLECTION_GROUP', fields: [ascending('b'), ascending('late')] },
    ],
    fieldOverrides: [
      { collectionGroup: 'c', fieldPath: 'secret', indexes: [] },
      { collectionGroup: 'c', fieldPath: 'at', ttl: true, indexes: [] },
      { collectionGroup: 'c', fieldPath: 'up', indexes: [{ order: 'ASCENDING', queryScope: 'COLLECTION' }] },
      { collectionGroup: 'every', fieldPath: '*', indexes: [] },
    ],
  };
  const { firestore } = createMemoryFirestore({ indexes });
  const [c, id] = [firestore.collection('c'), FieldPath.documentId()];

  it.each<[string, Query]>([
    ['nothing', c],
    ['ids', c.orderBy(id)],
    ['one field', c.where('state', '==', 1)],
    ['equalities, merged', c.where('state', '==', 1).where('kind', 'in', [1]).where('m.x', '==', 1)],
    ['a list that holds', c.where('state', 'array-contains', 1).where('kind', '==', 1)],
    ['an equality and ids descending', c.where('state', '==', 1).orderBy(id, 'desc')],
    ['an order', c.orderBy('state', 'desc')],
    ['a range', c.where('state', '>', 1)],
    ['an order by a field with one value', c.where('state', '==', 1).orderBy('state')],
    ['a composite', c.where('state', 'in', [1, 2]).where('at', '<=', 1).orderBy('at')],
    ['composites, merged', c.where('state', '==', 1).where('kind', '==', 2).orderBy('at')],
    ['a composite, in another order', c.where('a', '==', 1).where('b', '==', 2).orderBy('at', 'desc')],
    ['a composite of an exempted field', c.where('secret', '==', 1).where('state', '==', 1)],
    ['the direction that an override leaves', c.orderBy('up')],
    [
      'ranges of two fields',
      c.where('kind', '==', 1).where('end', '>=', 1).where('at', '<', 1).orderBy('end').orderBy('at'),
    ],
    ['another collection', firestore.collection('d').where('secret', '==', 1)],
  ])('lets pass: %s', async (_, query) => {
    expect((await query.get()).size).toBe(0);
    expect((await query.count().get()).data()).toEqual({ count: 0 });
  });

  it.each<[string, Query]>([
    ['an exempted field', c.where('secret', '==', 1)],
    ['a field in an exempted field', c.where('secret.x', '==', 1)],
    ['a list in an exempted field', c.where('secret', 'in', [1])],
    ['an exempted list that holds', c.where('secret', 'array-contains', 1)],
    ['an exempted field with another', c.where('kind', '==', 1).where('secret', '==', 1)],
    ['a range of a field that expires documents', c.where('at', '<', 1)],
    ['an order by an exempted field', c.orderBy('secret')],
    ['an equality and a range', c.where('state', '==', 1).where('late', '<', 1)],
    ['an equality and an order', c.where('state', '==', 1).orderBy('late')],
    ['a composite in the other direction', c.where('state', '==', 1).orderBy('at', 'desc')],
    ['a composite with a filter too many', c.where('state', '==', 1).where('late', '==', 1).orderBy('at')],
    ['a composite with a filter too few', c.where('a', '==', 1).orderBy('at', 'desc')],
    ['a composite of another scope', c.where('b', '==', 1).orderBy('late')],
    [
      'ranges of two fields, in the other order',
      c.where('kind', '==', 1).where('end', '>=', 1).where('at', '<', 1).orderBy('at').orderBy('end'),
    ],
    ['ranges of two fields alone', c.where('end', '>=', 1).where('at', '<', 1).orderBy('end').orderBy('at')],
    ['two orders', c.orderBy('state').orderBy('kind')],
    ['ids against the order', c.orderBy('state').orderBy(id, 'desc')],
    ['ids descending', c.orderBy(id, 'desc')],
    ['the direction that an override does not leave', c.orderBy('up', 'desc')],
    ['a list that holds, by an override', c.where('up', 'array-contains', 1)],
    ['a field of a collection that is exempted', firestore.collection('every').where('f', '==', 1)],
  ])('refuses: %s', async (_, query) => {
    const refused = { code: 9, message: expect.stringMatching(/index|descending key scans/) };
    await expect(query.get()).rejects.toMatchObject(refused);
    await expect(query.count().get()).rejects.toMatchObject(refused);
  });

  it("goes by the project's own file", async () => {
    const grants = createMemoryFirestore().firestore.collection('grants');
    await expect(grants.where('delete_at', '<', new Date()).get()).rejects.toMatchObject({ code: 9 });
    await expect(grants.where('job_id', '==', 'j').orderBy('policy_sha256').get()).rejects.toMatchObject({ code: 9 });
  });

  function ascending(fieldPath: string) {
    return { fieldPath, order: 'ASCENDING' };
  }

  function descending(fieldPath: string) {
    return { fieldPath, order: 'DESCENDING' };
  }
});
