// Where the ledger's documents lie, what records they hold, and how a record is written: only if nobody wrote it since it was
// read, and only where the state machine has such a step.

import { type Grant, grantSchema } from '../core/grant/grant.ts';
import { type JobRecord, jobRecordSchema } from '../core/grant/job-record.ts';
import { assertGrantTransition } from '../core/grant/transitions.ts';
import { type Blocks, blocksSchema } from '../core/kill-switch.ts';
import { isPooledGrant } from '../core/kinds/pooled-service-account.ts';
import { type Account, accountSchema } from '../core/pool/account.ts';
import { afterGrantChange } from '../core/pool/lifecycle.ts';
import { assertAccountTransition } from '../core/pool/transitions.ts';
import { LEDGER_DEADLINE_MS } from '../core/timing.ts';
import type {
  Database,
  DocumentReference,
  DocumentSnapshot,
  Query,
  Timestamp,
  Transaction,
  WriteBatch,
} from '../firestore/database.ts';
import { type Loaded, parseAll, parseRecord, putIfUnchanged, retryOnConflict } from '../firestore/records.ts';
import type { Clock } from '../runtime/clock.ts';
import { withTimeout } from '../runtime/errors.ts';

export function grantDocument(ledger: Database, id: string): DocumentReference {
  return ledger.collection('grants').doc(id);
}

export function jobDocument(ledger: Database, jobId: string): DocumentReference {
  return ledger.collection('jobs').doc(jobId);
}

export function accountDocument(ledger: Database, email: string): DocumentReference {
  return ledger.collection('service_accounts').doc(email);
}

/** The blocks of the kill switch that are in force. */
export function blocksDocument(ledger: Database): DocumentReference {
  return ledger.collection('blocks').doc('current');
}

/** A document, and when it was last written; undefined: it is not there. */
export type Read = Pick<DocumentSnapshot, 'ref' | 'updateTime'>;

/** The record in a document; undefined when there is none. @throws DependencyError when the document is not a grant */
export function toGrant(snapshot: DocumentSnapshot): Grant | undefined {
  return parseRecord(grantSchema, snapshot);
}

/** The same for a job. */
export function toJobRecord(snapshot: DocumentSnapshot): JobRecord | undefined {
  return parseRecord(jobRecordSchema, snapshot);
}

/** The same for a pooled account. */
export function toAccount(snapshot: DocumentSnapshot): Account | undefined {
  return parseRecord(accountSchema, snapshot);
}

/** The blocks in a document; none when there is no document. */
export function toBlocks(snapshot: DocumentSnapshot): Blocks {
  return parseRecord(blocksSchema, snapshot)?.blocks ?? [];
}

/**
 * Adds a grant to a commit; `updated` as in {@link putIfUnchanged}. `write_id` lets a writer recognise its own write when
 * Firestore's response was lost.
 */
export function putGrant(
  batch: WriteBatch,
  document: DocumentReference,
  updated: Timestamp | undefined,
  {
    before,
    after,
    write_id,
  }: { readonly before: Grant | undefined; readonly after: Grant; readonly write_id?: string },
): void {
  assertGrantTransition(before, after);
  // By these a token is found again: /revoke and /introspect know nothing else of it.
  const token_sha256s = after.tokens.map(({ sha256 }) => sha256);
  const all: Record<string, unknown> = { ...after, token_sha256s, write_id: write_id ?? null };
  // A grant with many tokens is large, and the end of a job writes all its grants in one commit.
  const same = (name: string) =>
    before !== undefined && name in before && before[name as keyof Grant] === after[name as keyof Grant];
  const changed = Object.entries(all).filter(([name]) => !same(name) && !(name === 'token_sha256s' && same('tokens')));
  putIfUnchanged(batch, document, updated, updated ? Object.fromEntries(changed) : all);
}

/** Adds a job's record to a commit; `write_id` as in {@link putGrant}. */
export function putJob(batch: WriteBatch, read: Read, after: JobRecord, write_id?: string): void {
  putIfUnchanged(batch, read.ref, read.updateTime, { ...after, write_id: write_id ?? null });
}

/** Adds a pooled account to a commit. */
export function putAccount(
  batch: WriteBatch,
  read: DocumentSnapshot,
  before: Account | undefined,
  after: Account,
): void {
  assertAccountTransition(before, after);
  putIfUnchanged(batch, read.ref, read.updateTime, after);
}

/**
 * Adds a grant's next record to a commit, and the record of the pooled account that serves it.
 * @param accounts as read by {@link loadAccounts}
 */
export function putTransition(
  batch: WriteBatch,
  { read, record: before }: Loaded<Grant>,
  after: Grant,
  accounts: ReadonlyMap<string, Loaded<Account>>,
  now: number,
  write_id?: string,
): void {
  putGrant(batch, read.ref, read.updateTime, { before, after, ...(write_id === undefined ? {} : { write_id }) });
  if (!isPooledGrant(after)) return;
  const account = accounts.get(after.service_account);
  const followed = account && afterGrantChange(account.record, after, now);
  if (followed) putAccount(batch, account.read, account.record, followed);
}

/**
 * What the query finds, in reads of at most `size` documents, and at most `limit` of them. @throws DependencyError
 * @param options.after the document after which it begins
 * @param options.reader the transaction in which it reads
 */
export async function* pagesOf(
  clock: Clock,
  query: Query,
  options: {
    readonly size: number;
    readonly limit?: number;
    readonly after?: DocumentSnapshot | undefined;
    readonly reader?: Transaction;
  },
): AsyncGenerator<DocumentSnapshot[]> {
  const { size, reader } = options;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  for (let last = options.after; left > 0; ) {
    const wanted = Math.min(size, left);
    const next = (last ? query.startAfter(last) : query).limit(wanted);
    const { docs } = await withLedgerTimeout(clock, reader ? reader.get(next) : next.get());
    yield docs;
    if (docs.length < wanted) return;
    left -= docs.length;
    last = docs.at(-1);
  }
}

/** All of {@link pagesOf} at once. */
export async function readPages(...args: Parameters<typeof pagesOf>): Promise<DocumentSnapshot[]> {
  const found: DocumentSnapshot[] = [];
  for await (const docs of pagesOf(...args)) found.push(...docs);
  return found;
}

/** The pooled accounts that the grants name, by e-mail address. */
export async function loadAccounts(ledger: Database, grants: readonly Grant[]): Promise<Map<string, Loaded<Account>>> {
  const emails = grants.filter(isPooledGrant).map(({ service_account }) => service_account);
  if (emails.length === 0) return new Map();
  const documents = await ledger.getAll(...emails.map((email) => accountDocument(ledger, email)));
  return new Map(parseAll(documents, toAccount).loaded.map((loaded) => [loaded.read.id, loaded]));
}

/** What the ledger returns. @throws DependencyError when it fails or is too slow */
export function withLedgerTimeout<T>(
  clock: Clock,
  work: Promise<T>,
  until = clock.now() + LEDGER_DEADLINE_MS,
): Promise<T> {
  return withTimeout({ clock, milliseconds: Math.max(0, until - clock.now()), dependency: 'ledger' }, work);
}

/** The same of {@link retryOnConflict}. */
export function commitWithRetry<T>(clock: Clock, attempt: () => Promise<T>): Promise<T> {
  return withLedgerTimeout(clock, retryOnConflict(clock, attempt));
}
