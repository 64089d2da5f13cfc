// Every grant that has not come to its end, in pages.

import { LIVE_STATES } from '../core/grant/grant.ts';
import { type Database, DOCUMENT_ID } from '../firestore/database.ts';
import { parseAll } from '../firestore/records.ts';
import type { GrantPage } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { pagesOf, toGrant } from './documents.ts';

const PAGE = 100;

/** Throws DependencyError. */
export async function* readLiveGrants(ledger: Database, clock: Clock): AsyncIterable<GrantPage> {
  const live = ledger.collection('grants').where('state', 'in', [...LIVE_STATES]);
  for await (const docs of pagesOf(clock, live.orderBy(DOCUMENT_ID), { size: PAGE })) {
    const { loaded, unreadable } = parseAll(docs, toGrant);
    yield { grants: loaded.map(({ record }) => record), unreadable };
  }
}
