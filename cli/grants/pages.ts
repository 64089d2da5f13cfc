// Reads grants from `reader`, page by page. All pages show the ledger at one time.

import {
  describeFilters,
  type GrantFiltersOnWire,
  type GrantList,
  MAX_PER_PAGE,
} from '../../shared/core/operator-api/grant-list.ts';
import type { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import type { OperatorApi } from '../operator-api.ts';
import { note } from '../terminal.ts';

export type ReaderApi = OperatorApi<typeof READER_ROUTES>;

export async function* grantPages(call: ReaderApi, filters: GrantFiltersOnWire): AsyncGenerator<GrantList> {
  for (let cursor: string | undefined; ; ) {
    const page = await call('listGrants', { query: { ...filters, cursor, limit: `${MAX_PER_PAGE}` } });
    yield page;
    if (page.next_cursor === null) return;
    cursor = page.next_cursor;
  }
}

/** All of it, without its cursor, the oldest grant first. Says how far it is on a terminal. */
export async function readAllGrants(
  call: ReaderApi,
  filters: GrantFiltersOnWire,
): Promise<Omit<GrantList, 'next_cursor'>> {
  const grants: GrantList['grants'] = [];
  const unreadable: GrantList['unreadable'] = [];
  let first: GrantList | undefined;
  for await (const page of grantPages(call, filters)) {
    first ??= page;
    grants.push(...page.grants);
    unreadable.push(...page.unreadable);
    if (page.next_cursor !== null && process.stderr.isTTY) note(`${grants.length} grants so far ...`);
  }
  if (!first) throw new Error('a list has at least one page');
  grants.sort((one, other) => compare(one.created_at, other.created_at) || compare(one.grant_id, other.grant_id));
  const { as_of, filters: inForce } = first;
  return { as_of, filters: inForce, grants, unreadable, unknown: grants.length > 0 ? [] : first.unknown };
}

/** For people, after a list: how many, and what was searched. */
export function summaryLine(found: { count: number; as_of: string; filters: GrantFiltersOnWire }): string {
  const { count, as_of, filters } = found;
  const how = count === 0 ? 'No grant matches' : count === 1 ? '1 grant' : `${count} grants`;
  return `${how}: ${describeFilters(filters)}. Times are UTC. The ledger as of ${as_of}.`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
