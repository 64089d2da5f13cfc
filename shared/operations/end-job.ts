// The end of a job, or of one grant before its job ends: first on record together with what it means, then access is
// taken away. What cannot be finished in time stays `revoking`, and the sweep goes on from there.

import type { Grant } from '../core/grant/grant.ts';
import { type HowEnded, idOf } from '../core/grant/lifecycle.ts';
import type { JobEnd } from '../ledger/revocation.ts';
import { failureOf, within } from '../runtime/errors.ts';
import type { Failure } from '../runtime/work-queue.ts';
import { type RevokeParts, revoke } from './revoke-grant.ts';

/** Milliseconds for the whole, so that Buildkite has its answer well inside five seconds. */
export const BUDGET_MS = 4_000;
/** Milliseconds of it that are kept for recording what was taken away. */
const RECORDING_MS = 1_000;

export interface Unfinished {
  readonly grant_id: string;
  /** Who failed, where that is known. */
  readonly dependency?: string;
  readonly error: string;
  readonly code?: 'unreadable_record';
}

export interface Ending {
  /** Access was taken away. */
  readonly revoked: readonly Grant[];
  /** Not renewed any more; its tokens die at `expires_at`, whatever else was taken away. */
  readonly renewalEnded: readonly Grant[];
  /** Its time was up before access could be taken away. */
  readonly expired: readonly Grant[];
  /** Access could not be taken away yet, and why. */
  readonly unfinished: readonly Unfinished[];
}

export interface JobEnding extends Ending {
  readonly repeated: boolean;
  readonly otherPipeline: boolean;
}

/** Ends a job. Throws Unavailable when its end could not be recorded; what happens after that is in the answer. */
export async function endJob(parts: RevokeParts, jobEnd: JobEnd): Promise<JobEnding> {
  const until = parts.clock.now() + BUDGET_MS;
  const { grants, repeated, otherPipeline, unreadable } = await parts.ledger.endJob(jobEnd);
  const ending = await finish(parts, grants, until);
  return { ...ending, unfinished: [...unreadableGrants(unreadable), ...ending.unfinished], repeated, otherPipeline };
}

/**
 * Ends one grant; its job runs on, and does not get it again. Safe to repeat: a revocation that was not finished is
 * gone on with. Throws Unavailable when the end could not be recorded.
 */
export async function endGrant(parts: RevokeParts, grant: Grant, how: HowEnded): Promise<Ending> {
  const until = parts.clock.now() + BUDGET_MS;
  const ended = await parts.ledger.endGrant(grant, how);
  return finish(parts, ended ? [ended] : [], until);
}

/** What is to be said of grants whose records cannot be read. */
export function unreadableGrants(ids: readonly string[]): Unfinished[] {
  return ids.map((grant_id) => ({ grant_id, code: 'unreadable_record' as const, error: 'its record cannot be read' }));
}

/** All of them as one. */
export function mergeEndings(endings: readonly Ending[]): Ending {
  return {
    revoked: endings.flatMap(({ revoked }) => revoked),
    renewalEnded: endings.flatMap(({ renewalEnded }) => renewalEnded),
    expired: endings.flatMap(({ expired }) => expired),
    unfinished: endings.flatMap(({ unfinished }) => unfinished),
  };
}

/** Takes away, until then, what the records of ended grants say is to be taken away. */
export async function finish(parts: RevokeParts, grants: readonly Grant[], until: number): Promise<Ending> {
  const revoked: Grant[] = [];
  const renewalEnded = grants.filter(({ state }) => state === 'issuing' || state === 'active');
  const expired = grants.filter(({ state }) => state === 'expired');
  const unfinished: Unfinished[] = [];
  const { clock } = parts;
  const limit = { clock, milliseconds: Math.max(until - clock.now(), 0), what: 'revocation' };
  await Promise.all(
    grants
      .filter(({ state }) => state === 'revoking')
      .map(async (grant) => {
        try {
          const ended = await within(limit, revoke(parts, grant, until - RECORDING_MS));
          if (ended?.state === 'revoked') revoked.push(ended);
          else if (ended?.state === 'expired') expired.push(ended);
          else if (ended) renewalEnded.push(ended);
        } catch (error) {
          unfinished.push({ grant_id: idOf(grant), ...failureOf(error) });
        }
      }),
  );
  return { revoked, renewalEnded, expired, unfinished };
}

export function nameGrant(grant: Grant): Omit<Failure, 'dependency' | 'error' | 'code'> {
  return { grant_id: idOf(grant) };
}
