// Why a list of grants is empty: names that nothing has, and periods that the ledger does not cover. Then it is no evidence.

import { describeUnknownName, type GrantList } from '../../shared/core/operator-api/grant-list.ts';
import { plainTime } from '../plain-time.ts';
import type { ReaderApi } from './pages.ts';

export type EmptyList = Pick<GrantList, 'as_of' | 'filters' | 'unknown'>;

/** For people, a sentence each; none where it is evidence that nobody held such a grant. */
export async function whyNoEvidence(call: ReaderApi, { as_of, filters, unknown }: EmptyList): Promise<string[]> {
  const names = unknown.map(describeUnknownName);
  const { from, to } = filters;
  if (from !== undefined && Date.parse(from) > Date.parse(as_of)) return [...names, FUTURE];
  if (to === undefined) return names;
  const first = await firstGrantAt(call, as_of, to);
  if (first !== null && Date.parse(to) > Date.parse(first)) return names;
  return [
    ...names,
    first === null
      ? 'The ledger has no grant that ended. Whether there was none, or its records were deleted, is not known.'
      : `The first grant on record began at ${plainTime(first)}. Whether there was none before, or its records were deleted, is not known.`,
  ];
}

const FUTURE = 'The period is in the future: what will be issued in it is not known.';

async function firstGrantAt(call: ReaderApi, as_of: string, to: string) {
  const period = { from: new Date(Date.parse(to) - 1).toISOString(), to: new Date(to).toISOString() };
  const { first_grant_at } = await call('getReview', { query: { as_of, ...period } });
  return first_grant_at;
}
