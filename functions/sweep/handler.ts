// The sweep's endpoint: called each minute by Cloud Scheduler, under the platform's own authentication.

import { endingEntries, FAILURES_TOLD, toIsoTimes, toWorkFailed } from '../../shared/audit/grant-events.ts';
import type { AuditEntry } from '../../shared/audit/logger.ts';
import type { PoolReport } from '../../shared/core/pool/forecast.ts';
import type { KnownAccount } from '../../shared/ledger/sweep.ts';
import type { FoundFinished } from '../../shared/operations/reconcile-jobs.ts';
import type { Swept } from '../../shared/operations/sweep.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { type Answer, type Failures, type Handler, REQUEST_TIMED_OUT } from '../runtime/http-server.ts';

/** Bytes; the body is not read for anything. */
export const SWEEP_BODY_LIMIT = 16 * 1024;

export interface SweepParts {
  readonly sweep: () => Promise<Swept>;
  readonly clock: Clock;
}

export function createSweepHandler({ sweep, clock }: SweepParts): Handler {
  return async ({ method, path, request_id }) => {
    if (path !== '/') return error(404, 'not_found', 'The sweep is run at /.', request_id);
    if (method !== 'POST')
      return { ...error(405, 'invalid_request', 'Only POST is answered.', request_id), headers: { allow: 'POST' } };
    const startedAt = clock.now();
    const swept = await sweep();
    return done(swept, { startedAt, endedAt: clock.now() }, request_id);
  };
}

export const SWEEP_FAILURES: Failures = {
  tooLarge: (request_id) => error(413, 'invalid_request', 'The limit is 16 KiB for a body.', request_id),
  tooSlow: REQUEST_TIMED_OUT,
};

function done(
  swept: Swept,
  { startedAt, endedAt }: { readonly startedAt: number; readonly endedAt: number },
  request_id: string,
): Answer {
  const {
    revoked,
    expired,
    renewalEnded,
    unfinished,
    foundFinished,
    asked,
    jobsUnchecked,
    woken,
    foundEnabled,
    disabledAgain,
    notDisabled,
    pools,
    more,
  } = swept;
  const failures = [...swept.failures, ...unfinished];
  const summary = {
    revoked: revoked.length,
    expired: expired.length,
    // No event ended these: a figure that rises says that webhooks are being lost, or that jobs outlast their tokens.
    ended_by_expiry: expired.filter(({ ended_by }) => ended_by === 'expiry').length,
    not_renewed: renewalEnded.length,
    jobs_checked: asked.jobs,
    buildkite_calls: asked.calls,
    builds_too_large: asked.tooLarge,
    // Jobs whose end would not be found, should their webhook be lost. Null: not known.
    jobs_unchecked_15m: jobsUnchecked,
    // Ends of which no webhook had told so far.
    jobs_reconciled: foundFinished.length,
    accounts_enabled: woken.length,
    accounts_enabled_externally: disabledAgain.length,
    pools,
    failed: failures.length,
    oldest_pending_s: oldestUnfinishedS(swept, endedAt),
    has_backlog: more,
    duration_ms: endedAt - startedAt,
  };
  const answer: Answer = swept.unread
    ? {
        ...error(
          503,
          'temporarily_unavailable',
          'The ledger could not be read, or not all of it. The next sweep tries again.',
          request_id,
        ),
        headers: { 'retry-after': '2' },
      }
    : { status: 200, body: { ...summary, request_id } };
  return {
    ...answer,
    entries: [
      ...foundFinished.map(toFoundFinished),
      ...endingEntries(swept),
      ...woken.map(toEnabled),
      ...disabledAgain.map(toDisabledAgain),
      ...notDisabled.map(toNotDisabled),
      ...foundEnabled.map(toFoundEnabled),
      ...(jobsUnchecked ? [toUnchecked(jobsUnchecked)] : []),
      {
        event: 'sweep.completed',
        severity: swept.unread ? 'ERROR' : failures.length > 0 ? 'WARNING' : 'INFO',
        message: `sweep${swept.unread ? ' could not read the ledger' : ''}: ${revoked.length} revoked, ${expired.length} expired, ${woken.length} accounts enabled, ${failures.length} failed${more ? ', more to do' : ''}`,
        completed: !swept.unread,
        ...summary,
        failures: failures.slice(0, 20),
      },
      // What a metric is made of: it can't go through the members of a map or of a list.
      ...Object.entries(pools).map(toPoolCounted),
      ...failures.slice(0, FAILURES_TOLD).map(toWorkFailed),
    ],
  };
}

/** 0 when nothing was left; null when nobody knows, because the ledger or a record in it could not be read. */
function oldestUnfinishedS({ oldestUnfinishedAt, unread, unreadable }: Swept, now: number): number | null {
  if (oldestUnfinishedAt !== null) return Math.max(0, now - oldestUnfinishedAt) / 1000;
  return unread || unreadable ? null : 0;
}

function toPoolCounted([pool, counted]: readonly [string, PoolReport]): AuditEntry {
  return {
    event: 'pool.reported',
    severity: 'INFO',
    message: `pool ${pool}: ${counted.free} of ${counted.size} accounts are free`,
    pool,
    ...counted,
    labels: { pool },
  };
}

function toFoundFinished({ job_id, job_state, pipeline_slug }: FoundFinished): AuditEntry {
  return {
    event: 'job.reconciled',
    severity: 'WARNING',
    message: `job ${job_id} had ended, and no webhook has said so yet`,
    job_id,
    job_state,
    pipeline_slug,
  };
}

function toUnchecked(jobs_unchecked_15m: number): AuditEntry {
  return {
    event: 'jobs.unchecked',
    severity: 'ERROR',
    message: `Buildkite has not responded about ${jobs_unchecked_15m} jobs with live grants for 15 minutes: should their webhooks be lost, their credentials live until they expire`,
    jobs_unchecked_15m,
  };
}

function toEnabled(known: KnownAccount): AuditEntry {
  return accountEntry(known, {
    event: 'account.enabled',
    severity: 'INFO',
    message: `${known.email} is enabled again: the last token issued from it has expired`,
  });
}

function toDisabledAgain(known: KnownAccount): AuditEntry {
  return accountEntry(known, {
    event: 'account.enabled_externally',
    severity: 'ERROR',
    message: `${known.email} was found enabled while it must rest, and was disabled again: who enabled it?`,
  });
}

function toFoundEnabled(known: KnownAccount): AuditEntry {
  const entry = accountEntry(known, {
    event: 'account.found_enabled',
    severity: 'NOTICE',
    message: `IAM said that ${known.email} is enabled while it must rest, and was asked to disable it: the answer may have been an old one`,
  });
  return { ...entry, found_enabled: known.account.found_enabled };
}

function toNotDisabled(known: KnownAccount): AuditEntry {
  return accountEntry(known, {
    event: 'account.disable_failed',
    severity: 'CRITICAL',
    message: `${known.email} was found enabled while it must rest, and IAM did not confirm that it is disabled again: tokens of ended jobs may work`,
  });
}

function accountEntry(
  { email, account }: KnownAccount,
  what: Pick<AuditEntry, 'event' | 'severity' | 'message'>,
): AuditEntry {
  return { ...what, service_account: email, ...toLeaseFacts(account), labels: { service_account: email } };
}

function toLeaseFacts({ pool, grant_id, leased_at, disabled_at, reusable_at }: KnownAccount['account']) {
  return { pool, grant_id, ...toIsoTimes({ leased_at, disabled_at, reusable_at }) };
}

function error(status: number, code: string, description: string, request_id: string): Answer {
  return { status, body: { error: code, request_id, error_description: description } };
}
