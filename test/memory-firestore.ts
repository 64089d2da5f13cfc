// Firestore in memory, for histories by the ten thousand: the part of the client that Keydesk uses, answering as the
// emulator does (memory-firestore.test.ts compares the two) and refusing, unlike it, a query without its index. Every
// round trip goes through `around`, where a test schedules it, drops it or loses its answer. The rest of the client throws.

import { readFileSync } from 'node:fs';
import {
  CollectionReference,
  DocumentReference,
  FieldPath,
  Firestore,
  Query,
  QueryDocumentSnapshot,
  QuerySnapshot,
  Timestamp,
  WriteBatch,
} from '@google-cloud/firestore';
import {
  checkedField,
  createIndexCheck,
  find,
  type IndexCheck,
  ordersOf,
  type QueryState,
  refuseUnsupported,
  type Stored,
  toFilter,
} from './memory-firestore-queries.ts';
import {
  ALREADY_EXISTS,
  compareTimestamps,
  decode,
  encode,
  encodeDocument,
  equal,
  FAILED_PRECONDITION,
  INVALID_ARGUMENT,
  NOT_FOUND,
  RpcError,
  segmentsOf,
  unsupported,
  type Value,
  type ValueMap,
  valueAt,
  withValues,
} from './memory-firestore-values.ts';

/** One request to Firestore: the documents' paths, or the collection's for a query. */
interface Call {
  readonly kind: 'read' | 'write';
  readonly paths: readonly string[];
}

/**
 * Called once for each round trip. `perform` is what happens in the database: at once, as a whole, again each time it is
 * called. It throws what Firestore would answer.
 */
export type Around = <T>(call: Call, perform: () => T) => Promise<T>;

interface Options {
  readonly around?: Around;
  /** What a firestore.indexes.json holds; the project's by default. */
  readonly indexes?: object | 'unchecked';
}

interface MemoryFirestore {
  readonly firestore: Firestore;
  /** What is stored now, by path. For reading only: it is not copied. */
  dump(): ReadonlyMap<string, Record<string, unknown>>;
}

const INDEX_FILE = new URL('../firestore.indexes.json', import.meta.url);
const projectIndexes = createIndexCheck(JSON.parse(readFileSync(INDEX_FILE, 'utf8')));
/** Seconds since the epoch at which an empty database is; each commit takes a microsecond. */
const BEGINNING = 1_700_000_000;

export function createMemoryFirestore(options: Options = {}): MemoryFirestore {
  const around: Around = options.around ?? (async (_, perform) => perform());
  const database = new Database(around, toIndexCheck(options.indexes));
  return { firestore: new MemoryClient(database) as unknown as Firestore, dump: () => database.dump() };
}

function toIndexCheck(indexes: Options['indexes']): IndexCheck {
  if (indexes === undefined) return projectIndexes;
  return indexes === 'unchecked' ? () => undefined : createIndexCheck(indexes);
}

interface Write {
  readonly document: MemoryDocument;
  readonly requires: { readonly exists: boolean } | { readonly lastUpdateTime: Timestamp } | undefined;
  /** The new data; undefined to delete. */
  readonly next: (data: ValueMap | undefined) => ValueMap | undefined;
}

/** What is stored, and the round trips to it. */
class Database {
  readonly around: Around;
  readonly #missingIndex: IndexCheck;
  readonly #collections = new Map<string, Map<string, Stored>>();
  #microseconds = 0;

  constructor(around: Around, missingIndex: IndexCheck) {
    this.around = around;
    this.#missingIndex = missingIndex;
  }

  find(state: QueryState): readonly MemorySnapshot[] {
    const { collection } = state;
    return find(this.#collections.get(collection) ?? new Map(), state, this.#missingIndex).map(
      ([id, stored]) => new MemorySnapshot(new MemoryDocument(this, collection, id), stored),
    );
  }

  read(document: MemoryDocument): MemorySnapshot {
    return new MemorySnapshot(document, this.#collections.get(document.collection)?.get(document.id));
  }

  /** All of the writes or, when one is refused, none. */
  commit(writes: readonly Write[]): { writeTime: Timestamp }[] {
    for (const { requires } of writes) refuseNanoseconds(requires);
    const prepared = writes.map((write) => {
      const stored = this.#collections.get(write.document.collection)?.get(write.document.id);
      refuseUnmet(write, stored);
      return { document: write.document, stored, data: write.next(stored?.data) };
    });
    this.#microseconds += 1;
    const now = new Timestamp(
      BEGINNING + Math.floor(this.#microseconds / 1_000_000),
      (this.#microseconds % 1_000_000) * 1_000,
    );
    return prepared.map(({ document, stored, data }) => {
      // A write that changes nothing leaves the update time, and answers with it.
      if (stored && data && equal(stored.data, data)) return { writeTime: stored.updateTime };
      const collection = this.#collections.get(document.collection) ?? new Map<string, Stored>();
      this.#collections.set(document.collection, collection);
      if (data) collection.set(document.id, { data, createTime: stored?.createTime ?? now, updateTime: now });
      else collection.delete(document.id);
      return { writeTime: now };
    });
  }

  dump(): Map<string, ValueMap> {
    const all = new Map<string, ValueMap>();
    for (const [collection, documents] of this.#collections) {
      for (const [id, { data }] of documents) all.set(`${collection}/${id}`, data);
    }
    return all;
  }
}

function refuseNanoseconds(requires: Write['requires']): void {
  if (requires && 'lastUpdateTime' in requires && requires.lastUpdateTime.nanoseconds % 1_000 !== 0) {
    throw new RpcError(INVALID_ARGUMENT, 'timestamp cannot have more than microseconds precision');
  }
}

function refuseUnmet({ document: { path }, requires }: Write, stored: Stored | undefined): void {
  if (!requires) return;
  if ('exists' in requires) {
    if (requires.exists && !stored) throw new RpcError(NOT_FOUND, `no entity to update: ${path}`);
    if (!requires.exists && stored) throw new RpcError(ALREADY_EXISTS, `entity already exists: ${path}`);
    return;
  }
  const age = stored ? compareTimestamps(requires.lastUpdateTime, stored.updateTime) : -1;
  if (age > 0) throw new RpcError(INVALID_ARGUMENT, `Invalid base version, it is greater than the stored: ${path}`);
  if (age < 0) throw new RpcError(FAILED_PRECONDITION, `the stored version is not the required base version: ${path}`);
}

class MemoryClient {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  collection(id: string): MemoryCollection {
    return new MemoryCollection(this.#database, checkedId(id));
  }

  getAll(...documents: readonly unknown[]): Promise<MemorySnapshot[]> {
    if (documents.length === 0) throw new Error('Function "Firestore.getAll()" requires at least 1 argument.');
    const all = documents.map((document) => documentOf(this.#database, document));
    const call: Call = { kind: 'read', paths: all.map(({ path }) => path) };
    return this.#database.around(call, () => all.map((document) => this.#database.read(document)));
  }

  batch(): MemoryBatch {
    return new MemoryBatch(this.#database);
  }
}

class MemoryDocument {
  readonly collection: string;
  readonly id: string;
  readonly path: string;
  readonly database: Database;

  constructor(database: Database, collection: string, id: string) {
    this.database = database;
    this.collection = collection;
    this.id = id;
    this.path = `${collection}/${id}`;
  }

  get(...more: readonly unknown[]): Promise<MemorySnapshot> {
    refuseMore(more);
    return this.database.around({ kind: 'read', paths: [this.path] }, () => this.database.read(this));
  }

  create(data: unknown, ...more: readonly unknown[]): Promise<{ writeTime: Timestamp }> {
    return this.#write(toCreate(this, data, more));
  }

  update(data: unknown, ...more: readonly unknown[]): Promise<{ writeTime: Timestamp }> {
    return this.#write(toUpdate(this, data, more));
  }

  set(data: unknown, ...more: readonly unknown[]): Promise<{ writeTime: Timestamp }> {
    return this.#write(toSet(this, data, more));
  }

  #write(write: Write): Promise<{ writeTime: Timestamp }> {
    return this.database.around({ kind: 'write', paths: [this.path] }, () => {
      const [result] = this.database.commit([write]);
      if (!result) throw new Error('a write without a result');
      return result;
    });
  }
}

class MemoryBatch {
  readonly #database: Database;
  readonly #writes: Write[] = [];
  #committed = false;

  constructor(database: Database) {
    this.#database = database;
  }

  create(document: unknown, data: unknown, ...more: readonly unknown[]): this {
    return this.#add(toCreate(documentOf(this.#database, document), data, more));
  }

  update(document: unknown, data: unknown, ...more: readonly unknown[]): this {
    return this.#add(toUpdate(documentOf(this.#database, document), data, more));
  }

  set(document: unknown, data: unknown, ...more: readonly unknown[]): this {
    return this.#add(toSet(documentOf(this.#database, document), data, more));
  }

  delete(document: unknown, ...more: readonly unknown[]): this {
    refuseMore(more);
    return this.#add({ document: documentOf(this.#database, document), requires: undefined, next: () => undefined });
  }

  /** May be called again, as the real one. */
  commit(): Promise<{ writeTime: Timestamp }[]> {
    this.#committed = true;
    const call: Call = { kind: 'write', paths: this.#writes.map(({ document }) => document.path) };
    return this.#database.around(call, () => this.#database.commit(this.#writes));
  }

  // The emulator merges two writes of one document, or refuses to, by rules that production does not have.
  #add(write: Write): this {
    if (this.#committed) throw new Error('Cannot modify a WriteBatch that has been committed.');
    if (this.#writes.some(({ document }) => document.path === write.document.path)) {
      throw unsupported(`two writes of ${write.document.path} in one batch`);
    }
    this.#writes.push(write);
    return this;
  }
}

function toCreate(document: MemoryDocument, data: unknown, more: readonly unknown[]): Write {
  refuseMore(more);
  const encoded = encodeDocument(data);
  return { document, requires: { exists: false }, next: () => encoded };
}

function toSet(document: MemoryDocument, data: unknown, more: readonly unknown[]): Write {
  refuseMore(more);
  const encoded = encodeDocument(data);
  return { document, requires: undefined, next: () => encoded };
}

function toUpdate(document: MemoryDocument, data: unknown, more: readonly unknown[]): Write {
  const [precondition, ...tooMany] = more;
  refuseMore(tooMany);
  const fields = toFields(data);
  return {
    document,
    requires: more.length === 0 ? { exists: true } : { lastUpdateTime: lastUpdateTimeOf(precondition) },
    next: (existing) => withValues(existing ?? {}, fields),
  };
}

function toFields(data: unknown): (readonly [readonly string[], Value])[] {
  if (typeof data !== 'object' || data === null) throw unsupported('an update given as fields and values');
  const names = Object.keys(data);
  if (names.length === 0) throw new Error('At least one field must be updated.');
  const dotted = names.filter((name) => name.includes('.'));
  const inner = dotted.find((name) => names.some((other) => name.startsWith(`${other}.`)));
  if (inner !== undefined) throw new Error(`Field "${inner}" was specified multiple times.`);
  return Object.entries(data).map(([name, value]) => [segmentsOf(name), encode(value, name)]);
}

function lastUpdateTimeOf(precondition: unknown): Timestamp {
  if (typeof precondition === 'object' && precondition !== null && Object.keys(precondition).length === 1) {
    const { lastUpdateTime } = precondition as { lastUpdateTime?: unknown };
    if (lastUpdateTime instanceof Timestamp) return lastUpdateTime;
  }
  throw unsupported('a precondition other than one lastUpdateTime');
}

function documentOf(database: Database, document: unknown): MemoryDocument {
  if (!(document instanceof MemoryDocument)) throw unsupported('anything but a document of its own here');
  if (document.database !== database) throw new Error(`${document.path} is a document of another database`);
  return document;
}

class MemorySnapshot {
  readonly ref: MemoryDocument;
  readonly id: string;
  readonly exists: boolean;
  readonly createTime: Timestamp | undefined;
  readonly updateTime: Timestamp | undefined;
  /** Not of the real API: the data as they are stored. */
  readonly stored: ValueMap | undefined;

  constructor(ref: MemoryDocument, stored: Stored | undefined) {
    this.ref = ref;
    this.id = ref.id;
    this.exists = stored !== undefined;
    this.createTime = stored?.createTime;
    this.updateTime = stored?.updateTime;
    this.stored = stored?.data;
  }

  data(): Record<string, unknown> | undefined {
    return this.stored && decode(this.stored);
  }

  get(field: string): unknown {
    const value = this.stored && valueAt(this.stored, segmentsOf(field));
    return value === undefined ? undefined : decode(value);
  }
}

class MemoryQuery {
  readonly #database: Database;
  readonly #state: QueryState;

  constructor(database: Database, state: QueryState) {
    this.#database = database;
    this.#state = state;
  }

  where(field: unknown, operator: unknown, operand: unknown, ...more: readonly unknown[]): MemoryQuery {
    refuseMore(more);
    if (this.#state.after) throw new Error('Cannot specify a where() filter after calling startAfter().');
    const filter = toFilter(field, operator, operand);
    return this.#with({ filters: [...this.#state.filters, filter] });
  }

  orderBy(field: unknown, direction: unknown = 'asc', ...more: readonly unknown[]): MemoryQuery {
    refuseMore(more);
    const { after, orders, ids } = this.#state;
    if (after) throw new Error('Cannot specify an orderBy() constraint after calling startAfter().');
    if (direction !== 'asc' && direction !== 'desc') throw new Error('Acceptable directions are: asc, desc');
    if (ids) throw unsupported('an order after that by document id');
    if (field instanceof FieldPath && field.isEqual(FieldPath.documentId())) return this.#with({ ids: direction });
    const name = checkedField(field);
    if (orders.some((order) => order.field === name)) throw unsupported(`a second order by ${name}`);
    return this.#with({ orders: [...orders, { field: name, segments: segmentsOf(name), direction }] });
  }

  limit(limit: number): MemoryQuery {
    if (!Number.isInteger(limit)) throw new Error('Value for argument "limit" is not a valid integer.');
    return this.#with({ limit });
  }

  /** @param after a snapshot; or an id, in an order by nothing else */
  startAfter(after: unknown, ...more: readonly unknown[]): MemoryQuery {
    refuseMore(more);
    const { orders, ids } = this.#state;
    if (typeof after === 'string' && ids && orders.length === 0) {
      return this.#with({ after: { id: checkedId(after), data: {} } });
    }
    if (!(after instanceof MemorySnapshot)) throw unsupported('startAfter() with these values');
    const { id, stored = {} } = after;
    const missing = ordersOf(this.#state).find(({ segments }) => valueAt(stored, segments) === undefined);
    if (missing) throw new Error(`Field "${missing.field}" is missing in the provided DocumentSnapshot.`);
    return this.#with({ after: { id, data: stored } });
  }

  get(...more: readonly unknown[]): Promise<MemoryQuerySnapshot> {
    refuseMore(more);
    return this.#run((snapshots) => new MemoryQuerySnapshot(snapshots));
  }

  count(): MemoryCount {
    return new MemoryCount(() => this.#run(({ length }) => ({ data: () => ({ count: length }) })));
  }

  #with(change: Partial<QueryState>): MemoryQuery {
    return new MemoryQuery(this.#database, { ...this.#state, ...change });
  }

  #run<T>(answer: (snapshots: readonly MemorySnapshot[]) => T): Promise<T> {
    const [database, state] = [this.#database, this.#state];
    refuseUnsupported(state);
    return database.around({ kind: 'read', paths: [state.collection] }, () => answer(database.find(state)));
  }
}

class MemoryCollection extends MemoryQuery {
  readonly id: string;
  readonly path: string;
  readonly #database: Database;

  constructor(database: Database, id: string) {
    super(database, { collection: id, filters: [], orders: [] });
    this.#database = database;
    this.id = id;
    this.path = id;
  }

  doc(id: unknown): MemoryDocument {
    return new MemoryDocument(this.#database, this.id, checkedId(id));
  }
}

class MemoryQuerySnapshot {
  readonly docs: readonly MemorySnapshot[];
  readonly size: number;
  readonly empty: boolean;

  constructor(docs: readonly MemorySnapshot[]) {
    this.docs = docs;
    this.size = docs.length;
    this.empty = docs.length === 0;
  }
}

class MemoryCount {
  readonly get: () => Promise<{ data: () => { count: number } }>;

  constructor(get: MemoryCount['get']) {
    this.get = get;
  }
}

function checkedId(id: unknown): string {
  if (typeof id !== 'string' || id === '' || id.includes('/') || id === '.' || id === '..' || /^__.*__$/.test(id)) {
    throw unsupported(`the id ${JSON.stringify(id)}`);
  }
  return id;
}

function refuseMore(more: readonly unknown[]): void {
  if (more.length > 0) throw unsupported('a further argument here');
}

/** Whatever else the real class offers throws, saying its name. */
function refuseTheRest(memory: { prototype: object }, real: { prototype: object }): void {
  const refused = new Set<string>();
  for (let of = real.prototype; of !== Object.prototype; of = Object.getPrototypeOf(of) as object) {
    for (const name of Object.getOwnPropertyNames(of)) refused.add(name);
  }
  for (const name of refused) {
    if (name.startsWith('_') || name in memory.prototype) continue;
    const get = () => {
      throw unsupported(`${real.prototype.constructor.name}.${name}`);
    };
    Object.defineProperty(memory.prototype, name, { get, configurable: true });
  }
}

refuseTheRest(MemoryClient, Firestore);
refuseTheRest(MemoryCollection, CollectionReference);
refuseTheRest(MemoryQuery, Query);
refuseTheRest(MemoryDocument, DocumentReference);
refuseTheRest(MemoryBatch, WriteBatch);
refuseTheRest(MemorySnapshot, QueryDocumentSnapshot);
refuseTheRest(MemoryQuerySnapshot, QuerySnapshot);
