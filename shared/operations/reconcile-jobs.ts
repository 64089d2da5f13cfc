// Finds the ends of jobs whose webhook was lost: looks up at Buildkite the jobs whose check is due, and ends those that have
// finished. Also completes the ends that are known and could not be recorded on every grant. Bounded in calls and in time.

import {
  type BuildToCheck,
  byBuild,
  type Check,
  checkAfterFailure,
  checkAfterResponse,
} from '../core/grant/job-check.ts';
import { END_STEP_MS, POLL_BUDGET_MS, POLL_LOCK_MS, UNKNOWN_AGAIN_MS } from '../core/timing.ts';
import { atRandom } from '../runtime/clock.ts';
import { toFailure } from '../runtime/errors.ts';
import { type Failure, forEachConcurrently } from '../runtime/work-queue.ts';
import { CallBudget } from './call-budget.ts';
import { type EndResult, endJob, mergeEndResults, toUnreadableFailure } from './end-job.ts';
import { lookUpJobs } from './look-up-jobs.ts';
import { BUILDKITE, type LookupError } from './lookup-error.ts';
import type { BuildkiteJobs, DueJob, JobEnd, JobState } from './ports.ts';
import type { SweepDeps } from './sweep-deps.ts';

/** Jobs that one run looks at: with fewer than 50 builds, 5,000 jobs need 50 calls or more. */
const MAX_JOBS = 5_000;
/** Builds that are looked up at once. */
const CONCURRENCY = 5;
/** Milliseconds for which the others wait for the first call. */
const FIRST_CALL_MS = 1_000;

/** A finished job whose end no webhook had reported before the lookup. */
export interface ReconciledJob {
  readonly job_id: string;
  readonly job_state: string | undefined;
  readonly pipeline_slug: string;
}

/** The calls to Buildkite. */
export interface BuildkiteUsage {
  /** Jobs that were looked up, and the calls that this took. */
  readonly jobs: number;
  readonly calls: number;
  /** Builds whose list of jobs was too large to be read. */
  readonly tooLarge: number;
}

export interface ReconcileResult extends EndResult {
  readonly reconciledJobs: readonly ReconciledJob[];
  readonly buildkiteUsage: BuildkiteUsage;
  /** Jobs with live grants about which Buildkite has not responded for 15 minutes; null when that is not known. */
  readonly jobsUnchecked: number | null;
  readonly failures: readonly Failure[];
  /** Whether the ledger could not be read for the jobs to look up. */
  readonly incomplete: boolean;
  /** Whether ended jobs are left that this run did not get to. */
  readonly hasBacklog: boolean;
}

/** A job to end. */
interface FinishedJob {
  readonly end: JobEnd;
  /** Undefined for an end that was known before. */
  readonly reconciled?: ReconciledJob;
}

/** Never throws: failures are part of the result, and expiry still applies. */
export async function reconcileJobs(deps: SweepDeps): Promise<ReconcileResult> {
  const { jobCheckLedger, buildkiteJobs, clock } = deps;
  const failures: Failure[] = [];
  const results: EndResult[] = [];
  const reconciledJobs: ReconciledJob[] = [];
  let buildkiteUsage: BuildkiteUsage = { jobs: 0, calls: 0, tooLarge: 0 };
  let jobsUnchecked: number | null = null;
  let incomplete = false;
  let hasBacklog = false;

  const end = async (finished: readonly FinishedJob[]) => {
    const name = ({ end: { job_id } }: FinishedJob) => ({ job_id });
    const options = { until: clock.now() + END_STEP_MS, clock, failures, name };
    const notReached = await forEachConcurrently(atRandom(finished, clock), options, async (job) => {
      const result = await endJob(deps, job.end);
      results.push(result);
      if (job.reconciled && !result.alreadyEnded) reconciledJobs.push(job.reconciled);
    });
    if (notReached.length > 0) hasBacklog = true;
  };

  let completing: Promise<void> = Promise.resolve();
  try {
    const due = await jobCheckLedger.due(MAX_JOBS);
    failures.push(...due.unreadable.map((record) => ({ job_id: record.id, ...toUnreadableFailure(record) })));
    completing = end(due.jobs.flatMap(knownEnd));
    const unended = due.jobs.filter(({ record }) => record.ending_since === null);
    if (!buildkiteJobs) {
      // Buildkite cannot be asked about these. They only must not be read again by each sweep.
      const live = await jobCheckLedger.withLiveGrants(unended);
      const check = { check_at: clock.now() + UNKNOWN_AGAIN_MS };
      await jobCheckLedger.recordChecks(live.map((job) => ({ job, check })));
    } else {
      const result = await pollBuilds(deps, buildkiteJobs, byBuild(unended, clock.random));
      buildkiteUsage = result.buildkiteUsage;
      failures.push(...result.failures);
      await end(result.finished);
      jobsUnchecked = await jobCheckLedger.countUnchecked();
    }
  } catch (error) {
    incomplete = true;
    failures.push(toFailure(error));
  }
  await completing;
  return {
    reconciledJobs,
    buildkiteUsage,
    jobsUnchecked,
    failures,
    incomplete,
    hasBacklog,
    ...mergeEndResults(results),
  };
}

/** The end of a job that is marked as ending: no lookup is needed. */
function knownEnd({ job_id, record }: DueJob): FinishedJob[] {
  const { ending_since, ending_by, ending_finished_at } = record;
  if (ending_since === null || ending_by === null) return [];
  return [{ end: { job_id, pipeline_id: undefined, by: ending_by, finished_at: ending_finished_at ?? undefined } }];
}

/** Looks the builds up in turn, as far as the calls reach, and records when each job is looked up next. */
async function pollBuilds(deps: SweepDeps, buildkiteJobs: BuildkiteJobs, builds: readonly BuildToCheck<DueJob>[]) {
  const { jobCheckLedger, clock } = deps;
  const finished: FinishedJob[] = [];
  const failures: Failure[] = [];
  const unreached: { readonly jobs: readonly DueJob[]; readonly error: LookupError }[] = [];
  const counted = { jobs: 0, calls: 0, tooLarge: 0 };
  const result = { finished, failures, buildkiteUsage: counted };
  const lock = builds.length > 0 ? await jobCheckLedger.acquirePollLock(POLL_LOCK_MS) : undefined;
  if (!lock) return result;
  const budget = new CallBudget(clock, clock.now() + POLL_BUDGET_MS, lock.calls);

  const fail = (jobs: readonly DueJob[], error: unknown) => {
    failures.push(...jobs.map(({ job_id }) => ({ job_id, ...toFailure(error) })));
    return jobs.map((job) => ({ job, check: checkAfterFailure(job.record, clock.now()) }));
  };

  const pollBuild = async ({ build, jobs: due }: BuildToCheck<DueJob>) => {
    // The response covers all jobs of the build, so the next one will too.
    // Another sweep may have moved a check meanwhile: then the job is among both.
    const known = new Map([...due, ...(await jobCheckLedger.notDue(build))].map((job) => [job.job_id, job]));
    const jobs = await jobCheckLedger.withLiveGrants([...known.values()]);
    if (jobs.length === 0) return;
    const { outcomes, tooLarge, stopped } = await lookUpJobs({ buildkiteJobs, budget, clock }, { build, jobs });
    if (tooLarge) counted.tooLarge += 1;
    if (stopped?.kind === 'unreachable')
      unreached.push({ jobs: jobs.filter(({ job_id }) => !outcomes.has(job_id)), error: stopped });
    else if (stopped) failures.push(toFailure(stopped));
    const checks: { job: DueJob; check: Check }[] = [];
    for (const job of jobs) {
      const found = outcomes.get(job.job_id);
      if (!found) continue;
      counted.jobs += 1;
      if (found.outcome === 'failed') checks.push(...fail([job], found.error));
      else if (found.outcome === 'finished') finished.push(toFinished(job, found, build.pipeline_slug));
      else checks.push({ job, check: checkAfterResponse(found.outcome, clock.now()) });
    }
    if (checks.length > 0) await jobCheckLedger.recordChecks(checks);
  };

  const waiting = [...builds];
  const first = Promise.withResolvers<void>();
  const worker = async () => {
    while (budget.open) {
      // Where nothing was reached so far, chance decides: the first in line must not be what keeps all from a response.
      const unreachableSoFar = !budget.reached && budget.unreached > 0;
      const [next] = waiting.splice(unreachableSoFar ? Math.floor(clock.random() * waiting.length) : 0, 1);
      if (!next) return;
      try {
        await pollBuild(next);
      } catch (error) {
        failures.push(toFailure(error));
      }
      first.resolve();
    }
  };
  // The first call shows whether Buildkite responds at all. Unless it hangs, the others wait for it.
  const workers = [worker()];
  const waitOver = new AbortController();
  await Promise.race([first.promise, ...workers, clock.sleep(FIRST_CALL_MS, waitOver.signal).catch(() => {})]);
  waitOver.abort('waited');
  await Promise.all([...workers, ...Array.from({ length: CONCURRENCY - 1 }, worker)]);

  // Without any response nobody knows whether it was for these jobs.
  if (!budget.reached) failures.push(...unreached.map(({ error }) => toFailure(error)));
  else await jobCheckLedger.recordChecks(unreached.flatMap(({ jobs, error }) => fail(jobs, error)));
  if (budget.malformed.size > 0)
    failures.push({
      dependency: BUILDKITE,
      code: 'invalid_response',
      error: `returned malformed data in ${[...budget.malformed].join(', ')}`,
    });
  counted.calls = budget.made;
  try {
    await jobCheckLedger.releasePollLock(lock, budget.calls, budget.pause);
  } catch (error) {
    failures.push(toFailure(error));
  }
  return result;
}

function toFinished({ job_id }: DueJob, { job_state, finished_at }: JobState, pipeline_slug: string): FinishedJob {
  return {
    end: { job_id, pipeline_id: undefined, by: 'job.reconciled', finished_at },
    reconciled: { job_id, job_state, pipeline_slug },
  };
}
