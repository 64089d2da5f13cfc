// Events of `webhook`.

import * as z from 'zod';
import { defineEvent } from './definition.ts';

const REASONS = [
  'signature_missing',
  'signature_malformed',
  'signature_too_old',
  'signature_in_future',
  'signature_wrong',
  'unsigned_token_mode',
  'not_found',
  'method_not_allowed',
  'invalid_event',
  'request_too_large',
  'body_too_slow',
  'ledger_unavailable',
] as const;
export type WebhookRefusalReason = (typeof REASONS)[number];

/** What may have been the end of a job, and is not on record. */
const MAY_LOSE_JOB_END: ReadonlySet<WebhookRefusalReason> = new Set([
  'ledger_unavailable',
  'invalid_event',
  'request_too_large',
]);
const BODY_UNREAD: ReadonlySet<WebhookRefusalReason> = new Set(['request_too_large', 'body_too_slow']);

export const WEBHOOK_EVENTS = {
  'webhook.accepted': defineEvent({
    means:
      "A webhook was verified. WARNING: access could not be taken away yet, or the event names another pipeline than the job's grants.",
    fields: ({ count, expired, failures, job_id, not_renewed, revoked, text }) => ({
      buildkite_event: text.describe("the event's name"),
      signed_by_key: count.describe('1 or 2: which of `KEYDESK_WEBHOOK_TOKENS` signed'),
      result: z
        .enum(['ping', 'ignored', 'job_ended', 'build_recorded'])
        .describe(
          'what came of it. `build_recorded`: what it says of a build is on record, and of the fields that follow it has `pipeline_id`, `build_number`, `build_source` and `repeated`. All others are of `job_ended`',
        ),
      job_id: job_id.optional(),
      build_number: count.optional().describe("the build's number"),
      build_source: text.optional().describe('how the build was started, as Buildkite says'),
      pipeline_id: text.optional().describe('the pipeline that the event names'),
      pipeline_mismatch: z
        .boolean()
        .optional()
        .describe("whether that is another one than the job's grants name. They are ended all the same"),
      job_state: text.optional().describe("the job's state, as Buildkite says"),
      repeated: z.boolean().optional().describe('whether all of that was on record before'),
      revoked: revoked.optional(),
      not_renewed: not_renewed.optional(),
      expired: expired.optional(),
      pending: count.optional().describe('grants whose access could not be taken away yet'),
      failures: failures.optional(),
    }),
    severity: {
      of: ['INFO', 'WARNING'],
      by: ({ pipeline_mismatch = false, pending = 0 }) => (pipeline_mismatch || pending > 0 ? 'WARNING' : 'INFO'),
    },
    message: ({ result, buildkite_event, job_id, build_number, pipeline_mismatch = false }) => {
      if (result === 'build_recorded') return `${buildkite_event} of build ${build_number} is on record`;
      if (result !== 'job_ended') return `webhook ${result === 'ping' ? 'answered' : 'ignored'}: ${buildkite_event}`;
      return `job ${job_id} ended${pipeline_mismatch ? ', by an event that names another pipeline than its grants' : ''}`;
    },
  }),
  'webhook.refused': defineEvent({
    means:
      'A webhook was not accepted. ERROR: it could not be recorded, it is signed and makes no sense, or it is too large. WARNING: all else. Of `body_too_slow` and `request_too_large` no signature was checked, so anybody can cause them. If it was the end of a job, the sweep finds it.',
    fields: ({ cause, code, dependency, error }) => ({
      reason: z.enum(REASONS).describe('why: see [TROUBLESHOOTING.md](TROUBLESHOOTING.md)'),
      dependency: dependency.optional(),
      error: error.optional(),
      code: code.optional(),
      cause: cause.optional(),
    }),
    severity: { of: ['WARNING', 'ERROR'], by: ({ reason }) => (MAY_LOSE_JOB_END.has(reason) ? 'ERROR' : 'WARNING') },
    labels: { reason: 'reason' },
    message: ({ reason }) =>
      `webhook refused: ${reason}${BODY_UNREAD.has(reason) ? '; if it was the end of a job, the sweep has to find it' : ''}`,
  }),
};
