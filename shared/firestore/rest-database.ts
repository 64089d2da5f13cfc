// A Firestore database over its REST API, with as little work for each call as it takes: the ledger of the functions that run with
// every job. It has what these functions need, under the names of Google's client.

import type { Clock } from '../runtime/clock.ts';
import type { HttpClient } from '../runtime/http-client.ts';
import {
  type CollectionReference,
  type Database,
  type DatabaseName,
  DOCUMENT_ID,
  type DocumentReference,
  type DocumentSnapshot,
  type OpenDatabase,
  type Operator,
  type Precondition,
  type Query,
  type WriteBatch,
  type WriteResult,
} from './database.ts';
import { isDocumentId } from './document-id.ts';
import { openOnce } from './open-once.ts';
import { type CallFirestore, createFirestoreApi } from './rest-api.ts';
import { decodeFields, decodeValue, encodeFields, encodeValue, type Fields, StoredTime, type Value } from './values.ts';

/** `projects.databases.documents`: a document as it is stored. */
interface StoredDocument {
  readonly name: string;
  readonly fields?: Fields;
  readonly updateTime: string;
}

/** With the function's own identity; with none for the emulator, which takes `owner` for one that the rules do not bind. */
export function createRestOpener({
  sendRequest,
  sendAsService,
  emulatorHost,
  clock,
}: {
  readonly sendRequest: HttpClient;
  readonly sendAsService: HttpClient;
  readonly emulatorHost: string | undefined;
  readonly clock: Clock;
}): OpenDatabase {
  const asOwner: HttpClient = (request) => sendRequest({ ...request, headers: { authorization: 'Bearer owner' } });
  const api = emulatorHost
    ? { send: asOwner, url: `http://${emulatorHost}`, clock }
    : { send: sendAsService, url: 'https://firestore.googleapis.com', clock };
  return openOnce((name) => createRestDatabase(name, createFirestoreApi(api, name)));
}

export function createRestDatabase({ project, database }: DatabaseName, call: CallFirestore): Database {
  const root = `projects/${project}/databases/${database}/documents/`;
  return new RestDatabase(root, call);
}

class RestDatabase implements Database {
  readonly root: string;
  readonly call: CallFirestore;

  constructor(root: string, call: CallFirestore) {
    this.root = root;
    this.call = call;
  }

  collection(id: string): CollectionReference {
    return new RestCollection(this, id);
  }

  async getAll(...documents: DocumentReference[]): Promise<DocumentSnapshot[]> {
    const names = documents.map(({ path }) => this.root + path);
    const response = partsOf<Found>(await this.call('batchGet', { documents: [...new Set(names)] }));
    const found = new Map(response.flatMap(({ found }) => (found ? [[found.name, checkedDocument(found)]] : [])));
    const missing = new Set(response.flatMap(({ missing }) => missing ?? []));
    return documents.map((document) => {
      const name = this.root + document.path;
      const stored = found.get(name);
      if (!stored && !missing.has(name)) throw new Error(`Firestore's response lacks ${document.path}`);
      return new RestSnapshot(document, stored);
    });
  }

  batch(): WriteBatch {
    return new RestBatch(this);
  }

  async commit(writes: readonly object[]): Promise<WriteResult[]> {
    const { writeResults = [], commitTime } = (await this.call('commit', { writes })) as Committed;
    if (partsOf(writeResults).length !== writes.length)
      throw new Error("Firestore's response lacks a result for each write");
    return writeResults.map(({ updateTime }) => ({ writeTime: new StoredTime(updateTime ?? commitTime) }));
  }
}

/** @throws Error when it is no list of objects */
function partsOf<T extends object>(response: unknown): readonly T[] {
  if (Array.isArray(response) && response.every(isObject)) return response as T[];
  throw new Error("Firestore's response has another form than its API documents");
}

function checkedDocument(document: StoredDocument): StoredDocument {
  const { name, fields = {}, updateTime } = document;
  if (typeof name === 'string' && typeof updateTime === 'string' && isObject(fields)) return document;
  throw new Error("Firestore's response has a document in another form than its API documents");
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

interface Found {
  readonly found?: StoredDocument;
  readonly missing?: string;
}

interface Committed {
  /** A write that changed nothing has the `updateTime` of the last change; a deletion has none. */
  readonly writeResults?: readonly { readonly updateTime?: string }[];
  readonly commitTime: string;
}

class RestDocument implements DocumentReference {
  readonly id: string;
  readonly path: string;
  readonly #database: RestDatabase;

  constructor(database: RestDatabase, collection: string, id: string) {
    this.#database = database;
    this.id = checkedId(id);
    this.path = `${collection}/${id}`;
  }

  async get(): Promise<DocumentSnapshot> {
    const [snapshot] = await this.#database.getAll(this);
    return snapshot as DocumentSnapshot;
  }

  create(data: Record<string, unknown>): Promise<WriteResult> {
    return onlyResult(this.#database.batch().create(this, data));
  }

  set(data: Record<string, unknown>): Promise<WriteResult> {
    return onlyResult(this.#database.batch().set(this, data));
  }

  update(data: Record<string, unknown>, precondition?: Precondition): Promise<WriteResult> {
    return onlyResult(this.#database.batch().update(this, data, precondition));
  }
}

async function onlyResult(batch: WriteBatch): Promise<WriteResult> {
  const [result] = await batch.commit();
  return result as WriteResult;
}

class RestSnapshot implements DocumentSnapshot {
  readonly ref: DocumentReference;
  readonly #stored: StoredDocument | undefined;

  constructor(ref: DocumentReference, stored: StoredDocument | undefined) {
    this.ref = ref;
    this.#stored = stored;
  }

  get id(): string {
    return this.ref.id;
  }

  get exists(): boolean {
    return this.#stored !== undefined;
  }

  get updateTime(): StoredTime | undefined {
    return this.#stored && new StoredTime(this.#stored.updateTime);
  }

  data(): Record<string, unknown> | undefined {
    return this.#stored && decodeFields(this.#stored.fields ?? {});
  }

  get(field: string): unknown {
    const value = this.valueOf(field);
    return value && decodeValue(value);
  }

  /** As it is stored. */
  valueOf(field: string): Value | undefined {
    let fields: Fields = this.#stored?.fields ?? {};
    const [last, ...outer] = field.split('.').reverse() as [string, ...string[]];
    for (const name of outer.reverse()) fields = innerFields(fields[name]);
    return fields[last];
  }
}

function innerFields(value: Value | undefined): Fields {
  return (value?.mapValue as { readonly fields?: Fields } | undefined)?.fields ?? {};
}

class RestBatch implements WriteBatch {
  readonly #database: RestDatabase;
  readonly #writes: object[] = [];

  constructor(database: RestDatabase) {
    this.#database = database;
  }

  create(document: DocumentReference, data: Record<string, unknown>): WriteBatch {
    this.#writes.push(toCreate(this.#database.root, document, data));
    return this;
  }

  set(document: DocumentReference, data: Record<string, unknown>): WriteBatch {
    this.#writes.push(toSet(this.#database.root, document, data));
    return this;
  }

  update(document: DocumentReference, data: Record<string, unknown>, precondition?: Precondition): WriteBatch {
    this.#writes.push(toUpdate(this.#database.root, document, data, precondition));
    return this;
  }

  commit(): Promise<WriteResult[]> {
    return this.#database.commit(this.#writes);
  }
}

function toCreate(root: string, { path }: DocumentReference, data: Record<string, unknown>): object {
  return { update: { name: root + path, fields: encodeFields(data) }, currentDocument: { exists: false } };
}

function toSet(root: string, { path }: DocumentReference, data: Record<string, unknown>): object {
  return { update: { name: root + path, fields: encodeFields(data) } };
}

function toUpdate(
  root: string,
  { path }: DocumentReference,
  data: Record<string, unknown>,
  { lastUpdateTime }: Precondition = {},
): object {
  if (lastUpdateTime !== undefined && !(lastUpdateTime instanceof StoredTime))
    throw new Error(`the version of ${path} was not read from this database`);
  return {
    update: { name: root + path, fields: encodeFields(data) },
    updateMask: { fieldPaths: Object.keys(data).map(checkedName) },
    currentDocument: lastUpdateTime ? { updateTime: lastUpdateTime.text } : { exists: true },
  };
}

/** A field path of one name that needs no quotes: cloud.google.com/firestore/docs/reference/rest/v1/StructuredQuery#FieldReference. */
function checkedName(name: string): string {
  if (!/^[a-zA-Z_][a-zA-Z_0-9]*$/.test(name))
    throw new Error(`an update of the field ${JSON.stringify(name)} is not supported`);
  return name;
}

function checkedId(id: string): string {
  if (!isDocumentId(id)) throw new Error(`no document can have the id ${JSON.stringify(id)}`);
  return id;
}

const OPERATORS: Readonly<Record<Operator, string>> = {
  '==': 'EQUAL',
  '<': 'LESS_THAN',
  '<=': 'LESS_THAN_OR_EQUAL',
  '>': 'GREATER_THAN',
  '>=': 'GREATER_THAN_OR_EQUAL',
  in: 'IN',
  'not-in': 'NOT_IN',
  'array-contains': 'ARRAY_CONTAINS',
};

function toFilter(field: { readonly fieldPath: string }, operator: Operator, value: unknown): object {
  if (value === null) {
    if (operator !== '==') throw new Error(`nothing is ${operator} null`);
    return { unaryFilter: { field, op: 'IS_NULL' } };
  }
  return { fieldFilter: { field, op: OPERATORS[operator], value: encodeValue(value, field.fieldPath) } };
}

/** A query as it was put together. */
interface Parts {
  readonly filters: readonly object[];
  readonly orders: readonly string[];
  readonly limit?: number;
  readonly after?: readonly Value[];
}

/** cloud.google.com/firestore/docs/reference/rest/v1/StructuredQuery */
class RestQuery implements Query {
  protected readonly database: RestDatabase;
  readonly #collection: string;
  readonly #parts: Parts;

  constructor(database: RestDatabase, collection: string, parts: Parts) {
    this.database = database;
    this.#collection = collection;
    this.#parts = parts;
  }

  where(field: string, operator: Operator, value: unknown): Query {
    return this.#with({ filters: [...this.#parts.filters, toFilter({ fieldPath: field }, operator, value)] });
  }

  /** Ascending. A query with a bound other than `==` is to be ordered by that field first. */
  orderBy(field: string): Query {
    return this.#with({ orders: [...this.#parts.orders, field] });
  }

  limit(limit: number): Query {
    return this.#with({ limit });
  }

  startAfter(document: DocumentSnapshot): Query {
    if (!(document instanceof RestSnapshot)) throw new Error('a document of another database');
    const values = ordersBeforeId(this.#parts.orders).map((field) => {
      const value = document.valueOf(field);
      if (!value) throw new Error(`the document ${document.ref.path} has no ${field} to go on after`);
      return value;
    });
    return this.#with({ after: [...values, { referenceValue: this.database.root + document.ref.path }] });
  }

  async get(): Promise<{ readonly docs: DocumentSnapshot[] }> {
    const response = partsOf<Matched>(await this.database.call('runQuery', { structuredQuery: this.#structured() }));
    return { docs: response.flatMap(({ document }) => (document ? [this.#toSnapshot(document)] : [])) };
  }

  count(): { get(): Promise<{ data(): { readonly count: number } }> } {
    const structuredAggregationQuery = {
      structuredQuery: this.#structured(),
      aggregations: [{ alias: 'count', count: {} }],
    };
    return {
      get: async () => {
        const [response] = partsOf<Counted>(
          await this.database.call('runAggregationQuery', { structuredAggregationQuery }),
        );
        const count = Number(response?.result?.aggregateFields?.count?.integerValue);
        if (!Number.isSafeInteger(count)) throw new Error("Firestore's response has no count");
        return { data: () => ({ count }) };
      },
    };
  }

  #structured(): object {
    const { filters, orders, limit, after } = this.#parts;
    // Where a page goes on, the order is by id last, as Firestore adds it for itself.
    const fields = after ? [...ordersBeforeId(orders), DOCUMENT_ID] : orders;
    return {
      from: [{ collectionId: this.#collection }],
      ...(filters.length > 0 ? { where: { compositeFilter: { op: 'AND', filters } } } : {}),
      orderBy: fields.map((fieldPath) => ({ field: { fieldPath }, direction: 'ASCENDING' })),
      ...(limit === undefined ? {} : { limit }),
      ...(after ? { startAt: { values: after, before: false } } : {}),
    };
  }

  #toSnapshot(document: StoredDocument): DocumentSnapshot {
    const { name } = checkedDocument(document);
    const id = name.slice(name.lastIndexOf('/') + 1);
    return new RestSnapshot(new RestDocument(this.database, this.#collection, id), document);
  }

  #with(change: Partial<Parts>): Query {
    return new RestQuery(this.database, this.#collection, { ...this.#parts, ...change });
  }
}

function ordersBeforeId(orders: readonly string[]): readonly string[] {
  return orders.filter((field) => field !== DOCUMENT_ID);
}

interface Matched {
  readonly document?: StoredDocument;
}

interface Counted {
  readonly result?: { readonly aggregateFields?: { readonly count?: { readonly integerValue: string } } };
}

class RestCollection extends RestQuery implements CollectionReference {
  readonly #id: string;

  constructor(database: RestDatabase, id: string) {
    super(database, id, { filters: [], orders: [] });
    this.#id = id;
  }

  doc(id: string): DocumentReference {
    return new RestDocument(this.database, this.#id, id);
  }
}
