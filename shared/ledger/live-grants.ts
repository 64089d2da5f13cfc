// Every grant that has not come to its end, in pages.

import { FieldPath, type Firestore, type QueryDocumentSnapshot } from '@google-cloud/firestore';
import { parseAll } from '../firestore/records.ts';
import type { GrantPage } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { toGrant, withLedgerTimeout } from './documents.ts';

const PAGE = 100;

/** Throws DependencyError. */
export async function* readLiveGrants(ledger: Firestore, clock: Clock): AsyncIterable<GrantPage> {
  const live = ledger.collection('grants').where('state', 'in', ['issuing', 'active', 'revoking']);
  const byId = live.orderBy(FieldPath.documentId()).limit(PAGE);
  for (let last: QueryDocumentSnapshot | undefined; ; ) {
    const { docs } = await withLedgerTimeout(clock, (last ? byId.startAfter(last) : byId).get());
    const { loaded, unreadable } = parseAll(docs, toGrant);
    yield { grants: loaded.map(({ record }) => record), unreadable };
    if (docs.length < PAGE) return;
    last = docs.at(-1);
  }
}
