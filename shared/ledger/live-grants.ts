// Every grant that has not come to its end, in pages. The last page has the records with a state that this release does not know.

import { LIVE_STATES } from '../core/grant/grant.ts';
import { type Database, DOCUMENT_ID } from '../firestore/database.ts';
import { parseAll } from '../firestore/records.ts';
import type { GrantPage } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { pagesOf, toGrant, withLedgerTimeout } from './documents.ts';
import { readOtherStates } from './unlisted-grants.ts';

const PAGE = 100;

/** Throws DependencyError. */
export async function* readLiveGrants(ledger: Database, clock: Clock): AsyncIterable<GrantPage> {
  const live = ledger.collection('grants').where('state', 'in', [...LIVE_STATES]);
  for await (const docs of pagesOf(clock, live.orderBy(DOCUMENT_ID), { size: PAGE })) {
    const { loaded, unreadable } = parseAll(docs, toGrant);
    yield { grants: loaded.map(({ record }) => record), unreadable };
  }
  const unreadable = await readOtherStates(ledger, (query) => withLedgerTimeout(clock, query.get()));
  if (unreadable.length > 0) yield { grants: [], unreadable };
}
