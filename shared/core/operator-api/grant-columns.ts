// Columns that each CSV of grants has: what is known of the job, and by what the conditions of its rule held.

import type { CsvCell } from '../csv.ts';
import type { GrantSummary } from './grant.ts';

type Columns = readonly (readonly [name: string, cell: (grant: Pick<GrantSummary, 'job' | 'conditions'>) => CsvCell])[];

export const JOB_COLUMNS: Columns = [
  ...['job_id', 'organization_slug', 'organization_id', 'pipeline_slug', 'pipeline_id', 'build_number', 'build_branch'],
  ...['build_tag', 'build_commit', 'build_source', 'step_key', 'agent_id'],
].map((claim) => [claim, ({ job }) => job[claim]]);

/** The JSON has all of the conditions. */
export const CONDITION_COLUMNS: Columns = [
  ['created_by', ({ conditions }) => conditions?.created_by?.user_id],
  ['approved_by', ({ conditions }) => conditions?.approval?.approved_by],
  ['approved_at', ({ conditions }) => conditions?.approval?.approved_at],
  ['approval_reason', ({ conditions }) => conditions?.approval?.reason],
  ['break_glass', ({ conditions }) => conditions?.approval?.break_glass ?? false],
  ['agent_provider', ({ conditions }) => conditions?.agent?.provider],
];
