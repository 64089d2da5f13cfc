// The end of a job, or of one grant before its job ends: first on record together with what it means, then access is
// taken away. What cannot be finished in time stays `revoking`, and the sweep goes on from there.

import type { EndCause } from '../core/grant/end.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import { END_BUDGET_MS, RECORD_RESERVE_MS } from '../core/timing.ts';
import { type FailureFacts, toFailure, withTimeout } from '../runtime/errors.ts';
import type { FailureSubject } from '../runtime/work-queue.ts';
import type { JobEnd, UnreadableRecord } from './ports.ts';
import { type RevokeDeps, revokeGrant } from './revoke-grant.ts';

export type PendingRevocation = { readonly grant_id: string } & FailureFacts;

export interface EndResult {
  /** Access was taken away. */
  readonly revoked: readonly Grant[];
  /** Not renewed; its tokens work until `expires_at`. */
  readonly notRenewed: readonly Grant[];
  /** Its time was up before access could be taken away. */
  readonly expired: readonly Grant[];
  /** Access could not be taken away yet, and why. */
  readonly pending: readonly PendingRevocation[];
}

export interface JobEndResult extends EndResult {
  readonly alreadyEnded: boolean;
  readonly pipelineMismatch: boolean;
}

/** Ends a job. Throws DependencyError when its end could not be recorded; the result says what happened after that. */
export async function endJob(deps: RevokeDeps, jobEnd: JobEnd): Promise<JobEndResult> {
  const until = deps.clock.now() + END_BUDGET_MS;
  const { grants, alreadyEnded, pipelineMismatch, unreadable } = await deps.ledger.endJob(jobEnd);
  const result = await completeRevocations(deps, grants, until);
  return { ...result, pending: [...unreadablePending(unreadable), ...result.pending], alreadyEnded, pipelineMismatch };
}

/**
 * Ends one grant; its job runs on, and does not get it again. Safe to repeat: a revocation that was not finished is
 * gone on with. Throws DependencyError when the end could not be recorded.
 */
export async function endGrant(deps: RevokeDeps, grant: Grant, cause: EndCause): Promise<EndResult> {
  const until = deps.clock.now() + END_BUDGET_MS;
  const updated = await deps.ledger.endGrant(grant, cause);
  return completeRevocations(deps, updated ? [updated] : [], until);
}

/** What is to be said of grants whose records cannot be read. */
export function unreadablePending(records: readonly UnreadableRecord[]): PendingRevocation[] {
  return records.map((record) => ({ grant_id: record.id, ...toUnreadableFailure(record) }));
}

export function toUnreadableFailure({ error }: UnreadableRecord): FailureFacts {
  return { dependency: 'ledger', code: 'unreadable_record', error };
}

/** All of them as one. */
export function mergeEndResults(results: readonly EndResult[]): EndResult {
  return {
    revoked: results.flatMap(({ revoked }) => revoked),
    notRenewed: results.flatMap(({ notRenewed }) => notRenewed),
    expired: results.flatMap(({ expired }) => expired),
    pending: results.flatMap(({ pending }) => pending),
  };
}

/** Takes away, until then, what the records of ended grants say is to be taken away. */
export async function completeRevocations(
  deps: RevokeDeps,
  grants: readonly Grant[],
  until: number,
): Promise<EndResult> {
  const ended = grants.filter(({ state }) => state === 'issuing' || state === 'active' || state === 'expired');
  const pending: PendingRevocation[] = [];
  const { clock } = deps;
  const limit = { clock, milliseconds: Math.max(until - clock.now(), 0), dependency: 'revocation' };
  await Promise.all(
    grants
      .filter(({ state }) => state === 'revoking')
      .map(async (grant) => {
        const revoking = revokeGrant(deps, grant, until - RECORD_RESERVE_MS);
        try {
          const updated = await withTimeout(limit, revoking);
          if (updated) ended.push(updated);
        } catch (error) {
          pending.push({ grant_id: grantIdOf(grant), ...toFailure(error) });
          // The sweep finds it done, and then nobody else reports it.
          revoking.then(
            (updated) => updated && deps.onLateEnd?.(updated),
            () => {},
          );
        }
      }),
  );
  return { ...byOutcome(ended), pending };
}

/** Ended grants by what became of their access. */
export function byOutcome(grants: readonly Grant[]): Omit<EndResult, 'pending'> {
  const isFinal = ({ state }: Grant) => state === 'revoked' || state === 'expired';
  return {
    revoked: grants.filter(({ state }) => state === 'revoked'),
    notRenewed: grants.filter((grant) => !isFinal(grant)),
    expired: grants.filter(({ state }) => state === 'expired'),
  };
}

export function failureSubject(grant: Grant): FailureSubject {
  return { grant_id: grantIdOf(grant) };
}
