// What the ledger knows of jobs that are to be looked up at Buildkite: which are due, which of them still have live grants,
// when each is looked up next, and which sweep may call Buildkite. Every write is conditional.

import * as z from 'zod';
import { chunksOf } from '../core/chunks.ts';
import type { Grant } from '../core/grant/grant.ts';
import { CALLS_PER_MINUTE, type Check, NO_CHECK, recentCalls } from '../core/grant/job-check.ts';
import { UNCHECKED_MS } from '../core/timing.ts';
import type { Database, Query, Timestamp } from '../firestore/database.ts';
import { isConflictOrMissing, parseAll, parseRecord, timestampOf } from '../firestore/records.ts';
import { toStored, toStoredRecord } from '../firestore/stored-record.ts';
import type { DueJob, JobCheckLedger } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  commitWithRetry,
  grantDocument,
  jobDocument,
  readPages,
  toGrant,
  toJobRecord,
  withLedgerTimeout,
} from './documents.ts';

const PAGE = 500;
/** Grants in one read: one that has many tokens is large. */
const GRANTS_PER_READ = 100;
/** Writes in one commit. */
const WRITES_PER_COMMIT = 200;
const MAX_UNCHECKED = 1000;
/** When a record that cannot be read is looked at again. */
const UNREADABLE_AGAIN_MS = 15 * 60_000;

/** Which sweep may call Buildkite, and the calls of the last minute. */
export const pollLockSchema = z.object({
  held_until: z.number(),
  calls: z.array(z.object({ called_at: z.number() })).default([]),
});

export function createJobCheckLedger(ledger: Database, clock: Clock): JobCheckLedger {
  const jobs = ledger.collection('jobs');
  const lockDocument = ledger.collection('locks').doc('buildkite');

  const read = async (query: Query, limit: number) => {
    const { loaded, unreadable } = parseAll(await readPages(clock, query, { limit, size: PAGE }), toJobRecord);
    const known = loaded.flatMap(({ read: { id, updateTime }, record }) =>
      updateTime ? [{ job_id: id, record, version: updateTime }] : [],
    );
    return { jobs: known, unreadable };
  };

  /** False when somebody else wrote in between. */
  const ifUnchanged = (writing: Promise<unknown>): Promise<boolean> => {
    const outcome = writing.then(
      () => true,
      (error: unknown) => {
        if (isConflictOrMissing(error)) return false;
        throw error;
      },
    );
    return withLedgerTimeout(clock, outcome);
  };

  const update = (job_id: string, check: Check, lastUpdateTime: Timestamp) =>
    jobDocument(ledger, job_id).update(toStored(check), { lastUpdateTime });

  /** Writes the checks in few commits; `overtaken` handles the checks of a commit that was overtaken. */
  const write = async (
    changes: readonly { readonly job: DueJob; readonly check: Check }[],
    overtaken: (change: { readonly job: DueJob; readonly check: Check }) => Promise<unknown>,
  ) => {
    for (const chunk of chunksOf(WRITES_PER_COMMIT, changes)) {
      const batch = ledger.batch();
      for (const { job, check } of chunk)
        batch.update(jobDocument(ledger, job.job_id), toStored(check), { lastUpdateTime: timestampOf(job.version) });
      if (!(await ifUnchanged(batch.commit()))) await Promise.all(chunk.map(overtaken));
    }
  };

  const liveGrants = async (ids: readonly string[]): Promise<ReadonlySet<string>> => {
    const live = new Set<string>();
    for (const chunk of chunksOf(GRANTS_PER_READ, ids)) {
      const reads = await withLedgerTimeout(clock, ledger.getAll(...chunk.map((id) => grantDocument(ledger, id))));
      const { loaded, unreadable } = parseAll(reads, toGrant);
      for (const { read: document, record } of loaded) if (isRenewable(record)) live.add(document.id);
      for (const { id } of unreadable) live.add(id);
    }
    return live;
  };

  const withLiveGrants = async (known: readonly DueJob[]) => {
    const live = await liveGrants(known.flatMap(({ record }) => record.grants));
    const isHolder = ({ record }: DueJob) => record.grants.some((id) => live.has(id));
    const over = known.filter((job) => !isHolder(job)).map((job) => ({ job, check: NO_CHECK }));
    // A job that was written since has got something, or has ended.
    await write(over, ({ job, check }) => ifUnchanged(update(job.job_id, check, timestampOf(job.version))));
    return known.filter(isHolder);
  };

  return {
    due: async (limit) => {
      const found = await read(jobs.where('check_at', '<=', new Date(clock.now())).orderBy('check_at'), limit);
      const postponed = toStored({ check_at: clock.now() + UNREADABLE_AGAIN_MS });
      for (const chunk of chunksOf(WRITES_PER_COMMIT, found.unreadable)) {
        const batch = ledger.batch();
        for (const { id } of chunk) batch.update(jobDocument(ledger, id), postponed);
        await withLedgerTimeout(clock, batch.commit());
      }
      return found;
    },
    notDue: async ({ organization_slug, pipeline_slug, build_number }) => {
      const ofBuild = jobs
        .where('build.organization_slug', '==', organization_slug)
        .where('build.pipeline_slug', '==', pipeline_slug)
        .where('build.build_number', '==', build_number);
      const query = ofBuild.where('check_at', '>', new Date(clock.now())).orderBy('check_at');
      const { jobs: known } = await read(query, Number.POSITIVE_INFINITY);
      return known.filter(({ record }) => record.ending_since === null);
    },
    withLiveGrants,
    recordChecks: (changes) =>
      write(changes, ({ job: { job_id }, check }) =>
        commitWithRetry(clock, async () => {
          const document = await jobDocument(ledger, job_id).get();
          const record = toJobRecord(document);
          if (!document.updateTime || !record || record.check_at === null || record.ending_since !== null) return;
          await update(job_id, check, document.updateTime);
        }),
      ),
    countUnchecked: async () => {
      const since = new Date(clock.now() - UNCHECKED_MS);
      const query = jobs.where('unchecked_since', '<', since).orderBy('unchecked_since');
      return (await withLiveGrants((await read(query, MAX_UNCHECKED)).jobs)).length;
    },
    acquirePollLock: (lockMs) =>
      commitWithRetry(clock, async () => {
        const document = await lockDocument.get();
        const { held_until, calls } = parseRecord(pollLockSchema, document) ?? { held_until: 0, calls: [] };
        const now = clock.now();
        if (held_until > now) return undefined;
        // Should this sweep be cut off, the next one takes it that all calls were made at the last moment.
        const worst = Array.from({ length: CALLS_PER_MINUTE }, () => ({ called_at: now + lockMs }));
        const data = toStoredRecord({ held_until: now + lockMs, calls: worst });
        const { writeTime } = document.updateTime
          ? await lockDocument.update(data, { lastUpdateTime: document.updateTime })
          : await lockDocument.create(data);
        const recent = calls.map(({ called_at }) => called_at);
        return { calls: recentCalls(recent, now), version: writeTime };
      }),
    releasePollLock: async ({ version }, calls, pause) => {
      const lastUpdateTime = timestampOf(version);
      const data = toStoredRecord({
        held_until: clock.now() + pause,
        calls: calls.map((called_at) => ({ called_at })),
      });
      // Should the right have lapsed, another sweep has it.
      await ifUnchanged(lockDocument.update(data, { lastUpdateTime }));
    },
  };
}

/** Whether a token of the grant may be issued or renewed, so that the end of its job changes something. */
function isRenewable({ state, ended_at }: Grant): boolean {
  return (state === 'issuing' || state === 'active') && ended_at === null;
}
