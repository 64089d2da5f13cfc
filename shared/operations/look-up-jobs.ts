// Looks up the jobs of one build at Buildkite. One job is looked up by its id, which is the smaller response; several are
// looked up in the build's list, 100 jobs a call. Jobs that the list does not settle are looked up one by one.

import type { BuildToCheck } from '../core/grant/job-check.ts';
import { atRandom, type Clock } from '../runtime/clock.ts';
import type { CallBudget } from './call-budget.ts';
import { LookupError } from './lookup-error.ts';
import type { BuildkiteJobs, DueJob, JobState } from './ports.ts';

/** Pages of one build: more jobs than Buildkite lets a build have. */
const MAX_PAGES = 50;
/**
 * Jobs of a build that are looked up one by one when its list is too large, or failed twice. More would use up the calls for
 * other builds, and the build's author decides how large the list is.
 */
const MAX_SINGLE = 10;

export interface LookupDeps {
  readonly buildkiteJobs: BuildkiteJobs;
  readonly budget: CallBudget;
  readonly clock: Clock;
}

/** What Buildkite responded about a job, or why it did not. */
type JobLookup = JobState | { readonly outcome: 'failed'; readonly error: unknown };

export interface Lookup {
  /** By job id. A job that is missing was not looked up: no call was left for it. */
  readonly outcomes: ReadonlyMap<string, JobLookup>;
  /** Whether a page of the build's list was too large. */
  readonly tooLarge: boolean;
  /** A failure of Buildkite as a whole, which says nothing about the jobs that are missing. */
  readonly stopped?: LookupError;
}

export async function lookUpJobs(deps: LookupDeps, toCheck: BuildToCheck<DueJob>): Promise<Lookup> {
  const outcomes = new Map<string, JobLookup>();
  try {
    return { outcomes, tooLarge: await lookUpBuild(deps, toCheck, outcomes) };
  } catch (error) {
    if (!isGeneral(error)) throw error;
    return { outcomes, tooLarge: false, stopped: error };
  }
}

/** @returns whether a page was too large @throws LookupError when Buildkite as a whole failed */
async function lookUpBuild(deps: LookupDeps, { build, jobs }: BuildToCheck<DueJob>, outcomes: Map<string, JobLookup>) {
  const { buildkiteJobs, budget, clock } = deps;
  const remaining = () => jobs.filter(({ job_id }) => !outcomes.has(job_id));
  const setRemaining = (outcome: JobLookup) => {
    for (const { job_id } of remaining()) outcomes.set(job_id, outcome);
  };

  /** Looks the jobs up one by one, until one has a result that `stop` names. False when no call was left. */
  const lookUpSingly = async (some: readonly DueJob[], stop?: JobLookup['outcome']) => {
    for (const { job_id } of some) {
      const outcome = await settled(async () => {
        const response = await budget.call(() => buildkiteJobs.job(build.organization_slug, job_id));
        return response?.value;
      });
      if (outcome === undefined) return false;
      outcomes.set(job_id, outcome);
      if (outcome.outcome === stop) break;
    }
    return true;
  };

  const readPages = async () => {
    let after: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const cursor = after;
      const response = await budget.call(() => buildkiteJobs.page(build, cursor));
      if (response === undefined) return;
      if (response.value === undefined) {
        // The pipeline may have another name by now, and its jobs still have their ids.
        if (await lookUpSingly(remaining(), 'unknown')) setRemaining(UNKNOWN);
        return;
      }
      for (const { job_id } of remaining())
        if (response.value.jobs.has(job_id)) outcomes.set(job_id, response.value.jobs.get(job_id) ?? MALFORMED);
      after = response.value.next;
      if (remaining().length === 0) return;
      if (after === undefined) return setRemaining(UNKNOWN);
    }
    throw new LookupError('failed', `lists more than ${MAX_PAGES} pages of jobs for one build`);
  };

  if (jobs.length === 1) {
    await lookUpSingly(jobs);
    return false;
  }
  const listed = await settled(readPages);
  if (listed === undefined) return false;
  const tooLarge = LookupError.is(listed.error) && listed.error.kind === 'too_large';
  const due = remaining().filter(({ record }) => record.check_at !== null && record.check_at <= clock.now());
  if (tooLarge) await lookUpSingly(atRandom(due, clock).slice(0, MAX_SINGLE));
  else {
    const failedBefore = remaining().filter(({ record }) => record.checks_failed > 0);
    await lookUpSingly(atRandom(failedBefore, clock).slice(0, MAX_SINGLE), 'failed');
  }
  // Of a list that is too large, the jobs whose check is not due are left as they are.
  for (const { job_id } of tooLarge ? due : jobs) if (!outcomes.has(job_id)) outcomes.set(job_id, listed);
  return tooLarge;
}

const UNKNOWN: JobState = { outcome: 'unknown', job_state: undefined, finished_at: undefined };
const MALFORMED = {
  outcome: 'failed',
  error: new LookupError('failed', 'describes the job in an unexpected form'),
} as const;

/** What `work` comes to, or its failure, unless that is one of Buildkite as a whole. */
async function settled<T>(
  work: () => Promise<T>,
): Promise<T | { readonly outcome: 'failed'; readonly error: unknown }> {
  try {
    return await work();
  } catch (error) {
    if (isGeneral(error)) throw error;
    return { outcome: 'failed', error };
  }
}

/** Whether it is a failure of Buildkite as a whole. */
function isGeneral(error: unknown): error is LookupError {
  return LookupError.is(error) && ['refused', 'limited', 'unreachable'].includes(error.kind);
}
