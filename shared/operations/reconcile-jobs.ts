// Finds the ends of jobs whose webhook was lost: asks Buildkite about jobs whose check is due, and ends those that have
// finished. Also completes the ends that are known and could not be recorded on every grant. Bounded in calls and in time.

import type { BuildkiteJobs, JobAnswer } from '../buildkite/job-state.ts';
import { BUILDKITE, type LookupError } from '../buildkite/lookup-error.ts';
import {
  type BuildToCheck,
  byBuild,
  type Check,
  checkAfterFailure,
  checkAfterResponse,
  UNKNOWN_AGAIN_MS,
} from '../core/grant/job-check.ts';
import type { DueJob } from '../ledger/job-checks.ts';
import type { JobEnd } from '../ledger/revocation.ts';
import { atRandom } from '../runtime/clock.ts';
import { failureOf } from '../runtime/errors.ts';
import { type Failure, workThrough } from '../runtime/work-queue.ts';
import { CallAllowance } from './call-budget.ts';
import { type Ending, endJob, mergeEndings } from './end-job.ts';
import { lookUpJobs } from './look-up-jobs.ts';
import type { SweepParts } from './sweep-deps.ts';

/** Jobs that one run looks at: with fewer than 50 builds, 5,000 jobs need 50 calls or more. */
const JOBS = 5_000;
/** Builds that are asked about at once. */
const AT_ONCE = 5;
/** Milliseconds within which the calls of one run begin, and for which no other run may call: the first call to a host may take 15 s. */
const CALLING_MS = 15_000;
const HELD_MS = 45_000;
/** Milliseconds for which the others wait for the first call. */
const FIRST_CALL_MS = 1_000;
/** Milliseconds after which no further job is ended. */
const ENDING_MS = 15_000;

/** A job of whose end no webhook had told until it was asked about. */
export interface FoundFinished {
  readonly job_id: string;
  readonly job_state: string | undefined;
  readonly pipeline_slug: string;
}

/** What was asked of Buildkite. */
export interface Asked {
  /** Jobs about which it was asked, and the calls that this took. */
  readonly jobs: number;
  readonly calls: number;
  /** Builds whose list of jobs was too large to be read. */
  readonly tooLarge: number;
}

export interface MissedEnds extends Ending {
  readonly foundFinished: readonly FoundFinished[];
  readonly asked: Asked;
  /** Jobs with live grants about which Buildkite has not responded for 15 minutes; null when that is not known. */
  readonly jobsUnchecked: number | null;
  readonly failures: readonly Failure[];
  /** Whether the ledger could not be asked which jobs to ask about. */
  readonly unread: boolean;
  /** Whether ended jobs are left that this run did not get to. */
  readonly more: boolean;
}

/** A job to end. */
interface Finished {
  readonly end: JobEnd;
  /** Undefined for an end that was known before. */
  readonly found?: FoundFinished;
}

/** Never throws: what fails is told, and the clock is still there. */
export async function endMissed(parts: SweepParts): Promise<MissedEnds> {
  const { checkLedger, buildkiteJobs, clock } = parts;
  const failures: Failure[] = [];
  const endings: Ending[] = [];
  const foundFinished: FoundFinished[] = [];
  let asked: Asked = { jobs: 0, calls: 0, tooLarge: 0 };
  let jobsUnchecked: number | null = null;
  let unread = false;
  let more = false;

  const end = async (finished: readonly Finished[]) => {
    const name = ({ end: { job_id } }: Finished) => ({ job_id });
    const options = { until: clock.now() + ENDING_MS, clock, failures, name };
    const notReached = await workThrough(atRandom(finished, clock), options, async (job) => {
      const ending = await endJob(parts, job.end);
      endings.push(ending);
      if (job.found && !ending.repeated) foundFinished.push(job.found);
    });
    if (notReached.length > 0) more = true;
  };

  let completing: Promise<void> = Promise.resolve();
  try {
    const due = await checkLedger.due(JOBS);
    failures.push(
      ...due.unreadable.map((job_id) => ({
        job_id,
        code: 'unreadable_record' as const,
        error: 'its record cannot be read',
      })),
    );
    completing = end(due.jobs.flatMap(knownEnd));
    const unended = due.jobs.filter(({ record }) => record.ending_since === null);
    if (!buildkiteJobs) {
      // Nobody can be asked: they only must not be read again by each sweep.
      const live = await checkLedger.withLiveGrants(unended);
      const check = { check_at: clock.now() + UNKNOWN_AGAIN_MS };
      await checkLedger.recordChecks(live.map((job) => ({ job, check })));
    } else {
      const result = await ask(parts, buildkiteJobs, byBuild(unended, clock.random));
      asked = result.asked;
      failures.push(...result.failures);
      await end(result.finished);
      jobsUnchecked = await checkLedger.countUnchecked();
    }
  } catch (error) {
    unread = true;
    failures.push(failureOf(error));
  }
  await completing;
  return { foundFinished, asked, jobsUnchecked, failures, unread, more, ...mergeEndings(endings) };
}

/** The end of a job that is marked as ending: Buildkite need not be asked. */
function knownEnd({ job_id, record }: DueJob): Finished[] {
  const { ending_since, ending_by, ending_finished_at } = record;
  if (ending_since === null || ending_by === null) return [];
  return [{ end: { job_id, pipeline_id: undefined, by: ending_by, finished_at: ending_finished_at ?? undefined } }];
}

/** Asks about the builds in turn, as far as the calls reach, and records when each job is asked about next. */
async function ask(parts: SweepParts, buildkiteJobs: BuildkiteJobs, builds: readonly BuildToCheck<DueJob>[]) {
  const { checkLedger, clock } = parts;
  const finished: Finished[] = [];
  const failures: Failure[] = [];
  const unreached: { readonly jobs: readonly DueJob[]; readonly error: LookupError }[] = [];
  const counted = { jobs: 0, calls: 0, tooLarge: 0 };
  const nothing = { finished, failures, asked: counted };
  const turn = builds.length > 0 ? await checkLedger.beginCalls(HELD_MS) : undefined;
  if (!turn) return nothing;
  const allowance = new CallAllowance(clock, clock.now() + CALLING_MS, turn.calls);

  const fail = (jobs: readonly DueJob[], error: unknown) => {
    failures.push(...jobs.map(({ job_id }) => ({ job_id, ...failureOf(error) })));
    return jobs.map((job) => ({ job, check: checkAfterFailure(job.record, clock.now()) }));
  };

  const askAbout = async ({ build, jobs: due }: BuildToCheck<DueJob>) => {
    // The response covers all jobs of the build, so the next one will too.
    // Another sweep may have moved a check meanwhile: then the job is among both.
    const known = new Map([...due, ...(await checkLedger.notDue(build))].map((job) => [job.job_id, job]));
    const jobs = await checkLedger.withLiveGrants([...known.values()]);
    if (jobs.length === 0) return;
    const {
      found: answers,
      tooLarge,
      stopped,
    } = await lookUpJobs({ buildkiteJobs, allowance, clock }, { build, jobs });
    if (tooLarge) counted.tooLarge += 1;
    if (stopped?.kind === 'unreachable')
      unreached.push({ jobs: jobs.filter(({ job_id }) => !answers.has(job_id)), error: stopped });
    else if (stopped) failures.push(failureOf(stopped));
    const checks: { job: DueJob; check: Check }[] = [];
    for (const job of jobs) {
      const found = answers.get(job.job_id);
      if (!found) continue;
      counted.jobs += 1;
      if (found.outcome === 'failed') checks.push(...fail([job], found.error));
      else if (found.outcome === 'finished') finished.push(toFinished(job, found, build.pipeline_slug));
      else checks.push({ job, check: checkAfterResponse(found.outcome, clock.now()) });
    }
    if (checks.length > 0) await checkLedger.recordChecks(checks);
  };

  const waiting = [...builds];
  const first = Promise.withResolvers<void>();
  const worker = async () => {
    while (allowance.open) {
      // Where nothing was reached so far, chance decides: the first in line must not be what keeps all from a response.
      const lost = !allowance.reached && allowance.unreached > 0;
      const [next] = waiting.splice(lost ? Math.floor(clock.random() * waiting.length) : 0, 1);
      if (!next) return;
      try {
        await askAbout(next);
      } catch (error) {
        failures.push(failureOf(error));
      }
      first.resolve();
    }
  };
  // The first call shows whether Buildkite responds at all. Unless it hangs, the others wait for it.
  const workers = [worker()];
  const waited = new AbortController();
  await Promise.race([first.promise, ...workers, clock.sleep(FIRST_CALL_MS, waited.signal).catch(() => {})]);
  waited.abort('waited');
  await Promise.all([...workers, ...Array.from({ length: AT_ONCE - 1 }, worker)]);

  // Without any response nobody knows whether it was for these jobs.
  if (!allowance.reached) failures.push(...unreached.map(({ error }) => failureOf(error)));
  else await checkLedger.recordChecks(unreached.flatMap(({ jobs, error }) => fail(jobs, error)));
  if (allowance.nonsense.size > 0)
    failures.push({ dependency: BUILDKITE, error: `answered nonsense in ${[...allowance.nonsense].join(', ')}` });
  counted.calls = allowance.made;
  try {
    await checkLedger.endCalls(turn, allowance.calls, allowance.pause);
  } catch (error) {
    failures.push(failureOf(error));
  }
  return nothing;
}

function toFinished({ job_id }: DueJob, { job_state, finished_at }: JobAnswer, pipeline_slug: string): Finished {
  return {
    end: { job_id, pipeline_id: undefined, by: 'job.reconciled', finished_at },
    found: { job_id, job_state, pipeline_slug },
  };
}
