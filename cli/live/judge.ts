// Whether an API accepted the token of a request, by its response. Pure. A 401 or 403 counts as a rejection only if Google's API wrote
// it: a proxy's does not, and neither does a quota's.
// Source: cloud.google.com/apis/design/errors; docs.cloud.google.com/storage/docs/json_api/v1/status-codes.

import * as z from 'zod';
import { readGoogleError } from '../../shared/core/google-refusal.ts';
import type { Outcome } from './verdict.ts';

const errorBody = z.object({ error: z.object({ code: z.int() }) });

/** Reasons of 403 that say nothing about the token. Source: google.api.ErrorReason, and Cloud Storage's status codes. */
const NOT_ABOUT_THE_TOKEN = new Set([
  'RATE_LIMIT_EXCEEDED',
  'RESOURCE_QUOTA_EXCEEDED',
  'SERVICE_DISABLED',
  'BILLING_DISABLED',
  'SECURITY_POLICY_VIOLATED',
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'quotaExceeded',
  'accessNotConfigured',
]);

/** 404 is accepted: the API looked for what the token may read. A request without a token shows first that the URL needs one. */
export function judgeResponse({ status, json }: { readonly status: number; readonly json: unknown }): Outcome {
  if ((status >= 200 && status < 300) || status === 404) return 'accepted';
  if (status !== 401 && status !== 403) return 'error';
  const body = errorBody.safeParse(json);
  if (!body.success || body.data.error.code !== status) return 'error';
  return NOT_ABOUT_THE_TOKEN.has(readGoogleError(json)?.reason ?? '') ? 'error' : 'rejected';
}
