// The side of the ledger that ends: it records that a job ended together with what that means for its grants, and finds
// what is still to be taken away or has run out. It can issue nothing.

import type { DocumentSnapshot, Firestore, Query } from '@google-cloud/firestore';
import { confirmRevoked, endWithJob, expire, type Grant } from '../core/grant.ts';
import { grantId } from '../core/grant-id.ts';
import { asEnded, type JobRecord } from '../core/job-record.ts';
import { within } from '../unavailable.ts';
import {
  grantDocument,
  jobDocument,
  LEDGER_DEADLINE_MS,
  putIfUnchanged,
  toGrant,
  toJobRecord,
  untilWritten,
} from './records.ts';

/** Milliseconds for recording the end of a job: Buildkite waits five seconds at most. */
const END_DEADLINE_MS = 3_000;

export interface JobEnd {
  readonly job_id: string;
  /** Undefined when the message does not say. */
  readonly pipeline_id: string | undefined;
}

interface EndedJob {
  /** The end was on record before. */
  readonly repeated: boolean;
  /** Grants that this ended or that are still being revoked. */
  readonly grants: readonly Grant[];
  /** Ids of grants whose records cannot be read, and so were left. */
  readonly unreadable: readonly string[];
  /** The message names another pipeline than the job's grants do. The job is ended all the same. */
  readonly otherPipeline: boolean;
}

/** Grants found, and the ids of those whose records cannot be read. */
export interface Found {
  readonly grants: readonly Grant[];
  readonly unreadable: readonly string[];
}

export interface EndingLedger {
  /** Records the end of a job and of its grants, in one commit. Throws Unavailable when it could not. */
  endJob(end: JobEnd): Promise<EndedJob>;
  /** Records that access was taken away. Undefined when it was on record before. Throws Unavailable. */
  confirmRevoked(grant: Grant): Promise<Grant | undefined>;
  /** Records that a grant's time is up. Undefined when that is not so. Throws Unavailable. */
  expire(grant: Grant): Promise<Grant | undefined>;
  /** Grants whose revocation is not finished, at most `limit`. Throws Unavailable. */
  unfinished(limit: number): Promise<Found>;
  /** Live grants whose time is up, at most `limit`. Throws Unavailable. */
  overdue(limit: number): Promise<Found>;
}

/** @param now milliseconds since the epoch */
export function createEndingLedger(ledger: Firestore, now: () => number): EndingLedger {
  const grants = ledger.collection('grants');

  const list = async (query: Query): Promise<Found> => {
    const { docs } = await within(LEDGER_DEADLINE_MS, 'ledger', query.get());
    const { held, unreadable } = readable(docs);
    return { grants: held.map(({ grant }) => grant), unreadable };
  };

  const move = (
    grant: Grant,
    next: (existing: Grant, now: number) => Grant | undefined,
  ): Promise<Grant | undefined> => {
    const attempt = async () => {
      const read = await grantDocument(ledger, grantId(grant.job_id, grant.credential)).get();
      const existing = toGrant(read);
      const moved = existing && next(existing, now());
      if (moved) await put([[read, moved]]);
      return moved;
    };
    return within(LEDGER_DEADLINE_MS, 'ledger', untilWritten(attempt));
  };

  const put = async (writes: readonly (readonly [DocumentSnapshot, Grant | JobRecord])[]): Promise<void> => {
    const batch = ledger.batch();
    for (const [read, record] of writes) putIfUnchanged(batch, read.ref, read.updateTime, record);
    if (writes.length > 0) await batch.commit();
  };

  const endJob = async ({ job_id, pipeline_id }: JobEnd): Promise<EndedJob> => {
    const job = await jobDocument(ledger, job_id).get();
    const record = toJobRecord(job);
    const documents = (record?.grants ?? []).map((id) => grantDocument(ledger, id));
    const reads = documents.length > 0 ? await ledger.getAll(...documents) : [];
    const { held, unreadable } = readable(reads);
    const otherPipeline = held.some(
      ({ grant }) => grant.pipeline_id !== null && pipeline_id !== undefined && grant.pipeline_id !== pipeline_id,
    );

    const at = now();
    const repeated = record !== undefined && record.ended_at !== null;
    const next = held.map(({ read, grant }) => ({ read, grant, ended: endWithJob(grant, at) }));
    await put([
      ...(repeated ? [] : [[job, asEnded(record, at)] as const]),
      ...next.flatMap(({ read, ended }) => (ended ? [[read, ended] as const] : [])),
    ]);
    const grants = next.flatMap(({ grant, ended }) => {
      if (grant.state === 'revoking') return [grant];
      return ended && grant.state !== 'expired' ? [ended] : [];
    });
    return { repeated, grants, unreadable, otherPipeline };
  };

  return {
    endJob: (end) =>
      within(
        END_DEADLINE_MS,
        'ledger',
        untilWritten(() => endJob(end)),
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

/** The records among the documents; one that cannot be read must not keep the others from ending. */
function readable(documents: readonly DocumentSnapshot[]) {
  const held: { read: DocumentSnapshot; grant: Grant }[] = [];
  const unreadable: string[] = [];
  for (const read of documents) {
    try {
      const grant = toGrant(read);
      if (grant) held.push({ read, grant });
    } catch {
      unreadable.push(read.id);
    }
  }
  return { held, unreadable };
}
