// The audit events of what several functions do to grants, from what the operations return.

import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import { conditionsToWire } from '../core/operator-api/conditions.ts';
import { toJobFields } from '../core/subject/buildkite-job.ts';
import type { EndResult } from '../operations/end-job.ts';
import type { Failure } from '../runtime/work-queue.ts';
import { type AuditEvent, auditEvent } from './events.ts';
import { toIsoTimes } from './iso-times.ts';

/** What a line says of a grant. The only place where a stored grant becomes fields of an event. */
export function grantFields(grant: Grant) {
  const {
    tokens,
    delete_at,
    rate_window_at,
    rate_window_count,
    ending_since,
    ending_by,
    ending_kill_switch_id,
    superseded,
    subject,
    conditions,
    ...logged
  } = grant;
  return {
    grant_id: grantIdOf(grant),
    ...toJobFields(subject),
    conditions: conditions && conditionsToWire(conditions),
    ...toIsoTimes(logged),
  };
}

/** The events for a revocation's result. */
export function endEvents({ revoked, notRenewed, expired }: Omit<EndResult, 'pending'>): AuditEvent[] {
  return [
    ...revoked.map((grant) => auditEvent('grant.revoked', endFields(grant))),
    ...notRenewed.map((grant) => auditEvent('grant.ended', endFields(grant))),
    ...expired.map((grant) => auditEvent('grant.expired', endFields(grant))),
  ];
}

function endFields(grant: Grant) {
  return { ...grantFields(grant), ...latencyFields(grant) };
}

/**
 * Seconds until no token is accepted any more: since this service recorded the end, and since the job ended by Buildkite's
 * clock.
 */
function latencyFields({ ended_at, job_finished_at, access_ended_at }: Grant) {
  if (access_ended_at === null) return {};
  const since = (at: number) => Math.max(0, access_ended_at - at) / 1000;
  return {
    ...(ended_at === null ? {} : { revocation_latency_s: since(ended_at) }),
    ...(job_finished_at === null ? {} : { access_after_job_end_s: since(job_finished_at) }),
  };
}

/** Events of what could not be done, of one request: an outage has thousands of the same. */
const MAX_LOGGED_FAILURES = 200;

/** What is left for the next sweep. */
export function failureEvents(failures: readonly Failure[]): AuditEvent[] {
  return failures
    .slice(0, MAX_LOGGED_FAILURES)
    .map(
      ({ dependency = 'keydesk', grant_id, job_id, service_account, team_id, build_record_id, error, code, cause }) =>
        auditEvent('task.failed', {
          ...{ grant_id, job_id, service_account, team_id, build_record_id },
          ...{ dependency, error, code, cause },
        }),
    );
}
