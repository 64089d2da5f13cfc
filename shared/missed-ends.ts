// Asks Buildkite about jobs of which nothing was heard for a while, and ends those that have finished: their webhook was
// lost. Sweeps that run at once share one allowance, so that Buildkite never gets more than 40 calls within a minute.

import type { AskJobState, JobAnswer } from './buildkite/job-state.ts';
import type { Grant } from './core/grant.ts';
import { type Ending, endJob, mergeEndings, unreadableGrants } from './end-job.ts';
import { type Failure, nameGrant, type SweepParts } from './sweep-step.ts';
import { failureOf, Unavailable } from './unavailable.ts';

/** Calls of one run, and milliseconds within which they begin. */
const CALLS = 20;
const CALLING_MS = 8_000;
/** Milliseconds for which no other run may call. Any minute then meets two runs at most. */
const HELD_MS = 55_000;
/** Calls that are left to others who use the same API token's user. */
const SPARED = 10;
/** Milliseconds after which a running job, and one Buildkite does not know, is asked about again. */
const RUNNING_AGAIN_MS = 5 * 60_000;
const UNKNOWN_AGAIN_MS = 15 * 60_000;
/** Grants looked at to find that many jobs. */
const GRANTS = 100;

/** A job of whose end no webhook had told until it was asked about. */
export interface FoundFinished {
  readonly job_id: string;
  readonly job_state: string | undefined;
  readonly pipeline_slug: string;
}

export interface MissedEnds extends Ending {
  readonly foundFinished: readonly FoundFinished[];
  readonly asked: number;
  readonly failures: readonly Failure[];
  /** Whether the ledger could not be asked which jobs to ask about. */
  readonly unread: boolean;
}

/** Never throws: what fails is told, and the clock is still there. */
export async function endMissed(parts: SweepParts): Promise<MissedEnds> {
  const foundFinished: FoundFinished[] = [];
  const endings: Ending[] = [];
  const failures: Failure[] = [];
  let asked = 0;
  let unread = false;

  const hear = async (askJobState: AskJobState, grants: readonly Grant[], first: Grant) => {
    const { job_id, organization_slug, pipeline_slug } = first;
    const answer = await askJobState(organization_slug, job_id);
    if (answer.outcome === 'finished') {
      const { finished_at } = answer;
      const ending = await endJob(parts, { job_id, pipeline_id: undefined, by: 'job.found_finished', finished_at });
      endings.push(ending);
      if (!ending.repeated) foundFinished.push({ job_id, job_state: answer.job_state, pipeline_slug });
    } else {
      const again = answer.outcome === 'running' ? RUNNING_AGAIN_MS : UNKNOWN_AGAIN_MS;
      for (const grant of grants) await parts.sweepLedger.heardOfJob(grant, again);
    }
    return answer;
  };

  try {
    const { askJobState } = parts;
    const jobs = askJobState ? await quietJobs(parts, failures) : [];
    const until = parts.clock.now() + CALLING_MS;
    for (const grants of jobs) {
      const [first] = grants;
      if (!askJobState || !first || parts.clock.now() >= until) break;
      let answer: JobAnswer | undefined;
      try {
        asked += 1;
        answer = await hear(askJobState, grants, first);
      } catch (error) {
        failures.push({ ...nameGrant(first), ...failureOf(error) });
        if (Unavailable.is(error) && error.retryAfter > 2)
          await parts.sweepLedger.leaveBuildkiteAlone(error.retryAfter * 1000);
        if (Unavailable.is(error) && (error.refused || error.retryAfter > 2)) break;
      }
      if (answer?.remaining !== undefined && answer.remaining < SPARED) break;
    }
  } catch (error) {
    unread = true;
    failures.push(failureOf(error));
  }
  return {
    foundFinished,
    asked,
    failures,
    unread,
    ...mergeEndings(endings),
  };
}

/** The live grants of each job to ask about, longest unheard of first; none when it is another's turn to ask. */
async function quietJobs({ sweepLedger }: SweepParts, failures: Failure[]): Promise<readonly (readonly Grant[])[]> {
  const found = await sweepLedger.quiet(GRANTS);
  failures.push(...unreadableGrants(found.unreadable));
  const jobs = Map.groupBy(found.grants, ({ job_id }) => job_id);
  if (jobs.size === 0 || !(await sweepLedger.mayAskBuildkite(HELD_MS))) return [];
  return [...jobs.values()].slice(0, CALLS);
}
