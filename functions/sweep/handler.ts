// The sweep's endpoint: called each minute by Cloud Scheduler, under the platform's own authentication.

import { endEvents, MAX_LOGGED_FAILURES, taskFailedEvent, toIsoTimes } from '../../shared/audit/grant-events.ts';
import type { AuditEvent } from '../../shared/audit/logger.ts';
import type { PoolReport } from '../../shared/core/pool/forecast.ts';
import type { StoredAccount } from '../../shared/operations/ports.ts';
import type { ReconciledJob } from '../../shared/operations/reconcile-jobs.ts';
import type { SweepResult } from '../../shared/operations/sweep.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { type ErrorResponses, type Handler, type HttpResponse, REQUEST_TIMED_OUT } from '../runtime/http-server.ts';

/** Bytes; the body is not read for anything. */
export const SWEEP_BODY_LIMIT = 16 * 1024;

export interface SweepHandlerDeps {
  readonly sweep: () => Promise<SweepResult>;
  readonly clock: Clock;
}

export function createSweepHandler({ sweep, clock }: SweepHandlerDeps): Handler {
  return async ({ method, path, request_id }) => {
    if (path !== '/') return errorResponse(404, 'not_found', 'The sweep is run at /.', request_id);
    if (method !== 'POST')
      return {
        ...errorResponse(405, 'invalid_request', 'Only POST is answered.', request_id),
        headers: { allow: 'POST' },
      };
    const startedAt = clock.now();
    const result = await sweep();
    return sweepResponse(result, { startedAt, endedAt: clock.now() }, request_id);
  };
}

export const SWEEP_ERROR_RESPONSES: ErrorResponses = {
  tooLarge: (request_id) => errorResponse(413, 'invalid_request', 'The limit is 16 KiB for a body.', request_id),
  tooSlow: REQUEST_TIMED_OUT,
};

function sweepResponse(
  result: SweepResult,
  { startedAt, endedAt }: { readonly startedAt: number; readonly endedAt: number },
  request_id: string,
): HttpResponse {
  const {
    revoked,
    expired,
    notRenewed,
    pending,
    reconciledJobs,
    buildkiteUsage,
    jobsUnchecked,
    enabled,
    foundEnabled,
    enabledExternally,
    stillEnabled,
    pools,
    hasBacklog,
  } = result;
  const failures = [...result.failures, ...pending];
  const summary = {
    revoked: revoked.length,
    expired: expired.length,
    // No event ended these: a figure that rises says that webhooks are being lost, or that jobs outlast their tokens.
    ended_by_expiry: expired.filter(({ ended_by }) => ended_by === 'expiry').length,
    not_renewed: notRenewed.length,
    jobs_checked: buildkiteUsage.jobs,
    buildkite_calls: buildkiteUsage.calls,
    builds_too_large: buildkiteUsage.tooLarge,
    // Jobs whose end would not be found, should their webhook be lost. Null: not known.
    jobs_unchecked_15m: jobsUnchecked,
    // Ends of which no webhook had told so far.
    jobs_reconciled: reconciledJobs.length,
    accounts_enabled: enabled.length,
    accounts_enabled_externally: enabledExternally.length,
    pools,
    failed: failures.length,
    oldest_pending_s: oldestPendingSeconds(result, endedAt),
    has_backlog: hasBacklog,
    duration_ms: endedAt - startedAt,
  };
  const response: HttpResponse = result.incomplete
    ? {
        ...errorResponse(
          503,
          'temporarily_unavailable',
          'The ledger could not be read, or not all of it. The next sweep tries again.',
          request_id,
        ),
        headers: { 'retry-after': '2' },
      }
    : { status: 200, body: { ...summary, request_id } };
  return {
    ...response,
    auditEvents: [
      ...reconciledJobs.map(jobReconciledEvent),
      ...endEvents(result),
      ...enabled.map(accountEnabledEvent),
      ...enabledExternally.map(accountEnabledExternallyEvent),
      ...stillEnabled.map(accountDisableFailedEvent),
      ...foundEnabled.map(accountFoundEnabledEvent),
      ...(jobsUnchecked ? [jobsUncheckedEvent(jobsUnchecked)] : []),
      {
        event: 'sweep.completed',
        severity: result.incomplete ? 'ERROR' : failures.length > 0 ? 'WARNING' : 'INFO',
        message: `sweep${result.incomplete ? ' could not read the ledger' : ''}: ${revoked.length} revoked, ${expired.length} expired, ${enabled.length} accounts enabled, ${failures.length} failed${hasBacklog ? ', more to do' : ''}`,
        completed: !result.incomplete,
        ...summary,
        failures: failures.slice(0, 20),
      },
      // What a metric is made of: it can't go through the members of a map or of a list.
      ...Object.entries(pools).map(poolReportedEvent),
      ...failures.slice(0, MAX_LOGGED_FAILURES).map(taskFailedEvent),
    ],
  };
}

/** 0 when nothing was left; null when nobody knows, because the ledger or a record in it could not be read. */
function oldestPendingSeconds({ oldestPendingAt, incomplete, hasUnreadable }: SweepResult, now: number): number | null {
  if (oldestPendingAt !== null) return Math.max(0, now - oldestPendingAt) / 1000;
  return incomplete || hasUnreadable ? null : 0;
}

function poolReportedEvent([pool, report]: readonly [string, PoolReport]): AuditEvent {
  return {
    event: 'pool.reported',
    severity: 'INFO',
    message: `pool ${pool}: ${report.free} of ${report.size} accounts are free`,
    pool,
    ...report,
    labels: { pool },
  };
}

function jobReconciledEvent({ job_id, job_state, pipeline_slug }: ReconciledJob): AuditEvent {
  return {
    event: 'job.reconciled',
    severity: 'WARNING',
    message: `job ${job_id} had ended, and no webhook has said so yet`,
    job_id,
    job_state,
    pipeline_slug,
  };
}

function jobsUncheckedEvent(jobs_unchecked_15m: number): AuditEvent {
  return {
    event: 'jobs.unchecked',
    severity: 'ERROR',
    message: `Buildkite has not responded about ${jobs_unchecked_15m} jobs with live grants for 15 minutes: should their webhooks be lost, their credentials live until they expire`,
    jobs_unchecked_15m,
  };
}

function accountEnabledEvent(stored: StoredAccount): AuditEvent {
  return accountEvent(stored, {
    event: 'account.enabled',
    severity: 'INFO',
    message: `${stored.email} is enabled again: the last token issued from it has expired`,
  });
}

function accountEnabledExternallyEvent(stored: StoredAccount): AuditEvent {
  return accountEvent(stored, {
    event: 'account.enabled_externally',
    severity: 'ERROR',
    message: `${stored.email} was found enabled while it must rest, and was disabled again: who enabled it?`,
  });
}

function accountFoundEnabledEvent(stored: StoredAccount): AuditEvent {
  const event = accountEvent(stored, {
    event: 'account.found_enabled',
    severity: 'NOTICE',
    message: `IAM said that ${stored.email} is enabled while it must rest, and was asked to disable it: the answer may have been an old one`,
  });
  return { ...event, found_enabled: stored.account.found_enabled };
}

function accountDisableFailedEvent(stored: StoredAccount): AuditEvent {
  return accountEvent(stored, {
    event: 'account.disable_failed',
    severity: 'CRITICAL',
    message: `${stored.email} was found enabled while it must rest, and IAM did not confirm that it is disabled again: tokens of ended jobs may work`,
  });
}

function accountEvent(
  { email, account }: StoredAccount,
  event: Pick<AuditEvent, 'event' | 'severity' | 'message'>,
): AuditEvent {
  return { ...event, service_account: email, ...leaseFields(account), labels: { service_account: email } };
}

function leaseFields({ pool, grant_id, leased_at, disabled_at, reusable_at }: StoredAccount['account']) {
  return { pool, grant_id, ...toIsoTimes({ leased_at, disabled_at, reusable_at }) };
}

function errorResponse(status: number, code: string, description: string, request_id: string): HttpResponse {
  return { status, body: { error: code, request_id, error_description: description } };
}
