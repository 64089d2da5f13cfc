// The side of the ledger that ends: it records that a job ended together with what that means for its grants, and finds
// what is still to be taken away or has run out. It can issue nothing.

import type { Firestore, Query } from '@google-cloud/firestore';
import { confirmRevoked, endWithJob, expire, type Grant, grantId, TOMBSTONE_RETENTION_MS } from './core/grant.ts';
import { toStored } from './firestore-client.ts';
import { grantDocument, jobDocument, LEDGER_DEADLINE_MS, toEndedAt, toGrant } from './grant-records.ts';
import { within } from './unavailable.ts';

/** Milliseconds for recording the end of a job: Buildkite waits five seconds at most. */
const END_DEADLINE_MS = 3_000;

export interface JobEnd {
  readonly job_id: string;
  /** Undefined when the message does not say. */
  readonly pipeline_id: string | undefined;
}

export type EndedJob =
  /** Recorded. `grants` are those that this changed; `repeated` that the end was on record before. */
  | { readonly outcome: 'recorded'; readonly grants: readonly Grant[]; readonly repeated: boolean }
  /** The message names another pipeline than the job's grants do, so it is not about this job. Nothing was written. */
  | { readonly outcome: 'contradicted' };

export interface EndingLedger {
  /** Records the end of a job and of its grants, in one transaction. Throws Unavailable when it could not. */
  endJob(end: JobEnd): Promise<EndedJob>;
  /** Records that access was taken away. Undefined when it was on record before. Throws Unavailable. */
  confirmRevoked(grant: Grant): Promise<Grant | undefined>;
  /** Records that a grant's time is up. Undefined when that is not so. Throws Unavailable. */
  expire(grant: Grant): Promise<Grant | undefined>;
  /** Grants whose revocation is not finished, at most `limit`. Throws Unavailable. */
  unfinished(limit: number): Promise<Grant[]>;
  /** Live grants whose time is up, at most `limit`. Throws Unavailable. */
  overdue(limit: number): Promise<Grant[]>;
}

/** @param now milliseconds since the epoch */
export function createEndingLedger(ledger: Firestore, now: () => number): EndingLedger {
  const grants = ledger.collection('grants');

  const list = async (query: Query): Promise<Grant[]> => {
    const { docs } = await within(LEDGER_DEADLINE_MS, 'ledger', query.get());
    return docs.flatMap((document) => toGrant(document) ?? []);
  };

  const move = (grant: Grant, next: (existing: Grant, now: number) => Grant | undefined): Promise<Grant | undefined> =>
    within(
      LEDGER_DEADLINE_MS,
      'ledger',
      ledger.runTransaction(async (transaction) => {
        const at = grantDocument(ledger, grantId(grant.job_id, grant.credential));
        const existing = toGrant(await transaction.get(at));
        const moved = existing && next(existing, now());
        if (moved) transaction.set(at, toStored(moved) as object);
        return moved;
      }),
    );

  return {
    endJob: ({ job_id, pipeline_id }) =>
      within(
        END_DEADLINE_MS,
        'ledger',
        ledger.runTransaction(async (transaction): Promise<EndedJob> => {
          const jobAt = jobDocument(ledger, job_id);
          const endedAt = toEndedAt(await transaction.get(jobAt));
          const held = (await transaction.get(grants.where('job_id', '==', job_id))).docs.flatMap(
            (d) => toGrant(d) ?? [],
          );
          const contradicts = (grant: Grant) =>
            pipeline_id !== undefined && grant.pipeline_id !== null && grant.pipeline_id !== pipeline_id;
          if (held.some(contradicts)) return { outcome: 'contradicted' };
          const at = now();
          const changed = held.flatMap((grant) => endWithJob(grant, at) ?? []);
          if (endedAt === undefined)
            transaction.create(
              jobAt,
              toStored({ ended_at: at, ended_by: 'job.finished', delete_at: at + TOMBSTONE_RETENTION_MS }) as object,
            );
          for (const grant of changed)
            transaction.set(grantDocument(ledger, grantId(job_id, grant.credential)), toStored(grant) as object);
          return { outcome: 'recorded', grants: changed, repeated: endedAt !== undefined };
        }),
      ),
    confirmRevoked: (grant) => move(grant, confirmRevoked),
    expire: (grant) => move(grant, expire),
    unfinished: (limit) => list(grants.where('state', '==', 'revoking').limit(limit)),
    overdue: (limit) =>
      list(
        grants
          .where('state', 'in', ['issuing', 'active'])
          .where('expires_at', '<=', new Date(now()))
          .orderBy('expires_at')
          .limit(limit),
      ),
  };
}
