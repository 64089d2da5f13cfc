// `GET /grants`: a page of grants. All pages of a list show the ledger, and the time, of the first.

import { auditEvent } from '../../shared/audit/events.ts';
import { toGrantSummary } from '../../shared/core/operator-api/grant.ts';
import { describeFilters, toGrantFilters, withDefaultState } from '../../shared/core/operator-api/grant-list.ts';
import type { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ReaderClients } from '../../shared/wiring/reader.ts';
import type { Failure, PrivateHandlers } from '../runtime/private-handler.ts';
import { CURSOR_LIFE_MS, parseCursor, toCursor } from './cursor.ts';
import { fromLedgerTime } from './ledger-time.ts';
import { unknownNames } from './unknown-names.ts';

const DEFAULT_PER_PAGE = 200;

type ListGrants = PrivateHandlers<typeof READER_ROUTES>['listGrants'];

export function createListGrants(loadClients: () => Promise<ReaderClients>, clock: Clock): ListGrants {
  return async ({ actor, query: { limit = DEFAULT_PER_PAGE, cursor: written, ...onWire } }) => {
    const filters = toGrantFilters(onWire);
    const { from, to } = filters;
    if (from !== undefined && to !== undefined && from >= to) return invalid('`from` must be before `to`.');
    const cursor = written === undefined ? undefined : parseCursor(written, filters);
    if (written !== undefined && !cursor) return NO_CURSOR;
    const begun_at = cursor?.begun_at ?? clock.now();
    if (clock.now() - begun_at > CURSOR_LIFE_MS) return CURSOR_EXPIRED;
    const clients = await loadClients();
    const found = await clients.readerLedger.findGrants(filters, { limit, position: cursor?.position });
    if (!found) return NO_CURSOR;
    const inForce = withDefaultState(onWire);
    const isEmpty = !cursor && found.grants.length === 0;
    return {
      body: {
        as_of: fromLedgerTime(found.as_of),
        filters: inForce,
        grants: found.grants.map((grant) => toGrantSummary(grant, begun_at)),
        unreadable: found.unreadable.map(({ id, error }) => ({ grant_id: id, error })),
        unknown: isEmpty ? await unknownNames(clients, onWire) : [],
        next_cursor: found.next ? toCursor({ position: found.next, begun_at }, filters) : null,
      },
      auditEvents: [auditEvent('operator.read', { actor, operation: 'listGrants', about: describeFilters(inForce) })],
    };
  };
}

const NO_CURSOR = invalid('`cursor` is not one that belongs to these filters. Begin again without it.');
const CURSOR_EXPIRED: Failure = {
  status: 400,
  error: 'cursor_expired',
  description:
    'The first page was read more than 55 minutes ago, and Firestore keeps the state of that time for an hour. Begin again without `cursor`, or use narrower filters.',
};

function invalid(description: string): Failure {
  return { status: 400, error: 'invalid_request', description };
}
