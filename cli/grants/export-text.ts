// Grants as lines of a file: NDJSON, or CSV by RFC 4180. Pure.

import { type CsvCell, csvLine } from '../../shared/core/csv.ts';
import { type GrantSummary, pastLeasesText } from '../../shared/core/operator-api/grant.ts';
import type { GrantList } from '../../shared/core/operator-api/grant-list.ts';

export const EXPORT_FORMATS = ['ndjson', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

type Unreadable = GrantList['unreadable'][number];

const CLAIMS = [
  ...['job_id', 'organization_slug', 'organization_id', 'pipeline_slug', 'pipeline_id', 'build_number', 'build_branch'],
  ...['build_tag', 'build_commit', 'build_source', 'step_key', 'agent_id'],
];
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
/** Of the conditions; the JSON has all of them. */
const APPROVAL: readonly (readonly [string, (row: GrantSummary) => CsvCell])[] = [
  ['created_by', ({ conditions }) => conditions?.created_by?.user_id],
  ['approved_by', ({ conditions }) => conditions?.approval?.approved_by],
  ['approved_at', ({ conditions }) => conditions?.approval?.approved_at],
  ['approval_reason', ({ conditions }) => conditions?.approval?.reason],
  ['break_glass', ({ conditions }) => conditions?.approval?.break_glass ?? false],
  ['agent_provider', ({ conditions }) => conditions?.agent?.provider],
];
const COLUMNS: readonly (readonly [string, (grant: GrantSummary) => CsvCell])[] = [
  ['grant_id', ({ grant_id }) => grant_id],
  ['state', ({ state }) => state],
  ['access', ({ access }) => access],
  ...CLAIMS.map((claim) => [claim, ({ job }: GrantSummary) => job[claim]] as const),
  ...FIELDS.map((field) => [field, (grant: GrantSummary) => grant[field]] as const),
  ...APPROVAL,
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
