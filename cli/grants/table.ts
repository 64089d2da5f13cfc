// Grants as lines for people.

import { toWholeSeconds } from '../../shared/core/iso-time.ts';
import type { GrantSummary } from '../../shared/core/operator-api/grant.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';

const COLUMNS: readonly (readonly [string, (grant: GrantSummary) => string])[] = [
  ['SINCE', ({ created_at }) => toSeconds(created_at)],
  ['BUILD', ({ job }) => `${job.pipeline_slug} #${job.build_number}`],
  ['STEP', ({ job }) => `${job.step_key ?? '-'}`],
  ['CREDENTIAL', ({ credential }) => credential],
  ['ENVIRONMENT', ({ environment }) => environment],
  ['STATE', ({ state }) => state],
  ['ACCEPTED UNTIL', ({ accepted_until, access_ended_at }) => toSeconds(accepted_until ?? access_ended_at)],
  ['GRANT', ({ grant_id }) => grant_id],
];

/** A line of headings, and one for each grant; none for no grant. */
export function tableLines(grants: readonly GrantSummary[]): string[] {
  if (grants.length === 0) return [];
  const rows = [
    COLUMNS.map(([heading]) => heading),
    ...grants.map((grant) => COLUMNS.map(([, cell]) => visible(cell(grant)))),
  ];
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** One grant as one line. */
export function grantLine(grant: GrantSummary): string {
  return COLUMNS.slice(1)
    .map(([, cell]) => visible(cell(grant)))
    .join('  ');
}

/** 2026-11-24T10:00:00Z, and - for no time. */
function toSeconds(time: string | null): string {
  return time === null ? '-' : toWholeSeconds(time);
}
