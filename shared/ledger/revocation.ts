// The side of the ledger that ends: it records that a job or a grant ended together with what that means for pooled
// accounts, and then that access is gone. It can issue nothing.

import { confirmRevoked, endGrant, expire, grantEndMark, NOT_ENDING } from '../core/grant/end.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import { endMark, endTimeOf, toTombstone, withoutEndMark } from '../core/grant/job-record.ts';
import { isOtherPipeline } from '../core/subject/buildkite-job.ts';
import { END_COMMIT_DEADLINE_MS } from '../core/timing.ts';
import type { Database, DocumentSnapshot } from '../firestore/database.ts';
import { isConflictOrMissing, parseAll, retryOnConflict } from '../firestore/records.ts';
import { toStored } from '../firestore/stored-record.ts';
import type { EndedJob, JobEnd, RevocationLedger } from '../operations/ports.ts';
import { type Clock, randomUuid } from '../runtime/clock.ts';
import { withTimeout } from '../runtime/errors.ts';
import {
  commitWithRetry,
  grantDocument,
  jobDocument,
  loadAccounts,
  putJob,
  putTransition,
  toGrant,
  toJobRecord,
} from './documents.ts';

export function createRevocationLedger(ledger: Database, clock: Clock): RevocationLedger {
  /**
   * Writes a grant's next record, and with it the record of the pooled account that serves it, in one commit.
   * @param mark what is written on the record alone once a race was lost, so that the job cannot prevent this write
   * @returns the record as written; undefined when `next` has none
   */
  const transition = (
    grant: Grant,
    next: (existing: Grant, now: number) => Grant | undefined,
    mark?: (now: number) => Partial<Grant>,
  ): Promise<Grant | undefined> => {
    const write_id = randomUuid(clock);
    const document = grantDocument(ledger, grantIdOf(grant));
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
      const accounts = await loadAccounts(ledger, [after]);
      const batch = ledger.batch();
      putTransition(batch, { read, record }, after, accounts, clock.now(), write_id);
      await batch.commit();
      return after;
    };
    return commitWithRetry(clock, attempt);
  };

  const markAsEnding = ({ job_id, by, finished_at }: JobEnd, at: number) =>
    jobDocument(ledger, job_id).update(toStored(endMark(by, finished_at, at)));

  const endJob = async (
    jobEnd: JobEnd,
    attempt: { readonly at: number; readonly write_id: string; readonly lostRaces: number },
  ): Promise<EndedJob> => {
    const { job_id, pipeline_id, by, finished_at } = jobEnd;
    const { at, write_id, lostRaces } = attempt;
    const job = await jobDocument(ledger, job_id).get();
    const record = toJobRecord(job);
    if (lostRaces > 0 && record && endTimeOf(record) === undefined) {
      await markAsEnding(jobEnd, at);
      return endJob(jobEnd, attempt);
    }
    const documents = (record?.grants ?? []).map((id) => grantDocument(ledger, id));
    const reads = documents.length > 0 ? await ledger.getAll(...documents) : [];
    const { loaded, unreadable } = parseAll(reads, toGrant);
    const pipelineMismatch = loaded.some(({ record: { subject } }) => isOtherPipeline(subject, pipeline_id));
    const transitions = loaded.map((grant) => ({ ...grant, after: endGrant(grant.record, { by, finished_at }, at) }));
    const accounts = await loadAccounts(
      ledger,
      transitions.flatMap(({ after }) => after ?? []),
    );

    const alreadyEnded = record !== undefined && record.ended_at !== null;
    const batch = ledger.batch();
    if (!alreadyEnded) putJob(batch, job, toTombstone(record, by, at), write_id);
    else if (record.ending_since !== null) putJob(batch, job, withoutEndMark(record), write_id);
    for (const { read, record: before, after } of transitions)
      if (after) putTransition(batch, { read, record: before }, after, accounts, at, write_id);
    // A record that this version cannot read is touched all the same: an issue on its way then finds it changed.
    for (const read of reads)
      if (unreadable.some(({ id }) => id === read.id) && read.updateTime)
        batch.update(read.ref, toStored({ job_ended_at: at }), { lastUpdateTime: read.updateTime });
    if (!alreadyEnded || record.ending_since !== null || transitions.some(({ after }) => after)) await batch.commit();

    /** Whether an earlier attempt wrote it, and only the response was lost. */
    const isOwnWrite = (read: DocumentSnapshot) => read.get('write_id') === write_id;
    const grants = transitions.flatMap(({ read, record: before, after }) => {
      // One that had expired, or is not renewed any more since before, is nothing that this ended.
      if (after) return before.state === 'expired' || before.ended_at !== null ? [] : [after];
      return before.state === 'revoking' || (isOwnWrite(read) && before.state !== 'expired') ? [before] : [];
    });
    return { alreadyEnded: alreadyEnded && !isOwnWrite(job), grants, unreadable, pipelineMismatch };
  };

  return {
    endJob: (jobEnd) => {
      const attempt = { at: clock.now(), write_id: randomUuid(clock) };
      let lostRaces = -1;
      const writing = retryOnConflict(clock, async () => {
        lostRaces += 1;
        try {
          return await endJob(jobEnd, { ...attempt, lostRaces });
        } catch (error) {
          // Perhaps the mark alone comes through: then nothing more is issued, and the sweep goes on.
          if (!isConflictOrMissing(error)) await markAsEnding(jobEnd, attempt.at).catch(() => {});
          throw error;
        }
      });
      return withTimeout({ clock, milliseconds: END_COMMIT_DEADLINE_MS, dependency: 'ledger' }, writing);
    },
    endGrant: async (grant, cause) => {
      let revoking: Grant | undefined;
      const next = (existing: Grant, at: number) => {
        revoking = existing.state === 'revoking' ? existing : undefined;
        return endGrant(existing, cause, at);
      };
      const ended = await transition(grant, next, (at) => grantEndMark(cause, at));
      return ended ?? revoking;
    },
    confirmRevoked: (grant) => transition(grant, confirmRevoked),
    expire: (grant) => transition(grant, expire),
  };
}
