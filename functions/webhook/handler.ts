// Buildkite's webhooks: the header of the signature before the body, the signature over the raw bytes as they arrive, then
// what the event means. A job's end is on record and its access taken away before the answer. How large the body is, its
// job decides: so it is never held, and what it says is looked at only when its signature was verified.

import { endingEntries, FAILURES_TOLD, toWorkFailed } from '../../shared/audit/grant-events.ts';
import type { AuditEntry } from '../../shared/audit/logger.ts';
import { parseWebhookEvent, type WebhookEvent } from '../../shared/core/webhook/event.ts';
import { WebhookScan } from '../../shared/core/webhook/scan.ts';
import {
  parseSignatureHeader,
  type SignatureHeaderRefusal,
  WebhookSignature,
} from '../../shared/core/webhook/signature.ts';
import type { JobEnd } from '../../shared/ledger/revocation.ts';
import type { JobEnding } from '../../shared/operations/end-job.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { Unavailable } from '../../shared/runtime/errors.ts';
import type { Answer, Failures, HeadHandler } from '../runtime/http-server.ts';

/** Bytes of a webhook's body: all that Cloud Run lets through over HTTP/1 (https://cloud.google.com/run/quotas). */
export const WEBHOOK_BODY_LIMIT = 32 * 1024 * 1024;

export interface WebhookParts {
  readonly webhookTokens: readonly string[];
  readonly endJob: (end: JobEnd) => Promise<JobEnding>;
  /** Milliseconds since the epoch. */
  readonly clock: Clock;
}

type WebhookRefusal =
  | SignatureHeaderRefusal
  | 'signature_wrong'
  | 'unsigned_token_mode'
  | 'not_found'
  | 'method_not_allowed'
  | 'invalid_event'
  | 'request_too_large'
  | 'body_too_slow'
  | 'ledger_unavailable';

export function createWebhookHandler({ webhookTokens, endJob, clock }: WebhookParts): HeadHandler {
  return ({ method, path, headers, request_id }) => {
    if (path !== '/') return refused('not_found', request_id);
    if (method !== 'POST') return refused('method_not_allowed', request_id);
    const header = parseSignatureHeader(headers['x-buildkite-signature'], clock.now() / 1000);
    if (typeof header === 'string') {
      const plain = header === 'signature_missing' && headers['x-buildkite-token'] !== undefined;
      return refused(plain ? 'unsigned_token_mode' : header, request_id);
    }
    const signature = new WebhookSignature(header, webhookTokens);
    const scan = new WebhookScan();
    return {
      take: (piece) => {
        signature.update(piece);
        scan.update(piece);
      },
      finish: async () => {
        const signed_by_key = signature.signedByKey();
        if (signed_by_key === undefined) return refused('signature_wrong', request_id);
        const event = parseWebhookEvent(scan.finish());
        if (!event) return refused('invalid_event', request_id);
        if (event.kind !== 'job_finished') return accepted(event, signed_by_key);
        try {
          const { job_id, pipeline_id, finished_at } = event;
          const ending = await endJob({ job_id, pipeline_id, by: 'job.finished', finished_at });
          return ended(event, ending, signed_by_key);
        } catch (error) {
          if (!Unavailable.is(error)) throw error;
          return refused('ledger_unavailable', request_id, { dependency: error.what, error: error.message });
        }
      },
    };
  };
}

export const WEBHOOK_FAILURES: Failures = {
  tooLarge: (request_id) => refused('request_too_large', request_id),
  tooSlow: toRefused('body_too_slow'),
};

function accepted(event: WebhookEvent & { kind: 'ping' | 'ignored' }, signed_by_key: number): Answer {
  const name = event.kind === 'ping' ? 'ping' : event.event;
  return {
    status: 200,
    body: { result: event.kind === 'ping' ? 'pong' : 'ignored' },
    entries: [
      {
        event: 'webhook.accepted',
        severity: 'INFO',
        message: `webhook ${event.kind === 'ping' ? 'answered' : 'ignored'}: ${name}`,
        buildkite_event: name,
        signed_by_key,
        result: event.kind,
      },
    ],
  };
}

function ended(
  { job_id, pipeline_id, state }: WebhookEvent & { kind: 'job_finished' },
  ending: JobEnding,
  signed_by_key: number,
): Answer {
  const { otherPipeline, repeated, revoked, renewalEnded, expired, unfinished } = ending;
  const summary = {
    revoked: revoked.length,
    not_renewed: renewalEnded.length,
    expired: expired.length,
    pending: unfinished.length,
  };
  const entry: AuditEntry = {
    event: 'webhook.accepted',
    severity: otherPipeline || unfinished.length > 0 ? 'WARNING' : 'INFO',
    message: `job ${job_id} ended${otherPipeline ? ', by an event that names another pipeline than its grants' : ''}`,
    buildkite_event: 'job.finished',
    signed_by_key,
    result: 'job_ended',
    job_id,
    pipeline_id,
    pipeline_mismatch: otherPipeline,
    job_state: state,
    repeated,
    ...summary,
    failures: unfinished,
  };
  return {
    status: 200,
    body: { result: 'job_ended', ...summary },
    entries: [entry, ...endingEntries(ending), ...unfinished.slice(0, FAILURES_TOLD).map(toWorkFailed)],
  };
}

function refused(
  reason: Exclude<WebhookRefusal, 'body_too_slow'>,
  request_id: string,
  failure?: { readonly dependency: string; readonly error: string },
): Answer {
  const { status, error, description, headers } = toWire(reason);
  return {
    status,
    ...(headers ? { headers } : {}),
    body: { error, request_id, error_description: description },
    entries: [{ ...toRefused(reason), ...failure }],
  };
}

function toRefused(reason: WebhookRefusal): AuditEntry {
  const unread = reason === 'request_too_large' || reason === 'body_too_slow';
  return {
    event: 'webhook.refused',
    severity: mayLoseAnEnd(reason) ? 'ERROR' : 'WARNING',
    message: `webhook refused: ${reason}${unread ? '; if it was the end of a job, the sweep has to find it' : ''}`,
    reason,
    labels: { reason },
  };
}

function mayLoseAnEnd(reason: WebhookRefusal): boolean {
  return reason === 'ledger_unavailable' || reason === 'invalid_event' || reason === 'request_too_large';
}

function toWire(reason: Exclude<WebhookRefusal, 'body_too_slow'>): {
  status: number;
  error: string;
  description: string;
  headers?: Record<string, string>;
} {
  switch (reason) {
    case 'not_found':
      return { status: 404, error: 'not_found', description: 'Webhooks are taken at /.' };
    case 'method_not_allowed':
      return {
        status: 405,
        error: 'invalid_request',
        description: 'Only POST is answered.',
        headers: { allow: 'POST' },
      };
    case 'request_too_large':
      return { status: 413, error: 'invalid_request', description: 'The limit is 32 MiB for a body.' };
    case 'invalid_event':
      return {
        status: 400,
        error: 'invalid_request',
        description: 'The body is signed, but it is not a Buildkite event.',
      };
    case 'ledger_unavailable':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: 'The end of the job could not be recorded. Send it again.',
        headers: { 'retry-after': '2' },
      };
    default:
      return {
        status: 401,
        error: 'unauthorized',
        description: 'The webhook was not accepted; the reason is in the audit log under this request id.',
        headers: { 'www-authenticate': 'Buildkite-Signature' },
      };
  }
}
