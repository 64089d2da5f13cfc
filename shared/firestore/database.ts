// The part of Firestore that Keydesk uses, by the names of Google's client. Two things have this shape: that client, and the
// transport of the functions that run with every job (rest-database.ts).

import type { Timestamp as ClientTimestamp } from '@google-cloud/firestore';

/** When a document was written, as Firestore wrote it: to the microsecond, so it also says which version was read. */
export interface Timestamp {
  toMillis(): number;
}

export interface DocumentSnapshot {
  readonly id: string;
  readonly ref: DocumentReference;
  readonly exists: boolean;
  /** Undefined when there is no document. */
  readonly updateTime?: Timestamp | undefined;
  /** When it was read, by Firestore's clock; of a {@link HistoricDatabase} only. */
  readonly readTime?: ClientTimestamp;
  /** Its fields; times are Timestamps. Undefined when there is no document. */
  data(): Record<string, unknown> | undefined;
  get(field: string): unknown;
}

/** Without one, an update needs a document, of whatever version. */
export interface Precondition {
  /** The document is written only if nobody wrote it since then. */
  readonly lastUpdateTime?: Timestamp;
}

export interface WriteResult {
  readonly writeTime: Timestamp;
}

/** Everything here rejects with an error that has google.rpc.Code as `code`. */
export interface DocumentReference {
  readonly id: string;
  /** Within the database: `grants/…`. */
  readonly path: string;
  get(): Promise<DocumentSnapshot>;
  create(data: Record<string, unknown>): Promise<WriteResult>;
  set(data: Record<string, unknown>): Promise<WriteResult>;
  update(data: Record<string, unknown>, precondition?: Precondition): Promise<WriteResult>;
}

/** Writes that are carried out together, or not at all. */
export interface WriteBatch {
  create(document: DocumentReference, data: Record<string, unknown>): WriteBatch;
  set(document: DocumentReference, data: Record<string, unknown>): WriteBatch;
  update(document: DocumentReference, data: Record<string, unknown>, precondition?: Precondition): WriteBatch;
  commit(): Promise<readonly WriteResult[]>;
}

export type Operator = '==' | '<' | '<=' | '>' | '>=' | 'in' | 'not-in' | 'array-contains';

export interface Query {
  /** A time is given as a Date. */
  where(field: string, operator: Operator, value: unknown): Query;
  orderBy(field: string): Query;
  limit(documents: number): Query;
  startAfter(document: DocumentSnapshot): Query;
  get(): Promise<{ readonly docs: DocumentSnapshot[] }>;
  count(): { get(): Promise<{ data(): { readonly count: number } }> };
}

export interface CollectionReference extends Query {
  doc(id: string): DocumentReference;
}

export interface Database {
  collection(id: string): CollectionReference;
  /** In the order of the arguments. Google's client takes options there as well, hence the member that no document has. */
  getAll(...documents: (DocumentReference & { readonly fieldMask?: never })[]): Promise<DocumentSnapshot[]>;
  batch(): WriteBatch;
}

/** Reads at one time. */
export interface Transaction {
  get(document: DocumentReference): Promise<DocumentSnapshot>;
  get(query: Query): Promise<{ readonly docs: DocumentSnapshot[] }>;
}

/** One that can be read as it was: only Google's client does that. */
export interface HistoricDatabase extends Database {
  collection(id: string): CollectionReference & { select(...fields: string[]): Query };
  runTransaction<T>(
    work: (reader: Transaction) => Promise<T>,
    options: { readonly readOnly: true; readonly readTime: ClientTimestamp },
  ): Promise<T>;
}

export interface DatabaseName {
  readonly project: string;
  readonly database: string;
}

export type OpenDatabase<T extends Database = Database> = (name: DatabaseName) => T;

/** As the field of an order: the documents' ids. */
export const DOCUMENT_ID = '__name__';
