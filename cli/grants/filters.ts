// The filters of `keydesk grants`: as options, and as parameters of GET /grants.

import { type Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { closestOrLonger } from '../../shared/core/closest-name.ts';
import {
  type GrantFiltersOnWire,
  grantFiltersOnWire,
  STATE_CHOICES,
} from '../../shared/core/operator-api/grant-list.ts';
import { EXIT, fail } from '../terminal.ts';
import { parseAgo, parseDay } from '../time-options.ts';
import { parseUserUuid, parseUuid } from '../uuid-option.ts';

export interface FilterOptions {
  readonly pipeline?: string | undefined;
  readonly branch?: string | undefined;
  readonly credential?: string | undefined;
  readonly environment?: string | undefined;
  readonly account?: string | undefined;
  readonly approver?: string | undefined;
  readonly jobId?: string | undefined;
  readonly tokenSha256?: string | undefined;
  readonly state?: string | undefined;
  readonly day?: ReturnType<typeof parseDay> | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Which grants are meant, apart from the state and the period. */
export function withFilters(command: Command) {
  return command
    .optionsGroup('Filters:')
    .option('--pipeline <uuid-or-slug>', 'of this pipeline. A job token without pipeline_id is found by the slug alone')
    .option('--branch <name>', 'of builds of this branch')
    .option('--credential <name>', 'of this credential')
    .option('--environment <name>', 'of this environment')
    .option('--account <email>', 'of this service account, pooled or shared, or that had it under an earlier lease')
    .option('--approver <uuid>', 'that this Buildkite user approved', parseUserUuid)
    .option('--job-id <uuid>', 'of this job', parseUuid);
}

/** All filters. */
export function withPeriod(command: Command) {
  return withFilters(command)
    .option('--token-sha256 <sha256>', 'with the token of this hash, while it is on record')
    .addOption(
      new Option('--state <state>', 'in this state (default: live; all with a period)')
        .choices(STATE_CHOICES)
        .argParser(parseState),
    )
    .option('--day <date>', 'that could be used on this day in UTC, such as 2026-11-24', parseDay)
    .option(
      '--from <time>',
      'that could be used then or later, such as 2026-11-24, 2026-11-24T10:00:00Z or 2h',
      parseAgo,
    )
    .option('--to <time>', 'that could be used before then', parseAgo);
}

/** The parameters, or the end of the process with every problem in them. */
export function readFilters({ day, jobId, tokenSha256, ...same }: FilterOptions): GrantFiltersOnWire {
  if (day !== undefined && (same.from !== undefined || same.to !== undefined))
    fail(EXIT.usage, 'Use --day, or --from and --to.');
  const period =
    day === undefined
      ? { from: same.from, to: same.to }
      : { from: new Date(day.from).toISOString(), to: new Date(day.to).toISOString() };
  const given = { ...same, ...period, job_id: jobId, token_sha256: tokenSha256 };
  const filters = grantFiltersOnWire.safeParse(given);
  if (!filters.success) {
    const problems = filters.error.issues.map(({ path: [field], message }) => `${flagOf(String(field))}: ${message}`);
    return fail(EXIT.usage, problems.join('\n'));
  }
  const { from, to } = filters.data;
  if (from !== undefined && to !== undefined && Date.parse(from) >= Date.parse(to))
    fail(EXIT.usage, '--from must be before --to.');
  return filters.data;
}

function parseState(written: string): (typeof STATE_CHOICES)[number] {
  const known = STATE_CHOICES.find((state) => state === written);
  if (known) return known;
  const meant = closestOrLonger(written, STATE_CHOICES);
  const suggestion = meant === undefined ? '' : ` Did you mean ${meant}?`;
  throw new InvalidArgumentError(`it is one of ${STATE_CHOICES.join(', ')}.${suggestion}`);
}

function flagOf(field: string): string {
  return `--${field.replaceAll('_', '-')}`;
}
