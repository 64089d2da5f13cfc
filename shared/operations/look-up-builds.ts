// Looks builds up at Buildkite for which jobs wait: who started them, and who unblocked their steps. Webhooks usually say so before. What
// a look found is on record before the next one of the same build, and a look that failed waits longer. After the lookups of jobs, which
// may use up the calls of a minute.

import { type BuildNews, type BuildRecord, buildRecordId, type Unblock } from '../core/conditions/build-record.ts';
import { COLD_DEADLINE_MS } from '../core/timing.ts';
import type { Clock } from '../runtime/clock.ts';
import { toFailure } from '../runtime/errors.ts';
import { type Failure, forEachConcurrently } from '../runtime/work-queue.ts';
import { CallBudget } from './call-budget.ts';
import { toUnreadableFailure } from './end-job.ts';
import { LookupError } from './lookup-error.ts';
import type { BuildkiteBuilds, BuildLedger, BuildToLookUp, JobCheckLedger } from './ports.ts';

/** Builds that one sweep looks up. The rest of the calls of a minute is for jobs, and for teams. */
const MAX_BUILDS = 25;
/** Records that are read for them: some may be unreadable. */
const MAX_RECORDS = 100;

export interface BuildLookDeps {
  readonly buildLedger: BuildLedger;
  /** Undefined without an API token: then webhooks alone say who approved. */
  readonly buildkiteBuilds: BuildkiteBuilds | undefined;
  readonly jobCheckLedger: JobCheckLedger;
  readonly clock: Clock;
}

/** Steps of a build. The record did not know by whom they were unblocked. */
interface FoundUnblocks {
  readonly news: BuildNews;
  readonly unblocks: readonly Unblock[];
}

export interface BuildLooks {
  /** Builds that Buildkite showed, or said that it does not show. */
  readonly lookedUp: number;
  /** Of these, how many Buildkite does not show to the API token. */
  readonly notShown: number;
  readonly calls: number;
  readonly found: readonly FoundUnblocks[];
  readonly failures: readonly Failure[];
  /** Whether the ledger could not be read for the builds to look up. */
  readonly incomplete: boolean;
}

interface Counted {
  lookedUp: number;
  notShown: number;
  calls: number;
  readonly found: FoundUnblocks[];
  readonly failures: Failure[];
}

/** Never throws: failures are part of the result. @param until no call begins after it: milliseconds since the epoch */
export async function lookUpBuilds(deps: BuildLookDeps, until: number): Promise<BuildLooks> {
  const counted: Counted = { lookedUp: 0, notShown: 0, calls: 0, found: [], failures: [] };
  const { failures } = counted;
  try {
    const { builds, unreadable } = await deps.buildLedger.due(MAX_RECORDS);
    failures.push(...unreadable.map((record) => ({ build_record_id: record.id, ...toUnreadableFailure(record) })));
    if (builds.length > 0) await lookUpAll(deps, builds.slice(0, MAX_BUILDS), until, counted);
    return { ...counted, incomplete: false };
  } catch (error) {
    failures.push(toFailure(error));
    return { ...counted, incomplete: true };
  }
}

async function lookUpAll(deps: BuildLookDeps, builds: readonly BuildRecord[], until: number, counted: Counted) {
  const { buildLedger, buildkiteBuilds, jobCheckLedger, clock } = deps;
  const { failures } = counted;
  const options = { until, clock, failures, name: failureSubject };
  if (!buildkiteBuilds) {
    // They only must not be read again by each sweep.
    await forEachConcurrently(builds, options, (build) => buildLedger.recordLook(build, undefined));
    return;
  }
  const lock =
    until > clock.now() ? await jobCheckLedger.acquirePollLock(until - clock.now() + COLD_DEADLINE_MS) : undefined;
  if (!lock) return;
  const budget = new CallBudget(clock, until, lock.calls);
  const unreached: { readonly build: BuildRecord; readonly error: LookupError }[] = [];
  let stopped: LookupError | undefined;
  try {
    await forEachConcurrently(builds, options, async (build) => {
      try {
        await lookUp({ buildLedger, buildkiteBuilds, budget }, build, counted);
      } catch (error) {
        if (!LookupError.is(error)) throw error;
        if (error.kind === 'unreachable') unreached.push({ build, error });
        else if (error.kind === 'refused' || error.kind === 'limited') stopped ??= error;
        else await fail(build, error);
      }
    });
    // Without any response nobody knows whether it was for these builds.
    if (budget.reached) for (const { build, error } of unreached) await fail(build, error);
    else if (unreached[0]) failures.push(toFailure(unreached[0].error));
    if (stopped) failures.push(toFailure(stopped));
  } finally {
    counted.calls = budget.made;
    // Should this fail, the right lapses by itself, and the next sweep takes it that all calls were made.
    await jobCheckLedger.releasePollLock(lock, budget.calls, budget.pause).catch(() => {});
  }

  async function fail(build: BuildRecord, error: LookupError): Promise<void> {
    failures.push({ ...failureSubject(build), ...toFailure(error) });
    await buildLedger.recordLook(build, undefined);
  }
}

async function lookUp(
  deps: { readonly buildLedger: BuildLedger; readonly buildkiteBuilds: BuildkiteBuilds; readonly budget: CallBudget },
  build: BuildRecord,
  counted: Counted,
): Promise<void> {
  const { buildLedger, buildkiteBuilds, budget } = deps;
  const named = toLookUp(build);
  if (!named) return buildLedger.recordLook(build, undefined);
  const read = (wanted: 'all_jobs' | 'unblocked_steps') => budget.call(() => buildkiteBuilds.build(named, wanted));
  let response: Awaited<ReturnType<typeof read>>;
  try {
    response = await read('all_jobs');
  } catch (error) {
    if (!LookupError.is(error) || error.kind !== 'too_large') throw error;
    // The author of a build decides how many jobs it has. Only people unblock steps.
    response = await read('unblocked_steps');
  }
  if (!response) return;
  const { value: news } = response;
  await buildLedger.recordLook(build, news);
  counted.lookedUp += 1;
  if (!news) counted.notShown += 1;
  const unblocks = news?.unblocks.filter((unblock) => isNew(build, unblock)) ?? [];
  if (news && unblocks.length > 0) counted.found.push({ news, unblocks });
}

/** Undefined for a record that no job has asked to look up. */
function toLookUp({
  pipeline_id,
  build_number,
  organization_slug,
  pipeline_slug,
}: BuildRecord): BuildToLookUp | undefined {
  return organization_slug === null || pipeline_slug === null
    ? undefined
    : { pipeline_id, build_number, organization_slug, pipeline_slug };
}

function isNew({ unblocks }: BuildRecord, { job_id, unblocked_by }: Unblock): boolean {
  const known = unblocks.find((unblock) => unblock.job_id === job_id);
  return !known || (known.unblocked_by === null && unblocked_by !== null);
}

function failureSubject({ pipeline_id, build_number }: BuildRecord) {
  return { build_record_id: buildRecordId(pipeline_id, build_number) };
}
