// The end of a job: first on record together with what it means for the job's grants, then their access is taken away.
// What cannot be finished in time stays `revoking`, and the sweep goes on from there.

import type { Grant } from './core/grant.ts';
import { grantId } from './core/grant-id.ts';
import type { JobEnd } from './ledger/ending-ledger.ts';
import { type RevokeParts, revoke } from './revoke.ts';
import { within } from './unavailable.ts';

/** Milliseconds for the whole, so that Buildkite has its answer well inside five seconds. */
const BUDGET_MS = 4_000;

export interface JobEnding {
  readonly repeated: boolean;
  readonly otherPipeline: boolean;
  /** Access was taken away. */
  readonly revoked: readonly Grant[];
  /** Not renewed any more; its tokens die at `expires_at`. */
  readonly renewalEnded: readonly Grant[];
  /** Its time was up before access could be taken away. */
  readonly expired: readonly Grant[];
  /** Access could not be taken away yet, and why. */
  readonly unfinished: readonly { readonly grant_id: string; readonly detail: string }[];
}

/** Ends a job. Throws Unavailable when its end could not be recorded; what happens after that is in the answer. */
export async function endJob(parts: RevokeParts, end: JobEnd): Promise<JobEnding> {
  const until = parts.now() + BUDGET_MS;
  const { grants, repeated, otherPipeline, unreadable } = await parts.ledger.endJob(end);
  const left = Math.max(until - parts.now(), 0);
  const revoked: Grant[] = [];
  const expired = grants.filter(({ state }) => state === 'expired');
  const unfinished = unreadable.map((grant_id) => ({ grant_id, detail: 'its record cannot be read' }));
  await Promise.all(
    grants
      .filter(({ state }) => state === 'revoking')
      .map(async (grant) => {
        try {
          const dead = await within(left, 'revocation', revoke(parts, grant));
          if (dead) (dead.state === 'revoked' ? revoked : expired).push(dead);
        } catch (error) {
          const grant_id = grantId(grant.job_id, grant.credential);
          unfinished.push({ grant_id, detail: error instanceof Error ? error.message : 'failed' });
        }
      }),
  );
  return {
    repeated,
    otherPipeline,
    revoked,
    renewalEnded: grants.filter(({ state }) => state === 'issuing' || state === 'active'),
    expired,
    unfinished,
  };
}
