// Events of `sweep`, but for those of accounts. `webhook` writes `task.failed` too.

import * as z from 'zod';
import { defineEvent } from './definition.ts';
import {
  count,
  expired,
  failure,
  failures,
  job_id,
  not_renewed,
  pipeline_slug,
  pool,
  revoked,
  text,
} from './fields.ts';

const poolReport = {
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
};
const jobs_unchecked_15m = count.describe(
  'jobs with live grants about which Buildkite has not responded for 15 minutes; 1,000 stands for more',
);

export const SWEEP_EVENTS = {
  'sweep.completed': defineEvent({
    means: 'WARNING: something failed, each with a line `task.failed`. ERROR: a part of the ledger could not be read.',
    fields: {
      completed: z.boolean().describe('`false` when a part of the ledger could not be read'),
      revoked,
      expired,
      // A figure that rises says that webhooks are being lost, or that jobs outlast their tokens.
      ended_by_expiry: count.describe(
        'how many of `expired` nothing had ended. If it rises, webhooks are lost or jobs outlast their tokens',
      ),
      not_renewed,
      jobs_checked: count.describe('jobs about which Buildkite was asked'),
      buildkite_calls: count.describe('in how many calls'),
      builds_too_large: count.describe(
        'builds whose list of jobs is too large to be read; their jobs are asked about one by one',
      ),
      jobs_unchecked_15m: jobs_unchecked_15m.nullable(),
      jobs_reconciled: count.describe('jobs that had ended without a webhook: each has a line `job.reconciled`'),
      accounts_enabled: count.describe('accounts that were enabled again'),
      accounts_enabled_externally: count.describe('accounts that somebody else enabled'),
      pools: z.record(text, z.object(poolReport)).describe('by the name of each pool what `pool.reported` says of it'),
      failed: count.describe('how many things failed'),
      oldest_pending_s: z
        .number()
        .nullable()
        .describe(
          'seconds since the first end of a grant that is left unfinished: 0 when none is, `null` when that is not known',
        ),
      has_backlog: z.boolean().describe('whether grants are left that the sweep did not get to'),
      duration_ms: count.describe('how long the sweep took'),
      failures,
    },
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
    fields: { pool, ...poolReport },
    severity: 'INFO',
    labels: { pool: 'pool' },
    message: ({ pool, free, size }) => `pool ${pool}: ${free} of ${size} accounts are free`,
  }),
  'task.failed': defineEvent({
    means:
      'What the sweep or the webhook could not do, and leaves to the next sweep. 200 lines for one request at most.',
    fields: failure,
    severity: 'WARNING',
    message: ({ error }) => `not done: ${error}`,
  }),
  'job.reconciled': defineEvent({
    means: 'A job had ended without a webhook.',
    fields: { job_id, job_state: text.optional().describe("the job's state, as Buildkite says"), pipeline_slug },
    severity: 'WARNING',
    message: ({ job_id }) => `job ${job_id} had ended, and no webhook has said so yet`,
  }),
  'jobs.unchecked': defineEvent({
    means:
      'Buildkite has not responded about some jobs with live grants for 15 minutes. Should their webhooks be lost, their credentials live until they expire.',
    fields: { jobs_unchecked_15m },
    severity: 'ERROR',
    message: ({ jobs_unchecked_15m }) =>
      `Buildkite has not responded about ${jobs_unchecked_15m} jobs with live grants for 15 minutes: should their webhooks be lost, their credentials live until they expire`,
  }),
};
