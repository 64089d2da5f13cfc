// Events about builds, for the conditions of rules. `webhook` and `sweep` write them.

import * as z from 'zod';
import { defineEvent } from './definition.ts';

export const BUILD_EVENTS = {
  'build.unblocked': defineEvent({
    means:
      'Somebody unblocked a block step that has a key, in any pipeline. Whether that is an approval is decided for each request of a job. A step has two lines where a webhook and a look at Buildkite find it at once.',
    fields: ({ text, time, count }) => ({
      pipeline_id: text.describe("the pipeline's UUID"),
      build_number: count.describe("the build's number, which is unique within the pipeline"),
      build_id: text.optional().describe("the build's UUID"),
      step_key: text.describe("the step's key, which the author of the pipeline's steps chooses"),
      block_job_id: text.describe("UUID of the step's own job. Each retry of the step has another"),
      unblocked_by: text.nullable().describe('UUID of the Buildkite user; `null` where Buildkite names nobody'),
      unblocked_at: time.describe("when, by Buildkite's clock"),
      creator: text
        .nullable()
        .optional()
        .describe(
          'UUID of the Buildkite user who started the build; `null` where Buildkite names nobody. Buildkite verifies it for `ui` and `api` alone',
        ),
      found_by: z
        .enum(['webhook', 'look'])
        .describe('a webhook, or a look at Buildkite that a waiting job made the sweep take'),
    }),
    severity: 'INFO',
    message: ({ step_key, build_number, unblocked_by }) =>
      `step ${step_key} of build ${build_number} was unblocked by ${unblocked_by ?? 'somebody whom Buildkite does not name'}`,
  }),
};
