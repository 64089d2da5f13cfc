// The end of a grant: active -> revoking -> revoked, active -> expired. Pure functions on a grant's record; times are
// milliseconds since the epoch.

import { revocableAccess } from '../kinds/kinds.ts';
import type { Refusal } from '../oauth/refusal.ts';
import { FINISH_TIME_TOLERANCE_MS, MAX_JOB_TOKEN_AGE_MS, surelyPast } from '../timing.ts';
import { type EndCauseName, endsJob } from './end-causes.ts';
import type { Grant } from './grant.ts';
import { grantIdOf } from './id.ts';

export const NOT_ENDING = { ending_since: null, ending_by: null, ending_kill_switch_id: null };

export interface EndCause {
  readonly by: Exclude<EndCauseName, 'expiry'>;
  /** When the job finished, by Buildkite's clock. */
  readonly finished_at?: number | undefined;
  readonly kill_switch_id?: string;
}

/** What marks a grant as ending before its job does: one write that no other can make fail, which every issue reads. */
export function grantEndMark({ by, kill_switch_id }: EndCause, now: number): Partial<Grant> {
  if (by !== 'released' && by !== 'kill_switch') throw new Error('the end of a job is marked on the job');
  return { ending_since: now, ending_by: by, ending_kill_switch_id: kill_switch_id ?? null };
}

/**
 * The record once the job has ended, or the grant alone was ended. A grant that can be revoked becomes `revoking`. One that
 * can only expire is not renewed and keeps its state until it expires. When the job ended, an expired grant is marked too,
 * so that a request in flight finds it changed.
 * Undefined when the record already says so, or when the grant cannot be issued again anyway.
 */
export function endGrant(existing: Grant, cause: EndCause, now: number): Grant | undefined {
  const jobEnded = endsJob(cause.by);
  if (existing.state === 'revoking' || existing.state === 'revoked') return undefined;
  if (jobEnded ? existing.job_ended_at !== null : existing.ended_at !== null) return undefined;
  const marked: Grant = {
    ...existing,
    job_ended_at: jobEnded ? now : null,
    job_finished_at: plausibleFinishTime(cause.finished_at, existing.created_at, now),
  };
  if (existing.state === 'expired') return marked;
  const expired = expire(marked, now);
  if (expired) return expired;
  const ended: Grant = {
    ...marked,
    ...NOT_ENDING,
    ...causeOfEnd(existing, cause),
    ended_at: existing.ended_at ?? now,
  };
  return revocableAccess(ended) ? { ...ended, state: 'revoking' } : ended;
}

/**
 * The record of a grant whose account Google does not mint from, when the pool has no other account free. No token of it was
 * returned, so its job may request it again.
 */
export function abandonLease(existing: Grant, now: number): Grant {
  if (existing.state !== 'issuing' && existing.state !== 'active')
    throw new Error('a grant without a lease to give up');
  const abandoned = { ended_at: now, ended_by: 'expiry' as const, access_ended_at: now };
  return { ...existing, ...abandoned, state: 'expired' };
}

/**
 * The record once what can be taken away was. Where that need not be the end of every token (the account of narrowed tokens
 * is disabled, but Google does not say that they die with it) it goes on saying `revoking`, with the time when they do end.
 * Undefined when that was not what the record waited for.
 */
export function confirmRevoked(existing: Grant, now: number): Grant | undefined {
  if (existing.state !== 'revoking' || existing.access_ended_at !== null) return undefined;
  return existing.revocation === 'expiry'
    ? { ...existing, ...NOT_ENDING, access_ended_at: existing.expires_at }
    : { ...existing, ...NOT_ENDING, state: 'revoked', access_ended_at: now };
}

/**
 * The record of a grant whose time is up by every clock, also of one that could not be revoked before; undefined when it is
 * not up, or the grant has ended otherwise. From then on nobody takes anything of it away, and a pooled account passes to
 * another job.
 */
export function expire(existing: Grant, now: number): Grant | undefined {
  if (existing.state === 'revoked' || existing.state === 'expired') return undefined;
  if (!surelyPast(existing.expires_at, now)) return undefined;
  return {
    ...existing,
    ...NOT_ENDING,
    state: 'expired',
    ...causeOfEnd(existing, { by: 'expiry' }),
    ended_at: existing.ended_at ?? existing.expires_at,
    access_ended_at: existing.expires_at,
  };
}

/** What ended it: as is on record, else as it was marked, else `how`. */
function causeOfEnd(
  existing: Grant,
  cause: { readonly by: Grant['ended_by']; readonly kill_switch_id?: string },
): Pick<Grant, 'ended_by' | 'kill_switch_id'> {
  const { ended_by, kill_switch_id, ending_by, ending_kill_switch_id } = existing;
  if (ended_by !== null) return { ended_by, kill_switch_id };
  if (ending_by !== null) return { ended_by: ending_by, kill_switch_id: ending_kill_switch_id };
  return { ended_by: cause.by, kill_switch_id: cause.kill_switch_id ?? null };
}

/** Why a grant cannot be issued again; undefined while it is live, and when it only expired. */
export function refusalIfEnded(existing: Grant): Refusal | undefined {
  const { state, ended_by, job_ended_at } = existing;
  if (job_ended_at !== null) return { reason: 'job_ended', ended_at: job_ended_at };
  const ended = (ended_by !== null && ended_by !== 'expiry') || existing.ending_since !== null;
  return ended || state === 'revoking' || state === 'revoked'
    ? { reason: 'grant_revoked', grant_id: grantIdOf(existing) }
    : undefined;
}

/** The finish time that Buildkite reports, if it is plausible for a grant created and ended at these times. */
function plausibleFinishTime(at: number | undefined, from: number, until: number): number | null {
  return at !== undefined && at >= from - MAX_JOB_TOKEN_AGE_MS && at <= until + FINISH_TIME_TOLERANCE_MS ? at : null;
}
