// A grant as a row of a review: what is on record of it, how its access ended, and how long that took. Nothing in it depends on when the
// review is made, but for grants that had not ended.

import type { GrantSummary } from '../operator-api/grant.ts';
import { surelyPast } from '../timing.ts';

/**
 * `revoked`: access was taken away. `expired`: its tokens expired. `still_accepted`: a token of it may be accepted. `overdue`: its tokens have
 * expired by every clock, and its end is not on record. `unissued`: no token of it ever left.
 */
export const OUTCOMES = ['revoked', 'expired', 'still_accepted', 'overdue', 'unissued'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface GrantRow extends Omit<GrantSummary, 'accepted_until' | 'access'> {
  readonly outcome: Outcome;
  /** Milliseconds from the recorded end until access had ended; null: not both are on record. */
  readonly ended_to_access_ended_ms: number | null;
  /** From the job's finish, by Buildkite's clock, which may differ: it can be negative. Null: the job did not end it, or sent no time. */
  readonly job_finished_to_access_ended_ms: number | null;
}

/** @param asOf when the ledger was read, in milliseconds since the epoch */
export function toRow({ accepted_until: _, access: __, ...grant }: GrantSummary, asOf: number): GrantRow {
  const { ended_at, ended_by, job_finished_at, access_ended_at } = grant;
  const byJob = ended_by === 'job.finished' || ended_by === 'job.reconciled';
  const row: GrantRow = {
    ...grant,
    job: Object.fromEntries(Object.entries(grant.job).sort(([one], [other]) => (one < other ? -1 : 1))),
    outcome: outcomeOf(grant, asOf),
    ended_to_access_ended_ms: between(ended_at, access_ended_at),
    job_finished_to_access_ended_ms: byJob ? between(job_finished_at, access_ended_at) : null,
  };
  return withPlainTexts(row) as GrantRow;
}

function outcomeOf(grant: Omit<GrantSummary, 'accepted_until' | 'access'>, asOf: number): Outcome {
  const { state, issued_at, access_ended_at, expires_at } = grant;
  const isFinal = state === 'revoked' || state === 'expired';
  if (issued_at === null && isFinal) return 'unissued';
  if (isFinal) return state;
  return surelyPast(Date.parse(access_ended_at ?? expires_at), asOf) ? 'overdue' : 'still_accepted';
}

function between(from: string | null, to: string | null): number | null {
  return from === null || to === null ? null : Date.parse(to) - Date.parse(from);
}

/** Versions of jq write these in different ways, and everybody must get the same SHA-256. */
const NOT_PLAIN = /[\x7f\p{Cs}]/gu;

function withPlainTexts(value: unknown): unknown {
  if (typeof value === 'string')
    return value.replace(NOT_PLAIN, (one) => `<U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}>`);
  if (Array.isArray(value)) return value.map(withPlainTexts);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withPlainTexts(inner)]));
}
