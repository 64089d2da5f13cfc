// Jobs of builds, for rules that ask who started a build and who approved it: Alice starts the build, and its block step waits.

import { needsBuild } from '../shared/core/policy/conditions.ts';
import type { CurlResponse } from './curl.ts';
import type { Environment } from './environment.ts';
import type { ExampleJob } from './example-job.ts';
import type { FakeBlockStep, FakeBuild, FakeUser } from './fakes/buildkite/builds.ts';
import { APP, type Job } from './fakes/buildkite/job.ts';
import { notify } from './notify.ts';

export interface StartedJob {
  readonly job: Job;
  /** Undefined for a rule that asks nothing about the build. */
  readonly build: FakeBuild | undefined;
  /** The step whose unblocking is the approval; undefined for a rule without one. */
  readonly step: FakeBlockStep | undefined;
}

/** What the metadata of a build say, where its rule is for emergencies. */
const REASON = 'INC-1042: orders are stuck, I set them free by hand';

/**
 * Starts a job for an example, as a job of a new build where its rule asks about the build. Buildkite's webhook then reports who
 * started it.
 * @param chosen claims in place of the example's. With the number of a build that exists, the job is one of that build
 */
export async function startExampleJob(
  environment: Environment,
  { claims, conditions }: Pick<ExampleJob, 'claims' | 'conditions'>,
  chosen: Readonly<Record<string, unknown>> = {},
  options: Partial<Pick<FakeBuild, 'metaData' | 'creator'>> = {},
): Promise<StartedJob> {
  const { buildkite, people } = environment;
  if (!needsBuild(conditions))
    return { job: buildkite.startJob({ ...claims, ...chosen }), build: undefined, step: undefined };
  const { builds } = buildkite;
  const wanted: Readonly<Record<string, unknown>> = { ...claims, ...chosen };
  const id = String(wanted.pipeline_id ?? APP.id);
  const { build_number } = wanted;
  const known = builds.all.find(({ number, pipeline }) => number === build_number && pipeline.id === id);
  const build =
    known ??
    builds.start({
      pipeline: { slug: String(wanted.pipeline_slug ?? APP.slug), id },
      source: String(wanted.build_source ?? 'ui'),
      ...(typeof build_number === 'number' ? { number: build_number } : {}),
      creator: people.alice,
      metaData: conditions.approval?.use === 'break-glass' ? { 'break-glass-reason': REASON } : {},
      ...options,
    });
  const { approval } = conditions;
  const step =
    approval &&
    (build.blockSteps.find(({ key }) => key === approval.step) ?? builds.addBlockStep(build, approval.step));
  if (!known) await notify(environment, builds.event(build));
  return { job: buildkite.startJob({ ...claims, ...builds.claimsOf(build), ...chosen }), build, step };
}

/** Unblocks the step, and sends the webhook of it. */
export function unblock(
  environment: Environment,
  { build, step }: { readonly build: FakeBuild; readonly step: FakeBlockStep },
  by: FakeUser,
): Promise<CurlResponse> {
  const { builds } = environment.buildkite;
  builds.unblock(step, by);
  return notify(environment, builds.stepEvent(build, step));
}
