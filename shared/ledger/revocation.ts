// The side of the ledger that ends: it records that a job or a grant ended together with what that means for pooled
// accounts, and then that access is gone. It can issue nothing.

import type { DocumentSnapshot, Firestore } from '@google-cloud/firestore';
import type { Grant } from '../core/grant/grant.ts';
import { asEnded, endingMark, endOf, type JobEndedBy, unmarked } from '../core/grant/job-record.ts';
import {
  confirmTakenAway,
  end,
  expire,
  grantEndingMark,
  type HowEnded,
  idOf,
  NOT_ENDING,
} from '../core/grant/lifecycle.ts';
import { type Clock, randomUuid } from '../runtime/clock.ts';
import { within } from '../runtime/errors.ts';
import { toStored } from './client.ts';
import {
  accountsOf,
  grantDocument,
  jobDocument,
  lostRace,
  putJob,
  putMove,
  readable,
  toGrant,
  toJobRecord,
  untilWritten,
  written,
} from './documents.ts';

/** Milliseconds for recording the end of a job: Buildkite waits five seconds at most. */
const END_DEADLINE_MS = 3_000;

export interface JobEnd {
  readonly job_id: string;
  /** Undefined when the message does not say. */
  readonly pipeline_id: string | undefined;
  readonly by: JobEndedBy;
  /** When the job finished, by Buildkite's clock: milliseconds since the epoch. Undefined when it does not say. */
  readonly finished_at?: number | undefined;
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

export interface EndingLedger {
  /** Records the end of a job and of its grants, in one commit. Throws Unavailable when it could not. */
  endJob(jobEnd: JobEnd): Promise<EndedJob>;
  /** Records the end of one grant, unless it is being revoked already. Undefined when it is not live. Throws Unavailable. */
  endGrant(grant: Grant, how: HowEnded): Promise<Grant | undefined>;
  /** Records that access was taken away. Undefined when it was on record before. Throws Unavailable. */
  confirmTakenAway(grant: Grant): Promise<Grant | undefined>;
  /** Records that a grant's time is up. Undefined when that is not so. Throws Unavailable. */
  expire(grant: Grant): Promise<Grant | undefined>;
}

export function createEndingLedger(ledger: Firestore, clock: Clock): EndingLedger {
  /**
   * Writes a grant's next record, and with it that of the pooled account that serves it, in one commit.
   * @param mark what is written on the record alone once a race was lost, so that its job cannot keep this from being written
   * @returns the record as written; undefined when `next` has none
   */
  const move = (
    grant: Grant,
    next: (existing: Grant, now: number) => Grant | undefined,
    mark?: (now: number) => Partial<Grant>,
  ): Promise<Grant | undefined> => {
    const write_id = randomUuid(clock);
    const document = grantDocument(ledger, idOf(grant));
    let lostRaces = -1;
    const attempt = async () => {
      lostRaces += 1;
      const read = await document.get();
      const record = toGrant(read);
      // An earlier attempt wrote it, and only the response was lost.
      if (record && read.get('write_id') === write_id) return record;
      const after = record && next(record, clock.now());
      if (!after) {
        // A mark that came when all was recorded has nothing to keep any more.
        const stale = mark && record && record.ending_since !== null && read.updateTime;
        if (stale) await document.update(toStored(NOT_ENDING), { lastUpdateTime: stale });
        return undefined;
      }
      if (mark && lostRaces > 0 && record.ending_since === null) {
        await document.update(toStored(mark(clock.now())));
        return attempt();
      }
      const accounts = await accountsOf(ledger, [after]);
      const batch = ledger.batch();
      putMove(batch, { read, record }, after, accounts, clock.now(), write_id);
      await batch.commit();
      return after;
    };
    return written(clock, attempt);
  };

  const markAsEnding = ({ job_id, by, finished_at }: JobEnd, at: number) =>
    jobDocument(ledger, job_id).update(toStored(endingMark(by, finished_at, at)));

  const endJob = async (
    jobEnd: JobEnd,
    attempt: { readonly at: number; readonly write_id: string; readonly lostRaces: number },
  ): Promise<EndedJob> => {
    const { job_id, pipeline_id, by, finished_at } = jobEnd;
    const { at, write_id, lostRaces } = attempt;
    const job = await jobDocument(ledger, job_id).get();
    const record = toJobRecord(job);
    if (lostRaces > 0 && record && endOf(record) === undefined) {
      await markAsEnding(jobEnd, at);
      return endJob(jobEnd, attempt);
    }
    const documents = (record?.grants ?? []).map((id) => grantDocument(ledger, id));
    const reads = documents.length > 0 ? await ledger.getAll(...documents) : [];
    const { held, unreadable } = readable(reads, toGrant);
    const otherPipeline = held.some(
      ({ record: grant }) =>
        grant.pipeline_id !== null && pipeline_id !== undefined && grant.pipeline_id !== pipeline_id,
    );
    const moves = held.map((grant) => ({ ...grant, after: end(grant.record, { by, finished_at }, at) }));
    const accounts = await accountsOf(
      ledger,
      moves.flatMap(({ after }) => after ?? []),
    );

    const repeated = record !== undefined && record.ended_at !== null;
    const batch = ledger.batch();
    if (!repeated) putJob(batch, job, asEnded(record, by, at), write_id);
    else if (record.ending_since !== null) putJob(batch, job, unmarked(record), write_id);
    for (const { read, record: before, after } of moves)
      if (after) putMove(batch, { read, record: before }, after, accounts, at, write_id);
    // A record that this version cannot read is touched all the same: an issue on its way then finds it changed.
    for (const read of reads)
      if (unreadable.includes(read.id) && read.updateTime)
        batch.update(read.ref, toStored({ job_ended_at: at }), { lastUpdateTime: read.updateTime });
    if (!repeated || record.ending_since !== null || moves.some(({ after }) => after)) await batch.commit();

    /** Whether an earlier attempt wrote it, and only the response was lost. */
    const own = (read: DocumentSnapshot) => read.get('write_id') === write_id;
    const grants = moves.flatMap(({ read, record: before, after }) => {
      // One that had expired, or is not renewed any more since before, is nothing that this ended.
      if (after) return before.state === 'expired' || before.ended_at !== null ? [] : [after];
      return before.state === 'revoking' || (own(read) && before.state !== 'expired') ? [before] : [];
    });
    return { repeated: repeated && !own(job), grants, unreadable, otherPipeline };
  };

  return {
    endJob: (jobEnd) => {
      const by = { at: clock.now(), write_id: randomUuid(clock) };
      let lostRaces = -1;
      const writing = untilWritten(clock, async () => {
        lostRaces += 1;
        try {
          return await endJob(jobEnd, { ...by, lostRaces });
        } catch (error) {
          // Perhaps the mark alone comes through: then nothing more is issued, and the sweep goes on.
          if (!lostRace(error)) await markAsEnding(jobEnd, by.at).catch(() => {});
          throw error;
        }
      });
      return within({ clock, milliseconds: END_DEADLINE_MS, what: 'ledger' }, writing);
    },
    endGrant: async (grant, how) => {
      let revoking: Grant | undefined;
      const next = (existing: Grant, at: number) => {
        revoking = existing.state === 'revoking' ? existing : undefined;
        return end(existing, how, at);
      };
      const ended = await move(grant, next, (at) => grantEndingMark(how, at));
      return ended ?? revoking;
    },
    confirmTakenAway: (grant) => move(grant, confirmTakenAway),
    expire: (grant) => move(grant, expire),
  };
}
