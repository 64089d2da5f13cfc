// Parses responses of Google's APIs: the shape that was expected, or a DependencyError that says what came instead.

import type * as z from 'zod';
import {
  googleHint,
  isOverNewUserLimit,
  isOverQuota,
  isRefusal,
  permanentRefusal,
  readGoogleError,
} from '../core/google-refusal.ts';
import { LONGEST_RETRY_AFTER, parseRetryAfter } from '../core/retry-after.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { JsonResponse } from '../runtime/http-client.ts';

/** Seconds after which a caller may try again when Google reports a rate limit without saying for how long. */
const QUOTA_RETRY_AFTER = 10;
const NEW_USER_ADVICE =
  'Google limits new users to 100 an hour and IP address; "keydesk users create" creates them ahead';

/** What a call is about, for the one who reads what failed. */
interface CallSubject {
  readonly account?: string;
  /** What the call needs on the account. */
  readonly permission?: string;
  /** When the response came, in milliseconds since the epoch: Retry-After may be a date. */
  readonly now: number;
}

/**
 * @param options.mayRefuse whether a status of 400 to 499 means that the request is refused; true by default
 * @throws DependencyError unless the status is 200 and the body has that shape; `permanent` when a retry does not help
 */
export function parseResponse<T>(
  dependency: string,
  { status, headers, json }: JsonResponse,
  shape: z.ZodType<T>,
  { mayRefuse = true, ...subject }: { readonly mayRefuse?: boolean } & CallSubject,
): T {
  if (status !== 200) throw toDependencyError(dependency, { status, headers, json }, mayRefuse, subject);
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw new DependencyError(dependency, 'invalid_response', 'returned something unexpected');
  return parsed.data;
}

function toDependencyError(
  dependency: string,
  { status, headers, json }: JsonResponse,
  mayRefuse: boolean,
  { account, permission, now }: CallSubject,
): DependencyError {
  const error = readGoogleError(json);
  const detail = `returned ${status}${error ? ` ${error.status} ${error.message.slice(0, 300)}` : ''}`;
  const retryAfter = parseRetryAfter(headers.get('retry-after'), now);
  const overQuota = (text: string, otherwise: number) =>
    new DependencyError(dependency, 'rate_limited', text, { retryAfter: retryAfter ?? otherwise });
  if (dependency.startsWith('identitytoolkit ') && isOverNewUserLimit(error))
    return overQuota(`${detail}; ${NEW_USER_ADVICE}`, LONGEST_RETRY_AFTER);
  if (isOverQuota(status, error)) return overQuota(detail, QUOTA_RETRY_AFTER);
  const rejected = mayRefuse && isRefusal(status);
  const google = permanentRefusal(dependency, status, error, permission);
  if (!google)
    return new DependencyError(dependency, rejected ? 'refused' : 'error_response', detail, { retryAfter, rejected });
  const permanent = { ...google, ...(account === undefined ? {} : { service_account: account }) };
  const text = `${detail}; ${googleHint(google, account)}`;
  return new DependencyError(dependency, 'refused', text, { retryAfter, rejected, permanent });
}

/** Puts a reason into Google's audit log. Source: docs.cloud.google.com/apis/docs/system-parameters */
export function requestReason(reason: string): Record<string, string> {
  return { 'x-goog-request-reason': reason };
}

export function stripTrailingSlash(url: string): string {
  return url.replace(/\/$/, '');
}
