// Events of an instance: of its start, and of requests that no handler has finished.

import { defineEvent } from './definition.ts';
import { listOf } from './fields.ts';

export const INSTANCE_EVENTS = {
  'request.failed': defineEvent({
    means: 'A fault of Keydesk. `message` has the stack.',
    fields: () => ({}),
    context: { stack: 'text' },
    severity: 'ERROR',
    message: ({ stack }) => `request failed: ${stack}`,
  }),
  'request.timed_out': defineEvent({
    means:
      'The body of a request to `token` or `sweep` did not arrive in time. The connection was closed: nobody was sent the status 408 that the line has. A client that hangs up leaves no line. For `webhook` this is `webhook.refused` with the reason `body_too_slow`.',
    fields: () => ({}),
    severity: 'WARNING',
    message: () => 'the body of a request did not arrive in time; the connection was closed without a response',
  }),
  'deployment.unrecorded': defineEvent({
    means:
      'An instance could not write into `deployments` or `policies` what it runs. Nothing else depends on it. It belongs to no request.',
    fields: ({ cause, code, dependency, error }) => ({ dependency, error, code, cause: cause.optional() }),
    severity: 'WARNING',
    message: ({ error }) => `what this instance runs is not on record: ${error}`,
  }),
  'startup.failed': defineEvent({
    means: 'A function does not start. It belongs to no request.',
    fields: ({ text }) => ({
      problems: listOf(text).describe(
        'every wrong setting, by its name and never by its value; every wrong place in the policy, with its text',
      ),
    }),
    severity: 'CRITICAL',
    message: ({ problems }) => `cannot start: ${problems.join('; ')}`,
  }),
};
