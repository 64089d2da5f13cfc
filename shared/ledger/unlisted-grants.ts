// Records of grants that no list finds by its own query: a later release, or somebody by hand, wrote a state or a time that this release
// does not know. They are looked for by themselves, because a grant that is left out in silence looks like one that does not exist.

import { GRANT_STATES, LIVE_STATES } from '../core/grant/grant.ts';
import type { Database, Query } from '../firestore/database.ts';
import { parseAll } from '../firestore/records.ts';
import type { UnreadableRecord } from '../operations/ports.ts';
import { toGrant } from './documents.ts';

/** The most records that are named for each reason. */
const LIMIT = 100;
const ENDED_STATES = GRANT_STATES.filter((state) => !LIVE_STATES.some((live) => live === state));

/** Those of another state, which a list of live grants lacks. @param get reads one query */
export function readOtherStates(ledger: Database, get: (query: Query) => ReturnType<Query['get']>) {
  return readUnlisted([ledger.collection('grants').where('state', 'not-in', [...GRANT_STATES])], get);
}

/** Also those whose access has ended at something that is not a time, which a period lacks. */
export function readOtherTimes(ledger: Database, get: (query: Query) => ReturnType<Query['get']>) {
  const grants = ledger.collection('grants');
  // A comparison finds values of its own type alone.
  const ended = ['', Number.NEGATIVE_INFINITY, false].map((least) =>
    grants.where('access_ended_at', '>=', least).orderBy('access_ended_at').orderBy('created_at'),
  );
  const neverEnded = grants.where('state', 'in', ENDED_STATES).where('access_ended_at', '==', null);
  return readUnlisted([...ended, neverEnded], get);
}

async function readUnlisted(
  queries: readonly Query[],
  get: (query: Query) => ReturnType<Query['get']>,
): Promise<UnreadableRecord[]> {
  const found = await Promise.all(queries.map((query) => get(query.limit(LIMIT))));
  return found.flatMap(({ docs }) => {
    const { loaded, unreadable } = parseAll(docs, toGrant);
    const error = 'no list finds it: its state and the end of its access do not fit each other';
    return [...unreadable, ...loaded.map(({ read: { id } }) => ({ id, error }))];
  });
}
