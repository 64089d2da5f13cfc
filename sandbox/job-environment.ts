// The environment variables that Buildkite's agent sets for a running job, as far as steps in the docs read them.
// Source: https://buildkite.com/docs/pipelines/configure/environment-variables.

import type { FakeBuildkite } from './fakes/buildkite/buildkite.ts';
import type { Job } from './fakes/buildkite/job.ts';

const FROM_CLAIMS: Readonly<Record<string, string>> = {
  BUILDKITE_ORGANIZATION_SLUG: 'organization_slug',
  BUILDKITE_ORGANIZATION_ID: 'organization_id',
  BUILDKITE_PIPELINE_SLUG: 'pipeline_slug',
  BUILDKITE_PIPELINE_ID: 'pipeline_id',
  BUILDKITE_BUILD_ID: 'build_id',
  BUILDKITE_BUILD_NUMBER: 'build_number',
  BUILDKITE_BRANCH: 'build_branch',
  BUILDKITE_TAG: 'build_tag',
  BUILDKITE_COMMIT: 'build_commit',
  BUILDKITE_SOURCE: 'build_source',
  BUILDKITE_STEP_KEY: 'step_key',
  BUILDKITE_AGENT_ID: 'agent_id',
};

/** Without PATH, and without what the agent keeps to itself. */
export function jobEnvironment(buildkite: FakeBuildkite, job: Job): Readonly<Record<string, string>> {
  const claims = buildkite.claimsOf(job);
  const named = Object.entries(FROM_CLAIMS).map(([variable, claim]) => [variable, String(claims[claim] ?? '')]);
  return {
    BUILDKITE: 'true',
    BUILDKITE_JOB_ID: job.id,
    BUILDKITE_AGENT_ENDPOINT: buildkite.agentEndpoint,
    BUILDKITE_AGENT_ACCESS_TOKEN: job.agentToken,
    ...Object.fromEntries(named),
  };
}
