// Finds grants for people, page by page, all of them as the ledger was at one time. Firestore keeps what it needs for that for one hour;
// with point-in-time recovery whole minutes are kept for seven days, which pages do not use.
// Source: cloud.google.com/firestore/docs/use-pitr.

import { Timestamp } from '@google-cloud/firestore';
import { fitsFilters, type GrantFilters } from '../core/grant/filters.ts';
import { type Grant, LIVE_STATES } from '../core/grant/grant.ts';
import {
  type CollectionReference,
  DOCUMENT_ID,
  type DocumentSnapshot,
  type HistoricDatabase,
  type Query,
  type Transaction,
} from '../firestore/database.ts';
import { parseAll } from '../firestore/records.ts';
import type { FoundGrants, GrantPosition, UnreadableRecord } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { blocksDocument, grantDocument, pagesOf, toGrant, withLedgerTimeout } from './documents.ts';
import { readOtherStates, readOtherTimes } from './unlisted-grants.ts';

/** Documents of one query: a grant with many tokens is large. */
const PER_READ = 100;
/** Documents that are read for one page, also when few of them fit. */
const PER_PAGE = 2_000;
/** After which a page ends where it is. */
const PAGE_MS = 10_000;
/** Later than every time on record. */
const END_OF_TIME = new Date(Date.UTC(9999, 0));

export function createGrantFinder(ledger: HistoricDatabase, clock: Clock) {
  const grants = ledger.collection('grants');

  /** Where a list is by state or by time, what its queries cannot find. */
  const readUnlisted = async (reader: Transaction, filters: GrantFilters): Promise<readonly UnreadableRecord[]> => {
    if (filters.token_sha256 !== undefined || filters.job_id !== undefined) return [];
    const get = (query: Query) => withLedgerTimeout(clock, reader.get(query));
    const inPeriod = filters.from !== undefined || filters.to !== undefined;
    if (!inPeriod && !filters.states) return [];
    const found = [readOtherStates(ledger, get), ...(inPeriod ? [readOtherTimes(ledger, get)] : [])];
    const records = (await Promise.all(found)).flat();
    return [...new Map(records.map((record) => [record.id, record])).values()];
  };

  const find = async (reader: Transaction, filters: GrantFilters, limit: number, position: GrantPosition) => {
    const queries = queriesFor(grants, filters);
    const page = new Page(filters, limit, clock.now() + PAGE_MS);
    let start: DocumentSnapshot | undefined;
    if (position.id !== null) {
      start = await withLedgerTimeout(clock, reader.get(grantDocument(ledger, position.id)));
      if (!start.exists || !queries[position.query]) return undefined;
    }
    for (let at = position.query; at < queries.length; at += 1) {
      for await (const docs of pagesOf(clock, queries[at] as Query, { size: PER_READ, after: start, reader })) {
        const last = page.add(docs, clock.now());
        if (last) return { ...page.found(), next: { as_of: position.as_of, query: at, id: last.id } };
      }
      start = undefined;
    }
    const { grants: found, unreadable } = page.found();
    return { grants: found, unreadable: [...unreadable, ...(await readUnlisted(reader, filters))], next: undefined };
  };

  return async (
    filters: GrantFilters,
    { limit, position }: { readonly limit: number; readonly position?: GrantPosition | undefined },
  ): Promise<FoundGrants | undefined> => {
    const from = position ?? { as_of: await presentOf(ledger, clock), query: 0, id: null };
    const readTime = new Timestamp(from.as_of.seconds, from.as_of.nanoseconds);
    const found = await ledger.runTransaction((reader) => find(reader, filters, limit, from), {
      readOnly: true,
      readTime,
    });
    return found && { ...found, as_of: from.as_of };
  };
}

/** What one page has collected. */
class Page {
  readonly #filters: GrantFilters;
  readonly #limit: number;
  readonly #until: number;
  readonly #grants: Grant[] = [];
  readonly #unreadable: UnreadableRecord[] = [];
  #read = 0;

  constructor(filters: GrantFilters, limit: number, until: number) {
    this.#filters = filters;
    this.#limit = limit;
    this.#until = until;
  }

  /** @returns the document with which the page ends; undefined while it has room */
  add(docs: readonly DocumentSnapshot[], now: number): DocumentSnapshot | undefined {
    for (const document of docs) {
      const { loaded, unreadable } = parseAll([document], toGrant);
      // Nobody knows whether one that cannot be read fits.
      this.#unreadable.push(...unreadable);
      this.#grants.push(...loaded.flatMap(({ record }) => (fitsFilters(record, this.#filters) ? [record] : [])));
      this.#read += 1;
      if (this.#grants.length + this.#unreadable.length >= this.#limit) return document;
    }
    return this.#read >= PER_PAGE || now >= this.#until ? docs.at(-1) : undefined;
  }

  found() {
    return { grants: this.#grants, unreadable: this.#unreadable };
  }
}

/**
 * Queries that together find every grant that fits, and no grant twice. What they do not ask for is compared afterwards: past leases are not
 * indexed, and of two indexes Firestore merges only those in the same order.
 */
function queriesFor(grants: CollectionReference, filters: GrantFilters): Query[] {
  const byId = DOCUMENT_ID;
  const { token_sha256, job_id, states, from, to, environment } = filters;
  if (token_sha256 !== undefined) return [grants.where('token_sha256s', 'array-contains', token_sha256).orderBy(byId)];
  if (job_id !== undefined) return [grants.where('subject.id', '==', job_id).orderBy(byId)];
  const named = namedIn(grants, filters);
  if (from === undefined && to === undefined)
    return [(states ? named.where('state', 'in', [...states]) : named).orderBy(byId)];
  const ended = environment === undefined ? grants : grants.where('environment', '==', environment);
  return [
    ended
      .where('access_ended_at', '>=', new Date(from ?? 0))
      .where('created_at', '<', to === undefined ? END_OF_TIME : new Date(to))
      .orderBy('access_ended_at')
      .orderBy('created_at'),
    named
      .where('state', 'in', [...LIVE_STATES])
      .where('access_ended_at', '==', null)
      .orderBy(byId),
  ];
}

/** By the fields that have an index of their own. */
function namedIn(grants: CollectionReference, filters: GrantFilters): Query {
  const fields = {
    'subject.pipeline_id': filters.pipeline_id,
    'subject.pipeline_slug': filters.pipeline_slug,
    'subject.build_branch': filters.build_branch,
    credential: filters.credential,
    environment: filters.environment,
  };
  let query: Query = grants;
  for (const [field, value] of Object.entries(fields)) if (value !== undefined) query = query.where(field, '==', value);
  return query;
}

/** By Firestore's clock. */
async function presentOf(ledger: HistoricDatabase, clock: Clock): Promise<GrantPosition['as_of']> {
  const { readTime } = await withLedgerTimeout(clock, blocksDocument(ledger).get());
  if (!readTime) throw new Error('a document without the time at which it was read');
  return { seconds: readTime.seconds, nanoseconds: readTime.nanoseconds };
}
