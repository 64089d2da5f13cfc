// What the fields of a build's record hold, for docs/STORAGE.md alone: the functions do not load this.

import type { StoredFields } from '../stored-fields.ts';
import type { BuildRecord } from './build-record.ts';

export const BUILD_RECORD_FIELDS: StoredFields<BuildRecord> = {
  pipeline_id: 'the UUID of the pipeline',
  build_number: 'the number of the build, which is unique within the pipeline',
  organization_slug:
    'the slugs by which the sweep finds the build at Buildkite, from the claims of the job that waits; null before one does',
  pipeline_slug: 'the same of the pipeline',
  build_id: 'the UUID of the build; null while it is not known',
  creator_known: 'whether Buildkite has said who started the build',
  creator: 'the UUID of the Buildkite user who started it; null where Buildkite names nobody',
  reason:
    'the first 500 characters of its metadata `break-glass-reason`, as they were first seen; null where there is none',
  unblocks: 'the block steps with a key that were unblocked, at most 100',
  'unblocks.job_id': "the UUID of the step's own job. Each retry of the step has another",
  'unblocks.step_key': "the step's key",
  'unblocks.step_id': 'the UUID of the step, the same for all its retries; null where Buildkite did not say',
  'unblocks.unblocked_by': 'the UUID of the Buildkite user who unblocked it; null where Buildkite names nobody',
  'unblocks.unblocked_at': "when, by Buildkite's clock",
  look_at: 'when the sweep next looks the build up at Buildkite; null when no job waits for that',
  looks: 'the looks that were made. The next ones follow after 1, 2, 4, 8 and 15 minutes, while jobs wait',
  looked_at: 'when the last look was made, or failed; null before the first',
  delete_at: 'when the document may be deleted: see [Deletion](#deletion)',
};
