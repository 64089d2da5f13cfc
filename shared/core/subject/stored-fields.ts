// What the fields of a subject and of a build hold: see ../stored-fields.ts.

import type { StoredFields } from '../stored-fields.ts';
import type { Build, Subject } from './buildkite-job.ts';

export const BUILD_FIELDS: StoredFields<Build> = {
  organization_slug: 'the slug of the organization',
  pipeline_slug: 'the slug of the pipeline',
  build_number: 'the number of the build',
};

export const SUBJECT_FIELDS: StoredFields<Subject> = {
  kind: 'what holds the grant: always a Buildkite job',
  id: "the job's UUID",
  ...BUILD_FIELDS,
  organization_id: 'the UUID of the organization',
  pipeline_id: 'the UUID of the pipeline',
  build_branch: 'the branch',
  build_tag: 'the tag',
  build_commit: 'the commit',
  build_source: 'how the build was started',
  step_key: 'the key of the step',
  agent_id: 'the UUID of the agent',
};
