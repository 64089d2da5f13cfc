// Each problem of a deployment, from a healthy one in which one thing is changed.

import { describe, expect, it } from 'vitest';
import { addCopy, type TeamRecord } from '../../../../shared/core/conditions/team-record.ts';
import type { Deployment } from '../../../../shared/core/deployment/deployment.ts';
import { PROBLEM_CODES, type ProblemCode } from '../../../../shared/core/status/problems.ts';
import { type DeploymentOf, type StatusRecords, toStatus } from '../../../../shared/core/status/status.ts';

const NOW = Date.UTC(2026, 10, 24, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const instance = { version: '0.2.0', revision: 'keydesk-00007', started_at: NOW - 48 * HOUR, written_at: NOW };
const TEAM = { id: 'a-team', name: 'platform', first_named_at: NOW - 48 * HOUR, last_named_at: NOW };
const TOKEN: DeploymentOf<'token'> = {
  ...{ function: 'token', ...instance, policy_sha256: 'a'.repeat(64) },
  ...{ organization_slug: 'acme-inc', teams_max_age: 3600, teams: [TEAM] },
};
const COPY = addCopy(undefined, { members: ['ann'], pipelines: {}, paged: false }, NOW - MINUTE);
const WEBHOOK: DeploymentOf<'webhook'> = {
  function: 'webhook',
  ...instance,
  keys: [{ fingerprint: '0123456789ab', last_accepted_at: NOW - MINUTE }],
  last_accepted_at: NOW - MINUTE,
};
const POOL = { pool: 'admin', size: 3, free: 2, leased: 1, revoking: 0, cooling_down: 0, exhausted_in_s: null };
const LEFT = {
  pending_ends: 0,
  pending_revocations: 0,
  overdue: 0,
  jobs_unchecked: 0,
  failed: 0,
  has_backlog: false,
  pools: [POOL],
};
const API_TOKEN = { scopes: ['read_builds'], expires_at: null, checked_at: NOW - MINUTE, failure: null };
const SWEEP: DeploymentOf<'sweep'> = {
  function: 'sweep',
  ...instance,
  last_sweep_at: NOW - MINUTE,
  last_sweep_ok: true,
  oldest_pending_at: null,
  lost_webhooks: [],
  left: LEFT,
  buildkite_api_token: API_TOKEN,
  buildkite_teams_api_token: { ...API_TOKEN, scopes: ['read_teams'] },
};
const HEALTHY: StatusRecords = {
  deployments: [TOKEN, WEBHOOK, SWEEP],
  unreadable: [],
  blocks: [],
  live: new Map([['production', 2]]),
  live_complete: true,
  teams: new Map([[TEAM.id, COPY]]),
};
const codesOf = (records: StatusRecords) => toStatus(records, NOW).problems.map(({ code }) => code);
const withSweep = (changes: Partial<DeploymentOf<'sweep'>>) => replace({ ...SWEEP, ...changes });
const withLeft = (changes: Partial<NonNullable<DeploymentOf<'sweep'>['left']>>) =>
  withSweep({ left: { ...LEFT, ...changes } });
const withApiToken = (
  changes: Partial<{ scopes: string[]; expires_at: number; failure: string; checked_at: number }>,
) => withSweep({ buildkite_api_token: { ...API_TOKEN, ...changes } });
const withTeamsApiToken = (changes: Partial<typeof API_TOKEN>) =>
  withSweep({ buildkite_teams_api_token: { ...API_TOKEN, scopes: ['read_teams'], ...changes } });
const withTeam = (changes: Partial<TeamRecord>): StatusRecords => ({
  ...HEALTHY,
  teams: new Map([[TEAM.id, { ...COPY, ...changes }]]),
});
const replace = (deployment: Deployment): StatusRecords => replaceIn(HEALTHY, deployment);
const replaceIn = (records: StatusRecords, deployment: Deployment): StatusRecords => ({
  ...records,
  deployments: records.deployments.map((one) => (one.function === deployment.function ? deployment : one)),
});

const CASES: readonly [ProblemCode, string, StatusRecords][] = [
  ['unreadable_records', 'a record of another release', { ...HEALTHY, unreadable: ['grants/x cannot be read'] }],
  ['not_recorded', 'a function without a record', { ...HEALTHY, deployments: [TOKEN, SWEEP] }],
  [
    'webhooks_lost',
    'jobs that ended without a webhook, in three sweeps',
    withSweep({ lost_webhooks: [3, 2, 1].map((minutes) => ({ found_at: NOW - minutes * MINUTE, jobs: 1 })) }),
  ],
  ['versions_differ', 'a function of another version', replace({ ...TOKEN, version: '0.1.0' })],
  ['sweep_not_running', 'no sweep for more than three minutes', withSweep({ last_sweep_at: NOW - 3 * MINUTE - 1 })],
  ['sweep_not_running', 'no sweep at all', withSweep({ last_sweep_at: null, last_sweep_ok: null, left: null })],
  ['sweep_incomplete', 'a sweep that could not read all', withSweep({ last_sweep_ok: false })],
  ['revocation_stuck', 'an end that is not finished for long', withSweep({ oldest_pending_at: NOW - 5 * MINUTE - 1 })],
  ['time_in_future', 'a last sweep of the future', withSweep({ last_sweep_at: NOW + 91_000 })],
  ['time_in_future', 'a check of the future', withApiToken({ checked_at: NOW + 91_000 })],
  ['sweep_failures', 'failures in the last sweep', withLeft({ failed: 1 })],
  ['sweep_behind', 'a backlog', withLeft({ has_backlog: true })],
  ['sweep_behind', 'grants whose time is up', withLeft({ overdue: 1 })],
  ['jobs_unchecked', 'jobs that could not be counted', withLeft({ jobs_unchecked: null })],
  ['jobs_unchecked', 'jobs that Buildkite says nothing about', withLeft({ jobs_unchecked: 3 })],
  ['no_webhook', 'no webhook yet', replace({ ...WEBHOOK, last_accepted_at: null })],
  [
    'webhooks_silent',
    'no webhook for a day, with live grants',
    replace({ ...WEBHOOK, last_accepted_at: NOW - 25 * HOUR }),
  ],
  ['pool_exhausted', 'a pool without a free account', withLeft({ pools: [{ ...POOL, free: 0, exhausted_in_s: 0 }] })],
  ['pool_exhausting', 'a pool that will have none', withLeft({ pools: [{ ...POOL, exhausted_in_s: 700 }] })],
  ['no_api_token', 'no API token', withSweep({ buildkite_api_token: null })],
  ['api_token_unusable', 'an API token that Buildkite does not describe', withApiToken({ failure: 'refused' })],
  ['api_token_unusable', 'an API token that has expired', withApiToken({ expires_at: NOW })],
  ['api_token_unusable', 'an API token without the scope', withApiToken({ scopes: [] })],
  ['api_token_unchecked', 'an API token that nobody checks', withApiToken({ checked_at: NOW - 3 * HOUR - 1 })],
  ['api_token_expiring', 'an API token with less than two days', withApiToken({ expires_at: NOW + 48 * HOUR - 1 })],
  ['api_token_too_wide', 'an API token with more scopes', withApiToken({ scopes: ['read_builds', 'write_builds'] })],
  [
    'api_token_too_wide',
    'an API token for teams with more',
    withTeamsApiToken({ scopes: ['read_teams', 'read_builds'] }),
  ],
  ['api_token_unusable', 'an API token for teams without the scope', withTeamsApiToken({ scopes: [] })],
  ['no_teams_api_token', 'teams and no API token for them', withSweep({ buildkite_teams_api_token: null })],
  ['teams_aging', 'a copy older than half of the limit', withTeam({ read_at: NOW - HOUR / 2 - 1 })],
  ['teams_too_old', 'a copy older than the limit', withTeam({ read_at: NOW - HOUR - 1 })],
  ['teams_too_old', 'a team that nobody reads', { ...HEALTHY, teams: new Map() }],
  ['teams_unreadable', 'a team that cannot be read', withTeam({ failure: 'team_missing', failed_at: NOW })],
];

describe('the status of a deployment', () => {
  it('has no problem when all is well', () => {
    expect(codesOf(HEALTHY)).toEqual([]);
  });

  it.each(CASES)('has the problem %s: %s', (code, _, records) => {
    expect(codesOf(records)).toEqual([code]);
  });

  it('has a test for each problem', () => {
    expect([...new Set(CASES.map(([code]) => code))].sort()).toEqual([...PROBLEM_CODES].sort());
  });

  it.each<[string, StatusRecords]>([
    ['a sweep that is three minutes old', withSweep({ last_sweep_at: NOW - 3 * MINUTE })],
    ['a clock that is a little ahead', withSweep({ last_sweep_at: NOW + 90_000 })],
    ['an API token that was checked three hours ago', withApiToken({ checked_at: NOW - 3 * HOUR })],
    ['an end of the last five minutes', withSweep({ oldest_pending_at: NOW - 5 * MINUTE })],
    ['a quiet day', { ...replace({ ...WEBHOOK, last_accepted_at: NOW - 25 * HOUR }), live: new Map() }],
    [
      'a webhook function of an hour',
      replace({ ...WEBHOOK, started_at: NOW - HOUR, last_accepted_at: NOW - 25 * HOUR }),
    ],
    ['an API token for teams by the other name of its scope', withTeamsApiToken({ scopes: ['view_teams'] })],
    ['a copy of half of the limit', withTeam({ read_at: NOW - HOUR / 2 })],
    [
      'an API token for teams where the policy names none',
      replaceIn(replace({ ...TOKEN, teams: [] }), { ...SWEEP, buildkite_teams_api_token: null }),
    ],
    ['an API token with two days left', withApiToken({ expires_at: NOW + 48 * HOUR })],
    ['an API token whose scopes are not known', withSweep({ buildkite_api_token: { ...API_TOKEN, scopes: null } })],
  ])('takes no offence at %s', (_, records) => {
    expect(codesOf(records)).toEqual([]);
  });
});
