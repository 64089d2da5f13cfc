// Grants as lines of a file: NDJSON, or CSV by RFC 4180. Pure.

import { type CsvCell, csvLine } from '../../shared/core/csv.ts';
import { type GrantSummary, pastLeasesText } from '../../shared/core/operator-api/grant.ts';
import { CONDITION_COLUMNS, JOB_COLUMNS } from '../../shared/core/operator-api/grant-columns.ts';
import type { GrantList } from '../../shared/core/operator-api/grant-list.ts';

export const EXPORT_FORMATS = ['ndjson', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

type Unreadable = GrantList['unreadable'][number];

const FIELDS = [
  ...([
    'credential',
    'environment',
    'kind',
    'revocation',
    'rule',
    'policy_sha256',
    'service_account',
    'database',
  ] as const),
  ...(['bucket', 'created_at', 'issued_at', 'tokens_issued', 'expires_at', 'ended_at', 'ended_by'] as const),
  ...(['kill_switch_id', 'job_finished_at', 'access_ended_at', 'accepted_until'] as const),
];
const COLUMNS: readonly (readonly [string, (grant: GrantSummary) => CsvCell])[] = [
  ['grant_id', ({ grant_id }) => grant_id],
  ['state', ({ state }) => state],
  ['access', ({ access }) => access],
  ...JOB_COLUMNS,
  ...FIELDS.map((field) => [field, (grant: GrantSummary) => grant[field]] as const),
  ...CONDITION_COLUMNS,
  ['past_leases', ({ past_leases }) => pastLeasesText(past_leases)],
  ['scopes', ({ scopes }) => scopes.join(' ')],
];

/** What a file begins with. */
export function exportHeader(format: ExportFormat): string {
  return format === 'csv' ? csvLine([...COLUMNS.map(([name]) => name), 'unreadable']) : '';
}

export function exportGrant(format: ExportFormat, grant: GrantSummary): string {
  if (format === 'ndjson') return `${JSON.stringify(grant)}\n`;
  return csvLine([...COLUMNS.map(([, cell]) => cell(grant)), null]);
}

/** A record that cannot be read has a line too. */
export function exportUnreadable(format: ExportFormat, { grant_id, error }: Unreadable): string {
  if (format === 'ndjson') return `${JSON.stringify({ grant_id, unreadable: error })}\n`;
  return csvLine([grant_id, ...COLUMNS.slice(1).map(() => null), error]);
}
