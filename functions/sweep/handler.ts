// The sweep's endpoint: called each minute by Cloud Scheduler, under the platform's own authentication.

import { unblockEvents } from '../../shared/audit/build-events.ts';
import type { SweepApiTokenSetting } from '../../shared/audit/events/sweep.ts';
import { type AuditEvent, auditEvent } from '../../shared/audit/events.ts';
import { toIsoTimes } from '../../shared/audit/iso-times.ts';
import { endEvents, failureEvents } from '../../shared/audit/result-events.ts';
import type { ApiTokenCheck } from '../../shared/core/deployment/deployment.ts';
import { API_TOKEN_EXPIRES_SOON_MS } from '../../shared/core/timing.ts';
import type { StoredAccount } from '../../shared/operations/ports.ts';
import type { ReadTeams } from '../../shared/operations/read-teams.ts';
import type { RecordedSweep } from '../../shared/operations/record-sweep.ts';
import type { SweepResult } from '../../shared/operations/sweep.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { type ErrorResponses, type Handler, type HttpResponse, REQUEST_TIMED_OUT } from '../runtime/http-server.ts';

/** Bytes; the body is not read for anything. */
export const SWEEP_BODY_LIMIT = 16 * 1024;

export interface SweepHandlerDeps {
  readonly sweep: () => Promise<SweepResult>;
  /** Records the result for people. Never throws, and changes nothing in the response. */
  readonly record: (swept: { readonly result: SweepResult; readonly endedAt: number }) => Promise<RecordedSweep>;
  /** Reads teams after all of that. Never throws, and changes nothing in the response. */
  readonly readTeams: (startedAt: number) => Promise<ReadTeams>;
  readonly clock: Clock;
}

export function createSweepHandler({ sweep, record, readTeams, clock }: SweepHandlerDeps): Handler {
  return async ({ method, path, request_id }) => {
    if (path !== '/') return errorResponse(404, 'not_found', 'Send the request to the path /.', request_id);
    if (method !== 'POST')
      return {
        ...errorResponse(405, 'invalid_request', 'This path accepts POST only.', request_id),
        headers: { allow: 'POST' },
      };
    const startedAt = clock.now();
    const result = await sweep();
    const endedAt = clock.now();
    const recorded = await record({ result, endedAt });
    const teams = await readTeams(startedAt);
    const response = sweepResponse(result, { startedAt, endedAt }, request_id);
    return {
      ...response,
      auditEvents: [...(response.auditEvents ?? []), ...recordEvents(recorded), ...teamEvents(teams, clock.now())],
    };
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
    buildLooks,
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
    ended_by_expiry: expired.filter(({ ended_by }) => ended_by === 'expiry').length,
    not_renewed: notRenewed.length,
    jobs_checked: buildkiteUsage.jobs,
    buildkite_calls: buildkiteUsage.calls,
    builds_too_large: buildkiteUsage.tooLarge,
    jobs_unchecked_15m: jobsUnchecked,
    jobs_reconciled: reconciledJobs.length,
    builds_looked_up: buildLooks.lookedUp,
    builds_not_shown: buildLooks.notShown,
    build_calls: buildLooks.calls,
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
          'The ledger could not be read completely. The next sweep tries again.',
          request_id,
        ),
        headers: { 'retry-after': '2' },
      }
    : { status: 200, body: { ...summary, request_id } };
  return {
    ...response,
    auditEvents: [
      ...reconciledJobs.map(({ job_id, job_state, pipeline_slug }) =>
        auditEvent('job.reconciled', { job_id, job_state, pipeline_slug }),
      ),
      ...endEvents(result),
      ...buildLooks.found.flatMap(({ news, unblocks }) => unblockEvents(news, unblocks, 'look')),
      ...enabled.map((stored) => auditEvent('account.enabled', accountFields(stored))),
      ...enabledExternally.map((stored) => auditEvent('account.enabled_externally', accountFields(stored))),
      ...stillEnabled.map((stored) => auditEvent('account.disable_failed', accountFields(stored))),
      ...foundEnabled.map((stored) =>
        auditEvent('account.found_enabled', {
          ...accountFields(stored),
          found_enabled: stored.account.found_enabled,
        }),
      ),
      ...(jobsUnchecked ? [auditEvent('jobs.unchecked', { jobs_unchecked_15m: jobsUnchecked })] : []),
      auditEvent('sweep.completed', {
        completed: !result.incomplete,
        ...summary,
        failures: failures.slice(0, 20),
      }),
      ...Object.entries(pools).map(([pool, report]) => auditEvent('pool.reported', { pool, ...report })),
      ...failureEvents(failures),
    ],
  };
}

function recordEvents({ checkedApiToken, checkedTeamsApiToken, failures }: RecordedSweep): AuditEvent[] {
  return [
    ...expiryEvents('KEYDESK_BUILDKITE_API_TOKEN', checkedApiToken?.check),
    ...expiryEvents('KEYDESK_BUILDKITE_TEAMS_API_TOKEN', checkedTeamsApiToken?.check),
    ...failureEvents(failures),
  ];
}

function expiryEvents(setting: SweepApiTokenSetting, check: ApiTokenCheck | undefined): AuditEvent[] {
  const expires_at = check && 'expires_at' in check ? check.expires_at : null;
  return check && expires_at !== null && expires_at - check.checked_at < API_TOKEN_EXPIRES_SOON_MS
    ? [auditEvent('api_token.expiring', { setting, api_token_expires_at: new Date(expires_at).toISOString() })]
    : [];
}

/** Teams that one line names. */
const MAX_NAMED_TEAMS = 20;

/** Nothing where the policy names no team. */
function teamEvents({ named, read, calls, stale, failures }: ReadTeams, now: number): AuditEvent[] {
  const tooOld = stale.filter(({ state }) => state === 'too_old');
  return [
    ...(named > 0
      ? [
          auditEvent('teams.read', {
            teams_named: named,
            teams_read: read,
            buildkite_calls: calls,
            failed: failures.length,
          }),
        ]
      : []),
    ...(stale.length > 0
      ? [
          auditEvent('teams.stale', {
            teams_stale: stale.length,
            teams_too_old: tooOld.length,
            teams: stale.slice(0, MAX_NAMED_TEAMS).map(({ id, name, state, read_at, failure }) => ({
              team_id: id,
              name,
              state,
              age_s: read_at === null ? null : Math.floor((now - read_at) / 1000),
              failure,
            })),
          }),
        ]
      : []),
    ...failureEvents(failures),
  ];
}

/** 0 when nothing was left; null when nobody knows, because the ledger or a record in it could not be read. */
function oldestPendingSeconds({ oldestPendingAt, incomplete, hasUnreadable }: SweepResult, now: number): number | null {
  if (oldestPendingAt !== null) return Math.max(0, now - oldestPendingAt) / 1000;
  return incomplete || hasUnreadable ? null : 0;
}

function accountFields({ email, account }: StoredAccount) {
  const { pool, grant_id, leased_at, disabled_at, reusable_at } = account;
  return { service_account: email, pool, grant_id, ...toIsoTimes({ leased_at, disabled_at, reusable_at }) };
}

function errorResponse(status: number, code: string, description: string, request_id: string): HttpResponse {
  return { status, body: { error: code, request_id, error_description: description } };
}
