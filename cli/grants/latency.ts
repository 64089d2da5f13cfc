// How long the end of a grant took, from its record. Pure.

import type { GrantDetails } from '../../shared/core/operator-api/grant.ts';

export interface Latency {
  /** Milliseconds from the job's finish, by Buildkite's clock, until its end was recorded here. Null: not on record. */
  readonly recorded_ms: number | null;
  /** Milliseconds from `since` until access had ended, as on record. Null: it has not, or nothing was revoked. */
  readonly revoked_ms: number | null;
  /** What `revoked_ms` begins with. */
  readonly since: 'job_finished_at' | 'ended_at' | null;
}

/** The two clocks may differ, so that a time can be negative. */
export function latencyOf({ state, ended_at, ended_by, job_finished_at, access_ended_at }: GrantDetails): Latency {
  const byJob = ended_by === 'job.finished' || ended_by === 'job.reconciled';
  const finished = byJob ? job_finished_at : null;
  const begin = finished ?? ended_at;
  const revoked = state === 'revoked' && begin !== null && access_ended_at !== null;
  return {
    recorded_ms: finished === null || ended_at === null ? null : between(finished, ended_at),
    revoked_ms: revoked ? between(begin, access_ended_at) : null,
    since: revoked ? (finished === null ? 'ended_at' : 'job_finished_at') : null,
  };
}

function between(from: string, to: string): number {
  return Date.parse(to) - Date.parse(from);
}
