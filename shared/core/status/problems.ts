// What is wrong with a deployment, as far as its ledger shows it. Each problem says what was seen, and names the page that says what to do.

import { plural } from '../policy-history/words.ts';
import { API_TOKEN_CHECK_EVERY_MS, API_TOKEN_EXPIRES_SOON_MS, CLOCK_MARGIN_MS, SWEEP_EVERY_MS } from '../timing.ts';
import type { DeploymentOf, Status, TeamStatus } from './status.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Checks of the API token that may be missing before that is a problem. */
const CHECKS_MISSED = 3;
/** Sweeps that may be missing before that is a problem. */
const SWEEPS_MISSED = 3;
const PENDING_TOO_LONG_MS = 5 * MINUTE;
/** With live grants, jobs end, and their webhooks arrive. */
const WEBHOOKS_SILENT_MS = 24 * HOUR;
/** All that the sweep's API token needs. */
const NEEDED_SCOPES = ['read_builds'];
/** One of them is all that the API token for teams needs: Buildkite's documentation has two names for it. */
const TEAM_SCOPES = ['read_teams', 'view_teams'];

const CODES = {
  unreadable_records: 'troubleshooting',
  not_recorded: 'not-starting',
  versions_differ: 'upgrade',
  sweep_not_running: 'sweep-not-running',
  time_in_future: 'troubleshooting',
  sweep_incomplete: 'dependency-errors',
  sweep_failures: 'dependency-errors',
  revocation_stuck: 'revocation-stuck',
  sweep_behind: 'sweep-behind',
  jobs_unchecked: 'jobs-unchecked',
  no_webhook: 'webhooks-lost',
  webhooks_silent: 'webhooks-lost',
  webhooks_lost: 'webhooks-lost',
  pool_exhausted: 'pool-exhaustion',
  pool_exhausting: 'pool-exhaustion',
  no_api_token: 'api-token-expiring',
  api_token_unusable: 'api-token-expiring',
  api_token_unchecked: 'api-token-expiring',
  api_token_expiring: 'api-token-expiring',
  api_token_too_wide: 'api-token-expiring',
  no_teams_api_token: 'teams-stale',
  teams_too_old: 'teams-stale',
  teams_aging: 'teams-stale',
  teams_unreadable: 'teams-stale',
} as const;
export type ProblemCode = keyof typeof CODES;
export const PROBLEM_CODES = Object.keys(CODES) as ProblemCode[];

export interface Problem {
  readonly code: ProblemCode;
  /** What was seen, in one sentence for people. */
  readonly message: string;
  /** The page, from the folder `docs`. */
  readonly page: string;
}

type Judged = Omit<Status, 'problems'>;

/** Worst first. */
export function findProblems(status: Judged, now: number): Problem[] {
  const found = [
    ...ofRecords(status),
    ...ofSweep(status, now),
    ...ofWebhooks(status, now),
    ...ofPools(status),
    ...ofTeams(status, now),
    ...ofApiTokens(status, now),
  ];
  return found.map(([code, message]) => ({ code, message, page: pageOf(code) }));
}

function pageOf(code: ProblemCode): string {
  const page = CODES[code];
  if (page === 'troubleshooting') return 'TROUBLESHOOTING.md';
  return page === 'upgrade' ? 'OPERATIONS.md' : `playbooks/${page}.md`;
}

type Found = readonly [code: ProblemCode, message: string];

function* ofRecords({ unreadable, deployments, token, webhook, sweep }: Judged): Iterable<Found> {
  if (unreadable.length > 0)
    yield ['unreadable_records', `${plural(unreadable.length, 'record')} cannot be read. The first: ${unreadable[0]}`];
  for (const [name, deployment] of Object.entries({ token, webhook, sweep }))
    if (!deployment)
      yield [
        'not_recorded',
        `The function ${name} has not recorded a start: it never ran, or is of a release before 0.2.`,
      ];
  const versions = new Set(deployments.map(({ version }) => version));
  if (versions.size > 1)
    yield [
      'versions_differ',
      `The functions are not of one version: ${deployments.map((one) => `${one.function} ${one.version}`).join(', ')}.`,
    ];
}

function* ofSweep({ sweep }: Judged, now: number): Iterable<Found> {
  if (!sweep) return;
  const { last_sweep_at, last_sweep_ok, oldest_pending_at, left } = sweep;
  if (last_sweep_at === null || now - last_sweep_at > SWEEPS_MISSED * SWEEP_EVERY_MS)
    yield [
      'sweep_not_running',
      last_sweep_at === null ? 'No sweep has run yet.' : `The last sweep ended ${age(last_sweep_at, now)} ago.`,
    ];
  if (isInFuture(last_sweep_at, now))
    yield [
      'time_in_future',
      `The last sweep ended in ${age(now, last_sweep_at ?? now)}, by its record. The clock of the sweep or of reader is wrong, or the record was changed by hand.`,
    ];
  if (last_sweep_ok === false) yield ['sweep_incomplete', 'The last sweep could not read all of the ledger.'];
  if (oldest_pending_at !== null && now - oldest_pending_at > PENDING_TOO_LONG_MS)
    yield [
      'revocation_stuck',
      `A grant ended ${age(oldest_pending_at, now)} ago, and its access is not taken away yet.`,
    ];
  if (left && left.failed > 0)
    yield ['sweep_failures', `${left.failed} things failed in the last sweep. Each has a line task.failed in the log.`];
  if (left && (left.has_backlog || left.overdue > 0))
    yield [
      'sweep_behind',
      left.overdue > 0
        ? `The last sweep left ${left.overdue} grants whose time is up.`
        : 'The last sweep did not get to all that is due.',
    ];
  if (left && left.jobs_unchecked === null)
    yield ['jobs_unchecked', 'How many jobs Buildkite has not responded about is not known: the count failed.'];
  if (left?.jobs_unchecked)
    yield [
      'jobs_unchecked',
      `Buildkite has not responded for 15 minutes about ${plural(left.jobs_unchecked, 'job')} with live grants.`,
    ];
}

/** One webhook may come late. */
const SWEEPS_WITH_LOST_WEBHOOKS = 3;

function* ofWebhooks({ webhook, sweep, live, live_complete }: Judged, now: number): Iterable<Found> {
  const lost = sweep?.lost_webhooks ?? [];
  if (lost.length >= SWEEPS_WITH_LOST_WEBHOOKS)
    yield [
      'webhooks_lost',
      `${plural(
        lost.reduce((sum, { jobs }) => sum + jobs, 0),
        'job',
      )} ended without a webhook, as ${lost.length} sweeps found within an hour.`,
    ];
  if (!webhook) return;
  const { last_accepted_at, started_at } = webhook;
  const liveGrants = [...live.values()].reduce((sum, count) => sum + count, 0);
  if (last_accepted_at === null) yield ['no_webhook', 'No webhook has been accepted yet.'];
  else if (liveGrants > 0 && now - Math.max(last_accepted_at, started_at) > WEBHOOKS_SILENT_MS)
    yield [
      'webhooks_silent',
      `The last webhook was accepted ${age(last_accepted_at, now)} ago, with ${live_complete ? '' : 'at least '}${plural(liveGrants, 'live grant')}.`,
    ];
}

function* ofPools({ sweep }: Judged): Iterable<Found> {
  for (const { pool, size, free, exhausted_in_s } of sweep?.left?.pools ?? [])
    if (free === 0) yield ['pool_exhausted', `The pool of ${pool} has no free account of ${size}.`];
    else if (exhausted_in_s !== null)
      yield [
        'pool_exhausting',
        `The pool of ${pool} has ${free} of ${size} accounts free, and none in ${Math.ceil(exhausted_in_s / 60)} minutes if demand stays as it is.`,
      ];
}

function* ofTeams({ namedTeams, sweep }: Judged, now: number): Iterable<Found> {
  if (namedTeams.length > 0 && sweep && sweep.buildkite_teams_api_token === null)
    yield [
      'no_teams_api_token',
      'Rules of the policy name teams, and the sweep has no API token to read them, or has not checked it yet.',
    ];
  const oldest = (state: TeamStatus['state']) => {
    const teams = namedTeams.filter((team) => team.state === state);
    const times = teams.map(({ record }) => record?.read_at ?? null);
    const first = times.includes(null) ? null : Math.min(...times.map((at) => at ?? 0));
    return { count: teams.length, when: first === null ? 'never' : `${age(first, now)} ago` };
  };
  const tooOld = oldest('too_old');
  if (tooOld.count > 0)
    yield [
      'teams_too_old',
      `No rule that needs ${plural(tooOld.count, 'team')} grants anything: the copy is too old. The oldest was read ${tooOld.when}.`,
    ];
  const aging = oldest('aging');
  if (aging.count > 0)
    yield [
      'teams_aging',
      `The copy of ${plural(aging.count, 'team')} is older than half of what the policy allows. The oldest was read ${aging.when}.`,
    ];
  const failed = namedTeams.find(({ record }) => record && record.failure !== null);
  if (failed) yield ['teams_unreadable', `The sweep cannot read the team ${failed.name} (${failed.record?.failure}).`];
}

function* ofApiTokens({ sweep, namedTeams }: Judged, now: number): Iterable<Found> {
  if (!sweep) return;
  if (sweep.buildkite_api_token === null)
    yield [
      'no_api_token',
      'The sweep has no API token of Buildkite, or has not checked it yet: it finds no lost webhook.',
    ];
  else yield* ofApiToken('API token of Buildkite', sweep.buildkite_api_token, { needed: NEEDED_SCOPES, now });
  if (sweep.buildkite_teams_api_token !== null && namedTeams.length > 0)
    yield* ofApiToken('API token of Buildkite for teams', sweep.buildkite_teams_api_token, {
      needed: TEAM_SCOPES,
      now,
    });
}

/** @param judged.needed one of these scopes, and no other */
function* ofApiToken(
  name: string,
  { scopes, expires_at, checked_at, failure }: NonNullable<DeploymentOf<'sweep'>['buildkite_api_token']>,
  { needed, now }: { readonly needed: readonly string[]; readonly now: number },
): Iterable<Found> {
  if (now - checked_at > CHECKS_MISSED * API_TOKEN_CHECK_EVERY_MS)
    yield [
      'api_token_unchecked',
      `The ${name} was checked ${age(checked_at, now)} ago. Whether it works now is not known.`,
    ];
  if (isInFuture(checked_at, now))
    yield [
      'time_in_future',
      `The ${name} was checked in ${age(now, checked_at)}, by its record. The clock of the sweep or of reader is wrong, or the record was changed by hand.`,
    ];
  if (failure !== null) yield ['api_token_unusable', `Buildkite did not describe the ${name} (${failure}).`];
  if (expires_at !== null && expires_at <= now)
    yield ['api_token_unusable', `The ${name} expired ${age(expires_at, now)} ago.`];
  else if (expires_at !== null && expires_at - now < API_TOKEN_EXPIRES_SOON_MS)
    yield ['api_token_expiring', `The ${name} expires in ${age(now, expires_at)}.`];
  const more = scopes?.filter((scope) => !needed.includes(scope)) ?? [];
  if (more.length > 0)
    yield ['api_token_too_wide', `The ${name} needs ${needed[0]} alone, and also has ${more.join(', ')}.`];
  if (scopes !== null && !scopes.some((scope) => needed.includes(scope)))
    yield ['api_token_unusable', `The ${name} lacks the scope ${needed[0]}.`];
}

function isInFuture(at: number | null, now: number): boolean {
  return at !== null && at > now + CLOCK_MARGIN_MS;
}

/** For people: `40 s`, `12 min`, `5 h`, `3 days`. */
export function age(from: number, to: number): string {
  const ms = Math.max(0, to - from);
  if (ms < 2 * MINUTE) return `${Math.round(ms / 1000)} s`;
  if (ms < 2 * HOUR) return `${Math.round(ms / MINUTE)} min`;
  return ms < 48 * HOUR ? `${Math.round(ms / HOUR)} h` : `${Math.round(ms / (24 * HOUR))} days`;
}
