// Grants as lines for people.

import { toWholeSeconds } from '../../shared/core/iso-time.ts';
import type { GrantSummary } from '../../shared/core/operator-api/grant.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';

type Column = readonly [heading: string, cell: (grant: GrantSummary) => string];

/** Terminals of fewer columns get a short form. */
const WIDE = 100;
/** Letters of a name that a job chose, in a table. */
const LONGEST = { wide: 40, narrow: 13 } as const;

const LINE: readonly Column[] = [
  ['GRANT', ({ grant_id }) => grant_id],
  ['BUILD', ({ job }) => `${job.pipeline_slug} #${job.build_number}`],
  ['STEP', ({ job }) => `${job.step_key ?? '-'}`],
  ['CREDENTIAL', ({ credential }) => credential],
  ['ENVIRONMENT', ({ environment }) => environment],
  ['STATE', stateOf],
  ['ACCEPTED UNTIL', ({ accepted_until, access_ended_at }) => toSeconds(accepted_until ?? access_ended_at)],
];
const TABLE: readonly Column[] = [
  ...LINE.slice(0, 1),
  ['SINCE', ({ created_at }) => toSeconds(created_at)],
  ...LINE.slice(1),
];
const NARROW: readonly Column[] = [
  ...LINE.filter(([heading]) => ['GRANT', 'BUILD', 'CREDENTIAL'].includes(heading)),
  [
    'STATE',
    ({ access, state }) => (access === 'ended_usable' && state === 'active' ? 'ended' : stateOf({ access, state })),
  ],
  ['UNTIL', ({ accepted_until }) => accepted_until?.slice(11, 16) ?? '-'],
];

/**
 * A line of headings, and one for each grant; none for no grant. Long names are cut. A wide table says who approved, where somebody did.
 * @param columns of the terminal
 * @param show a person by the UUID
 */
export function tableLines(
  grants: readonly GrantSummary[],
  columns: number,
  show: (id: string) => string = (id) => id,
): string[] {
  if (grants.length === 0) return [];
  const isWide = columns >= WIDE;
  const approved = grants.some((grant) => approverOf(grant) !== undefined);
  const approvedBy: Column = ['APPROVED BY', (grant) => nameOf(approverOf(grant), show)];
  const shown = isWide ? [...TABLE, ...(approved ? [approvedBy] : [])] : NARROW;
  const longest = isWide ? LONGEST.wide : LONGEST.narrow;
  const rows = [
    shown.map(([heading]) => heading),
    ...grants.map((grant) => shown.map(([heading, cell]) => cut(heading, visible(cell(grant)), longest))),
  ];
  const widths = shown.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** The UUID of the Buildkite user. */
export function approverOf({ conditions }: GrantSummary): string | undefined {
  return conditions?.approval?.approved_by;
}

function nameOf(id: string | undefined, show: (id: string) => string): string {
  return id === undefined ? '-' : show(id);
}

/** One grant as one line, without when it began. */
export function grantLine(grant: GrantSummary): string {
  return LINE.map(([, cell]) => visible(cell(grant))).join('  ');
}

/** Whether it is live by what its record says, and by the time: a record may still say `active` when its time is over. */
function stateOf({ access, state, ended_by }: Pick<GrantSummary, 'access' | 'state'> & Partial<GrantSummary>): string {
  if (access === 'over' && state !== 'revoked') return 'expired';
  if (access !== 'ended_usable' || state !== 'active') return state;
  return `ended by ${ended_by ?? 'what is not on record'}; usable`;
}

/** The number of a build is at the end of its name, so the name is cut in front of it. */
function cut(heading: string, cell: string, longest: number): string {
  if (cell.length <= longest || !['BUILD', 'STEP', 'CREDENTIAL', 'ENVIRONMENT'].includes(heading)) return cell;
  const [end = ''] = heading === 'BUILD' ? (/ #\d+$/.exec(cell) ?? []) : [];
  return `${cell.slice(0, Math.max(1, longest - 1 - end.length))}…${end}`;
}

/** 2026-11-24T10:00:00Z, and - for no time. */
function toSeconds(time: string | null): string {
  return time === null ? '-' : toWholeSeconds(time);
}
