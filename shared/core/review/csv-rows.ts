// The grants of a review as CSV, a line each, with what is said of them.

import { type CsvCell, csvLine } from '../csv.ts';
import { pastLeasesText } from '../operator-api/grant.ts';
import { CONDITION_COLUMNS, JOB_COLUMNS } from '../operator-api/grant-columns.ts';
import { visible } from '../policy/visible-text.ts';
import type { Review } from './review.ts';
import type { GrantRow } from './row.ts';

const BASIS = ['environment', 'credential', 'kind', 'revocation', 'rule', 'policy_sha256'] as const;
const ACCESS = [
  'service_account',
  'database',
  'bucket',
  'created_at',
  'issued_at',
  'tokens_issued',
  'expires_at',
] as const;
const END = [
  ...(['ended_at', 'ended_by', 'kill_switch_id', 'job_finished_at', 'access_ended_at'] as const),
  ...(['ended_to_access_ended_ms', 'job_finished_to_access_ended_ms'] as const),
];

const COLUMNS: readonly (readonly [string, (row: GrantRow) => CsvCell])[] = [
  ['grant_id', ({ grant_id }) => grant_id],
  ['outcome', ({ outcome }) => outcome],
  ['state', ({ state }) => state],
  ...BASIS.map((field) => [field, (row: GrantRow) => row[field]] as const),
  ...JOB_COLUMNS,
  ...ACCESS.map((field) => [field, (row: GrantRow) => row[field]] as const),
  ...CONDITION_COLUMNS,
  ['past_leases', ({ past_leases }) => pastLeasesText(past_leases)],
  ['scopes', ({ scopes }) => scopes.join(' ')],
  ...END.map((field) => [field, (row: GrantRow) => row[field]] as const),
];

/** RFC 4180, with formulas neutralised and invisible characters shown. A record that cannot be read has a line too. */
export function reviewCsv({
  grants,
  findings,
  population,
}: Pick<Review, 'grants' | 'findings' | 'population'>): string {
  const found = new Map<string, string[]>();
  for (const { code, items } of findings)
    for (const { grant_id } of items)
      if (grant_id !== null) found.set(grant_id, [...(found.get(grant_id) ?? []), code]);
  const line = (cells: readonly CsvCell[]) =>
    csvLine(cells.map((cell) => (typeof cell === 'string' ? visible(cell) : cell)));
  return [
    line([...COLUMNS.map(([name]) => name), 'findings', 'unreadable']),
    ...grants.map((row) => line([...COLUMNS.map(([, cell]) => cell(row)), found.get(row.grant_id)?.join(' '), null])),
    ...population.unreadable.map(({ grant_id, error }) =>
      line([grant_id, ...COLUMNS.slice(1).map(() => null), null, error]),
    ),
  ].join('');
}
