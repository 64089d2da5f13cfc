// Buildkite's webhooks: the header of the signature before the body, the signature over the raw bytes as they arrive, then
// what the event means. A job's end is on record and its access revoked before the response, and so is what it says of a build. The
// job decides how large the body is, so the body is never kept, and its content is used only after the signature was verified.

import { unblockEvents } from '../../shared/audit/build-events.ts';
import type { WebhookRefusalReason } from '../../shared/audit/events/webhook.ts';
import { auditEvent } from '../../shared/audit/events.ts';
import { endEvents, failureEvents } from '../../shared/audit/result-events.ts';
import type { BuildNews } from '../../shared/core/conditions/build-record.ts';
import { parseWebhookEvent, type WebhookEvent } from '../../shared/core/webhook/event.ts';
import { PROBE_EVENT } from '../../shared/core/webhook/probe.ts';
import { WebhookScan } from '../../shared/core/webhook/scan.ts';
import { parseSignatureHeader, WebhookSignature } from '../../shared/core/webhook/signature.ts';
import type { JobEndResult } from '../../shared/operations/end-job.ts';
import type { JobEnd } from '../../shared/operations/ports.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { DependencyError, type FailureFacts, toFailure } from '../../shared/runtime/errors.ts';
import type { ErrorResponses, HeadHandler, HttpResponse } from '../runtime/http-server.ts';

/** Bytes of a webhook's body: all that Cloud Run lets through over HTTP/1 (https://cloud.google.com/run/quotas). */
export const WEBHOOK_BODY_LIMIT = 32 * 1024 * 1024;

export interface WebhookHandlerDeps {
  readonly webhookTokens: readonly string[];
  readonly endJob: (end: JobEnd) => Promise<JobEndResult>;
  /** Records what Buildkite said of a build. @returns whether any of it is new */
  readonly recordBuild: (news: BuildNews) => Promise<boolean>;
  /** Hears of each webhook that was accepted, by the number of the key that signed it, from 1. */
  readonly keyAccepted: (key: number) => void;
  /** Milliseconds since the epoch. */
  readonly clock: Clock;
}

export function createWebhookHandler(deps: WebhookHandlerDeps): HeadHandler {
  const { webhookTokens, keyAccepted, clock } = deps;
  return ({ method, path, headers, request_id }) => {
    if (path !== '/') return rejectedResponse('not_found', request_id);
    if (method !== 'POST') return rejectedResponse('method_not_allowed', request_id);
    const header = parseSignatureHeader(headers['x-buildkite-signature'], clock.now() / 1000);
    if (typeof header === 'string') {
      const unsigned = header === 'signature_missing' && headers['x-buildkite-token'] !== undefined;
      return rejectedResponse(unsigned ? 'unsigned_token_mode' : header, request_id);
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
        if (signed_by_key === undefined) return rejectedResponse('signature_wrong', request_id);
        const event = parseWebhookEvent(scan.finish());
        if (!event) return rejectedResponse('invalid_event', request_id);
        if (event.kind === 'ping' || event.kind === 'ignored') {
          // A probe of the command shows that this instance has the key, and not that Buildkite signs with it.
          if (!(event.kind === 'ignored' && event.event === PROBE_EVENT)) keyAccepted(signed_by_key);
          return ignoredResponse(event, signed_by_key);
        }
        try {
          const response = await record(deps, event, signed_by_key);
          keyAccepted(signed_by_key);
          return response;
        } catch (error) {
          if (!DependencyError.is(error)) throw error;
          return rejectedResponse('ledger_unavailable', request_id, toFailure(error));
        }
      },
    };
  };
}

type RecordedEvent = Extract<WebhookEvent, { readonly kind: 'job_ended' | 'build_news' }>;

async function record(
  { endJob, recordBuild }: WebhookHandlerDeps,
  event: RecordedEvent,
  signed_by_key: number,
): Promise<HttpResponse> {
  if (event.kind === 'build_news') return buildRecordedResponse(event, await recordBuild(event.news), signed_by_key);
  const { event: by, job_id, pipeline_id, finished_at } = event;
  return jobEndedResponse(event, await endJob({ job_id, pipeline_id, by, finished_at }), signed_by_key);
}

export const WEBHOOK_ERROR_RESPONSES: ErrorResponses = {
  tooLarge: (request_id) => rejectedResponse('request_too_large', request_id),
  tooSlow: auditEvent('webhook.refused', { reason: 'body_too_slow' }),
};

function ignoredResponse(event: WebhookEvent & { kind: 'ping' | 'ignored' }, signed_by_key: number): HttpResponse {
  const name = event.kind === 'ping' ? 'ping' : event.event;
  return {
    status: 200,
    body: { result: event.kind === 'ping' ? 'pong' : 'ignored' },
    auditEvents: [auditEvent('webhook.accepted', { buildkite_event: name, signed_by_key, result: event.kind })],
  };
}

function jobEndedResponse(
  { event, job_id, pipeline_id, state }: WebhookEvent & { kind: 'job_ended' },
  result: JobEndResult,
  signed_by_key: number,
): HttpResponse {
  const { pipelineMismatch, alreadyEnded, revoked, notRenewed, expired, pending } = result;
  const summary = {
    revoked: revoked.length,
    not_renewed: notRenewed.length,
    expired: expired.length,
    pending: pending.length,
  };
  const accepted = auditEvent('webhook.accepted', {
    buildkite_event: event,
    signed_by_key,
    result: 'job_ended',
    job_id,
    pipeline_id,
    pipeline_mismatch: pipelineMismatch,
    job_state: state,
    repeated: alreadyEnded,
    ...summary,
    failures: pending,
  });
  return {
    status: 200,
    body: { result: 'job_ended', ...summary },
    auditEvents: [accepted, ...endEvents(result), ...failureEvents(pending)],
  };
}

function buildRecordedResponse(
  { event, news, build_source }: WebhookEvent & { kind: 'build_news' },
  isNew: boolean,
  signed_by_key: number,
): HttpResponse {
  const { pipeline_id, build_number, unblocks } = news;
  const accepted = auditEvent('webhook.accepted', {
    ...{ buildkite_event: event, signed_by_key, result: 'build_recorded' },
    ...{ pipeline_id, build_number, build_source, repeated: !isNew },
  });
  return {
    status: 200,
    body: { result: 'build_recorded' },
    auditEvents: [accepted, ...(isNew ? unblockEvents(news, unblocks, 'webhook') : [])],
  };
}

function rejectedResponse(
  reason: Exclude<WebhookRefusalReason, 'body_too_slow'>,
  request_id: string,
  failure?: FailureFacts,
): HttpResponse {
  const { status, error, description, headers } = toWebhookError(reason);
  return {
    status,
    ...(headers ? { headers } : {}),
    body: { error, request_id, error_description: description },
    auditEvents: [auditEvent('webhook.refused', { reason, ...failure })],
  };
}

/** The response to a refusal. All wrong signatures have one. */
export function toWebhookError(reason: Exclude<WebhookRefusalReason, 'body_too_slow'>): {
  status: number;
  error: string;
  description: string;
  headers?: Record<string, string>;
} {
  switch (reason) {
    case 'not_found':
      return { status: 404, error: 'not_found', description: 'Send webhooks to the path /.' };
    case 'method_not_allowed':
      return {
        status: 405,
        error: 'invalid_request',
        description: 'This path accepts POST only.',
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
        description: 'The event could not be recorded. Send the webhook again.',
        headers: { 'retry-after': '2' },
      };
    default:
      return {
        status: 401,
        error: 'unauthorized',
        description: 'The webhook was not accepted. The audit log has the reason, under this request id.',
        headers: { 'www-authenticate': 'Buildkite-Signature' },
      };
  }
}
