// The audit lines of a grant's life, the same wherever it ended.

import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/lifecycle.ts';
import { toJobFields } from '../core/subjects/buildkite-job.ts';
import type { EndResult } from '../operations/end-job.ts';
import type { DependencyError } from '../runtime/errors.ts';
import type { Failure } from '../runtime/work-queue.ts';
import type { AuditEvent } from './logger.ts';

const GRANT_EVENT_TEXT = {
  'grant.issued': 'issued',
  'grant.revoked': 'revoked: access was taken away',
  'grant.ended': 'ended: no new tokens; those it has expire at expires_at',
  'grant.expired': 'expired: its time was up',
} as const;

/** One line about one grant, with everything an auditor asks of it. Times are ISO 8601. */
export function grantEvent(
  event: keyof typeof GRANT_EVENT_TEXT,
  grant: Grant,
  facts: Readonly<Record<string, unknown>> = {},
): AuditEvent {
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
    ...logged
  } = grant;
  return {
    event,
    severity: 'INFO',
    message: `${grant.credential} of job ${subject.id}: ${GRANT_EVENT_TEXT[event]}`,
    grant_id: grantIdOf(grant),
    ...toJobFields(subject),
    ...toIsoTimes(logged),
    ...latencyFields(grant),
    ...toIsoTimes(facts),
    labels: {
      credential: grant.credential,
      environment: grant.environment,
      ...('service_account' in grant ? { service_account: grant.service_account } : {}),
    },
  };
}

/**
 * Seconds to the moment from which no token is accepted: from the end, when this service heard of it, and from the job's,
 * when Buildkite's clock says that it was.
 */
function latencyFields({ ended_at, job_finished_at, access_ended_at }: Grant) {
  if (access_ended_at === null) return {};
  const since = (at: number) => Math.max(0, access_ended_at - at) / 1000;
  return {
    ...(ended_at === null ? {} : { revocation_latency_s: since(ended_at) }),
    ...(job_finished_at === null ? {} : { access_after_job_end_s: since(job_finished_at) }),
  };
}

/** Lines about what could not be done, of one request: an outage has thousands of the same. */
export const MAX_LOGGED_FAILURES = 200;

/** What is left for the next sweep. */
export function taskFailedEvent({
  grant_id,
  job_id,
  service_account,
  dependency = 'keydesk',
  error,
  code,
}: Failure): AuditEvent {
  return {
    event: 'task.failed',
    severity: 'WARNING',
    message: `not done: ${error}`,
    grant_id,
    job_id,
    service_account,
    dependency,
    error,
    code,
  };
}

/** A pooled account that was set aside for another because Google does not mint from it. */
export function accountGivenUpEvent({ permanent, dependency, message }: DependencyError): AuditEvent {
  const { service_account, ...facts } = permanent ?? {};
  return {
    event: 'account.quarantined',
    severity: 'WARNING',
    message: `a pooled account was given up for another: ${message}`,
    service_account,
    ...facts,
    dependency,
    error: message,
    ...(service_account === undefined ? {} : { labels: { service_account } }),
  };
}

/** The lines of whatever ended. */
export function endEvents({ revoked, notRenewed, expired }: Omit<EndResult, 'pending'>): AuditEvent[] {
  return [
    ...revoked.map((grant) => grantEvent('grant.revoked', grant)),
    ...notRenewed.map((grant) => grantEvent('grant.ended', grant)),
    ...expired.map((grant) => grantEvent('grant.expired', grant)),
  ];
}

/** Times, which end in `_at`, `_until` or `_since`, as ISO 8601; lists of facts too. */
export function toIsoTimes(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, toIsoTime(name, value)]));
}

function toIsoTime(name: string, value: unknown): unknown {
  if (typeof value === 'number' && /_(at|until|since)$/.test(name)) return new Date(value).toISOString();
  if (name === 'past_leases' && Array.isArray(value)) return value.map((lease) => toIsoTimes(lease));
  return value;
}
