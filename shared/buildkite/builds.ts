// Reads from Buildkite who started a build, and who unblocked its block steps, by its REST API.
// Source: buildkite.com/docs/apis/rest-api/builds (GET /v2/organizations/{org}/pipelines/{slug}/builds/{number}, scope read_builds).

import * as z from 'zod';
import { LONGEST_STEP_KEY, REASON_KEY, toReason, type Unblock } from '../core/conditions/build-record.ts';
import { blockStepSchema, userSchema, uuidSchema } from '../core/conditions/buildkite-build.ts';
import { LookupError } from '../operations/lookup-error.ts';
import type { BuildkiteBuilds, BuildToLookUp } from '../operations/ports.ts';
import type { RestApi } from './rest-api.ts';

/** States of block steps that were unblocked. A build that failed has the second one. */
const UNBLOCKED = ['unblocked', 'unblocked_failed'];

const shownBuild = z.object({
  id: uuidSchema,
  number: z.int(),
  creator: userSchema.optional(),
  meta_data: z.record(z.string(), z.unknown()).nullish(),
  pipeline: z.object({ id: uuidSchema }),
  jobs: z.array(z.unknown()),
});
const manualJob = z.object({ type: z.literal('manual') });
const maybeUnblocked = z.object({ step_key: z.string().nullish(), unblocked_at: z.string().nullish() });

export function createBuildkiteBuilds({ get }: RestApi): BuildkiteBuilds {
  return {
    build: (build, wanted) => {
      const [organization, pipeline] = [build.organization_slug, build.pipeline_slug].map(encodeURIComponent);
      // Without it the earlier jobs of a step that was retried are left out, which a webhook may have reported.
      const query = new URLSearchParams({ include_retried_jobs: 'true' });
      if (wanted === 'unblocked_steps') for (const state of UNBLOCKED) query.append('job_states[]', state);
      const path = `organizations/${organization}/pipelines/${pipeline}/builds/${build.build_number}?${query}`;
      return get(path, (json) => parse(json, build));
    },
  };
}

function parse(json: unknown, { pipeline_id, build_number }: BuildToLookUp) {
  const parsed = shownBuild.safeParse(json);
  if (!parsed.success || parsed.data.number !== build_number)
    throw new LookupError('failed', 'describes the build in an unexpected form');
  const { id: build_id, creator, meta_data, pipeline, jobs } = parsed.data;
  // A slug may name another pipeline by now, whose build with this number has nothing to do with the job.
  if (pipeline.id !== pipeline_id)
    throw new LookupError('failed', `shows a build of the pipeline ${pipeline.id} in place of ${pipeline_id}`);
  return {
    ...{ pipeline_id, build_number, build_id, creator },
    reason: toReason(meta_data?.[REASON_KEY]),
    unblocks: jobs.flatMap(toUnblock),
  };
}

/** Throws where a block step makes no sense: without it, two steps with one key might pass for one. */
function toUnblock(job: unknown): Unblock[] {
  if (!manualJob.safeParse(job).success) return [];
  const maybe = maybeUnblocked.safeParse(job);
  if (maybe.success) {
    const { step_key, unblocked_at } = maybe.data;
    if (!unblocked_at || !step_key || step_key.length > LONGEST_STEP_KEY) return [];
  }
  const unblocked = blockStepSchema.safeParse(job);
  if (!unblocked.success) throw new LookupError('failed', 'describes a block step in an unexpected form');
  return [unblocked.data];
}
