// Events of `sweep`, but for those of accounts. `webhook` writes `task.failed` too.

import * as z from 'zod';
import { defineEvent } from './definition.ts';
import { listOf, type SharedFields } from './fields.ts';

const API_TOKEN_SETTINGS = ['KEYDESK_BUILDKITE_API_TOKEN', 'KEYDESK_BUILDKITE_TEAMS_API_TOKEN'] as const;
/** The setting that has an API token of the sweep. */
export type SweepApiTokenSetting = (typeof API_TOKEN_SETTINGS)[number];

const poolReport = ({ count }: SharedFields) => ({
  size: count.describe('how many accounts the pool has'),
  free: count.describe('how many of them are free'),
  leased: count.describe('how many are leased'),
  revoking: count.describe('how many are to be disabled'),
  cooling_down: count.describe('how many are cooling down'),
  exhausted_in_s: count
    .nullable()
    .describe(
      'seconds until none is free, should demand stay as in the last ten minutes; `null` if that is not within an hour',
    ),
});

export const SWEEP_EVENTS = {
  'sweep.completed': defineEvent({
    means: 'WARNING: something failed, each with a line `task.failed`. ERROR: a part of the ledger could not be read.',
    fields: (shared) => ({
      completed: z.boolean().describe('`false` when a part of the ledger could not be read'),
      revoked: shared.revoked,
      expired: shared.expired,
      // A figure that rises says that webhooks are being lost, or that jobs outlast their tokens.
      ended_by_expiry: shared.count.describe(
        'how many of `expired` nothing had ended. If it rises, webhooks are lost or jobs outlast their tokens',
      ),
      not_renewed: shared.not_renewed,
      jobs_checked: shared.count.describe('jobs that were looked up at Buildkite'),
      buildkite_calls: shared.count.describe('in how many calls'),
      builds_too_large: shared.count.describe(
        'builds whose list of jobs is too large to be read; their jobs are looked up one by one',
      ),
      jobs_unchecked_15m: shared.jobs_unchecked_15m.nullable(),
      jobs_reconciled: shared.count.describe('jobs that had ended without a webhook: each has a line `job.reconciled`'),
      builds_looked_up: shared.count.describe(
        'builds that were looked up at Buildkite because a job waits for an approval, or for who started them',
      ),
      builds_not_shown: shared.count.describe('how many of these Buildkite does not show to the API token'),
      build_calls: shared.count.describe('in how many calls builds were looked up'),
      accounts_enabled: shared.count.describe('accounts that were enabled again'),
      accounts_enabled_externally: shared.count.describe('accounts that somebody else enabled'),
      pools: z
        .record(shared.text, z.object(poolReport(shared)))
        .describe('by the name of each pool what `pool.reported` says of it'),
      failed: shared.count.describe('how many things failed'),
      oldest_pending_s: z
        .number()
        .nullable()
        .describe(
          'seconds since the first end of a grant that is left unfinished: 0 when none is, `null` when that is not known',
        ),
      has_backlog: z.boolean().describe('whether grants are left that the sweep did not get to'),
      duration_ms: shared.count.describe('how long the sweep took'),
      failures: shared.failures,
    }),
    severity: {
      of: ['INFO', 'WARNING', 'ERROR'],
      by: ({ completed, failed }) => (completed ? (failed > 0 ? 'WARNING' : 'INFO') : 'ERROR'),
    },
    message: (given) =>
      `sweep${given.completed ? '' : ' could not read the ledger'}: ${given.revoked} revoked, ${given.expired} expired, ${given.accounts_enabled} accounts enabled, ${given.failed} failed${given.has_backlog ? ', more to do' : ''}`,
  }),
  // Metrics read it: they cannot go through the members of `pools`.
  'pool.reported': defineEvent({
    means: 'One line for each pool, with every sweep.',
    fields: (shared) => ({ pool: shared.pool, ...poolReport(shared) }),
    severity: 'INFO',
    labels: { pool: 'pool' },
    message: ({ pool, free, size }) => `pool ${pool}: ${free} of ${size} accounts are free`,
  }),
  'task.failed': defineEvent({
    means:
      'What the sweep or the webhook could not do, and leaves to the next sweep. 200 lines for one request at most.',
    fields: ({ failure }) => failure,
    severity: 'WARNING',
    message: ({ error }) => `not done: ${error}`,
  }),
  'job.reconciled': defineEvent({
    means: 'A job had ended without a webhook.',
    fields: ({ job_id, pipeline_slug, text }) => ({
      job_id,
      job_state: text.optional().describe("the job's state, as Buildkite says"),
      pipeline_slug,
    }),
    severity: 'WARNING',
    message: ({ job_id }) => `job ${job_id} had ended, and no webhook has said so yet`,
  }),
  'jobs.unchecked': defineEvent({
    means:
      'Buildkite has not responded about some jobs with live grants for 15 minutes. Should their webhooks be lost, their credentials live until they expire.',
    fields: ({ jobs_unchecked_15m }) => ({ jobs_unchecked_15m }),
    severity: 'ERROR',
    message: ({ jobs_unchecked_15m }) =>
      `Buildkite has not responded about ${jobs_unchecked_15m} jobs with live grants for 15 minutes: should their webhooks be lost, their credentials live until they expire`,
  }),
  'api_token.expiring': defineEvent({
    means:
      'Written by each check of an API token for Buildkite, which is once an hour, when it expires in less than 48 hours. Then the sweep no longer finds ends of jobs whose webhook was lost, or no longer reads teams.',
    fields: ({ time }) => ({
      setting: z.enum(API_TOKEN_SETTINGS).describe('the setting that has the API token'),
      api_token_expires_at: time.describe('when the API token for Buildkite expires'),
    }),
    severity: 'WARNING',
    message: ({ setting, api_token_expires_at }) => `the API token in ${setting} expires at ${api_token_expires_at}`,
  }),
  'teams.read': defineEvent({
    means:
      'One line with every sweep, where rules of the policy name teams: how many of them the sweep read at Buildkite.',
    fields: ({ count }) => ({
      teams_named: count.describe('teams that rules of the policy name'),
      teams_read: count.describe('how many of them this sweep read, all members and pipelines of each'),
      buildkite_calls: count.describe('in how many calls'),
      failed: count.describe('how many things failed, each with a line `task.failed`'),
    }),
    severity: { of: ['INFO', 'WARNING'], by: ({ failed }) => (failed > 0 ? 'WARNING' : 'INFO') },
    message: ({ teams_read, teams_named, failed }) => `${teams_read} of ${teams_named} teams read, ${failed} failed`,
  }),
  'teams.stale': defineEvent({
    means:
      'Written by each sweep while the copy of a team is older than half of `limits.teamsMaxAge`. ERROR: one is too old, or was never read. Then no rule that needs that team grants anything, and all other rules go on.',
    fields: ({ count, team_id, text }) => ({
      teams_stale: count.describe('how many teams have such a copy, or none'),
      teams_too_old: count.describe('how many of them no rule uses any more'),
      teams: listOf(
        z.object({
          team_id,
          name: text,
          state: z.enum(['aging', 'too_old']),
          age_s: count.nullable(),
          failure: text.nullable(),
        }),
      ).describe(
        'the 20 whose copy is the oldest. `name` is the name in the policy. `age_s` is `null` for a team that was never read. `failure` is the code of the last failure to read it',
      ),
    }),
    severity: { of: ['WARNING', 'ERROR'], by: ({ teams_too_old }) => (teams_too_old > 0 ? 'ERROR' : 'WARNING') },
    message: ({ teams_stale, teams_too_old }) =>
      `teams with an old copy: ${teams_stale}; with one that is too old for any rule: ${teams_too_old}`,
  }),
};
