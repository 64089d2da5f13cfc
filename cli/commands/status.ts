// `keydesk status`: is the deployment healthy, as far as its ledger shows it.

import { Command } from '@commander-js/extra-typings';
import { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import type { StatusView } from '../../shared/core/operator-api/status.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';
import { plural } from '../../shared/core/policy-history/words.ts';
import { age } from '../../shared/core/status/problems.ts';
import { impersonateOption, openOperatorApi, readerOption, reportFailures } from '../operator-api.ts';
import { examples } from '../options.ts';
import { EXIT, print, printJson } from '../terminal.ts';

export const statusCommand = new Command('status')
  .summary('is it healthy, what is live')
  .description(
    'Show what is deployed and whether it works: functions, sweep, webhooks, pools, blocks and the API token, as the ledger has them.',
  )
  .addOption(readerOption())
  .addOption(impersonateOption())
  .option('--json', 'the response of the function reader')
  .addHelpText('after', `${examples('status', 'status --json')}\n\nExit code 1: something is wrong.`)
  .action(({ reader: url, impersonate, json }) =>
    reportFailures(async () => {
      const call = await openOperatorApi('reader', READER_ROUTES, { url, impersonate });
      const status = await call('getStatus');
      if (json) printJson(status);
      else for (const line of linesOf(status)) print(line);
      if (status.problems.length > 0) process.exitCode = EXIT.failure;
    }),
  );

/** One screen: a line for each thing, problems first. */
export function linesOf(status: StatusView): string[] {
  const ago = (time: string | null) =>
    time === null ? 'never' : `${age(Date.parse(time), Date.parse(status.as_of))} ago`;
  return [
    ...(status.problems.length === 0
      ? ['No problem is known.']
      : status.problems.flatMap(({ message, page }) => [
          `PROBLEM     ${visible(message)}`,
          `            See docs/${page}`,
        ])),
    '',
    ...status.functions.map((one) =>
      row(one.function, `version ${one.version}, ${one.revision ?? 'no revision'}, started ${ago(one.started_at)}`),
    ),
    row('policy', status.policy_sha256 ?? 'not known'),
    ...sweepLines(status, ago),
    ...webhookLines(status, ago),
    row('live', liveOf(status)),
    row('blocks', `${status.blocks} in force${status.blocks > 0 ? ': keydesk blocks list' : ''}`),
    ...status.pools.map(({ pool, size, free, leased, revoking, cooling_down, exhausted_in_s }) =>
      row(
        'pool',
        `${pool}: ${free} of ${size} free, ${leased} leased, ${revoking} to disable, ${cooling_down} cooling down${forecast(
          free,
          exhausted_in_s,
        )}`,
      ),
    ),
    ...apiTokenLines('API token', status.buildkite_api_token),
    ...(status.teams.length > 0 ? apiTokenLines('for teams', status.buildkite_teams_api_token) : []),
    ...teamLines(status, ago),
  ];
}

function forecast(free: number, exhausted_in_s: number | null): string {
  if (free === 0) return '; none free now';
  if (exhausted_in_s === null) return '';
  return exhausted_in_s < 60
    ? '; none free in less than a minute'
    : `; none free in about ${Math.ceil(exhausted_in_s / 60)} min`;
}

function sweepLines({ sweep }: StatusView, ago: (time: string | null) => string): string[] {
  if (!sweep) return [row('sweep', 'no record')];
  const { last_sweep_at, pending_revocations, overdue, jobs_unchecked, failed, oldest_pending_at } = sweep;
  const oldest = oldest_pending_at === null ? '' : ` (the oldest ended ${ago(oldest_pending_at)})`;
  const count = (value: number | null) => value ?? 'unknown';
  return [
    row('last sweep', ago(last_sweep_at)),
    row(
      'left',
      `${count(pending_revocations)} to revoke${oldest}, ${count(overdue)} overdue, ${count(jobs_unchecked)} jobs unchecked, ${count(failed)} failed`,
    ),
  ];
}

function webhookLines({ webhooks, sweep }: StatusView, ago: (time: string | null) => string): string[] {
  if (!webhooks) return [row('webhooks', 'no record')];
  const lost = (sweep?.lost_webhooks ?? []).reduce((sum, { jobs }) => sum + jobs, 0);
  return [
    row('webhooks', `last accepted ${ago(webhooks.last_accepted_at)}`),
    row(
      'lost',
      lost === 0
        ? 'no job ended without a webhook within an hour, as far as the sweep found'
        : `${plural(lost, 'job')} ended without a webhook within an hour: see docs/playbooks/webhooks-lost.md`,
    ),
    row('refused', 'in the log alone: labels.event="webhook.refused", see docs/playbooks/webhooks-refused.md'),
    ...webhooks.keys.map(({ fingerprint, last_accepted_at }, at) =>
      row(`key ${at + 1}`, `${fingerprint}, signed last ${ago(last_accepted_at)}`),
    ),
  ];
}

function liveOf({ live_grants, live_grants_complete }: StatusView): string {
  const counts = Object.entries(live_grants).map(([environment, count]) => `${environment} ${count}`);
  if (counts.length === 0) return 'no grant';
  return `grants: ${live_grants_complete ? '' : 'at least '}${counts.join(', ')}`;
}

function apiTokenLines(name: string, token: StatusView['buildkite_api_token']): string[] {
  if (!token) return [row(name, 'none, or not checked yet')];
  const scopes = token.scopes?.join(', ') ?? 'unknown scopes';
  return [row(name, `${scopes}; ${token.expires_at === null ? 'no known expiry' : `expires ${token.expires_at}`}`)];
}

/** Teams that have a line each. */
const MOST_TEAMS = 10;

/** Those first with which something is wrong. */
function teamLines({ teams }: StatusView, ago: (time: string | null) => string): string[] {
  const isWell = ({ state, failure }: StatusView['teams'][number]) => state === 'current' && failure === null;
  const shown = [...teams.filter((team) => !isWell(team)), ...teams.filter(isWell)].slice(0, MOST_TEAMS);
  const more = teams.length - shown.length;
  return [
    ...shown.map((team) => row('team', `${team.name}: ${teamText(team, ago)}`)),
    ...(more > 0 ? [row('teams', `${more} more: keydesk status --json`)] : []),
  ];
}

const STATE_TEXTS: Readonly<Record<StatusView['teams'][number]['state'], string>> = {
  current: '',
  aging: ', old',
  too_old: ', too old: not used',
  pending: '',
};

function teamText(team: StatusView['teams'][number], ago: (time: string | null) => string): string {
  const { state, read_at, members, pipelines, failure, failed_at } = team;
  const copy =
    read_at === null
      ? 'not read yet'
      : `${plural(members ?? 0, 'member')}, ${plural(pipelines ?? 0, 'pipeline')}, read ${ago(read_at)}`;
  return `${copy}${STATE_TEXTS[state]}${failure === null ? '' : `; failed ${ago(failed_at)} (${failure})`}`;
}

function row(name: string, text: string): string {
  return `${name.padEnd(10)}  ${visible(text)}`;
}
