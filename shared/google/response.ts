// What Google's APIs answer, checked: the shape that was expected, or an Unavailable that says what came instead.

import type * as z from 'zod';
import {
  googleAdvice,
  isOverNewUserLimit,
  isOverQuota,
  isRefusal,
  permanentRefusal,
  readGoogleError,
} from '../core/google-refusal.ts';
import { LONGEST_RETRY_AFTER, parseRetryAfter } from '../core/retry-after.ts';
import { Unavailable } from '../runtime/errors.ts';
import type { OutgoingAnswer } from '../runtime/http-client.ts';

/** Seconds after which a caller may try again when Google says it is asked too often, and not when. */
const QUOTA_RETRY_AFTER = 10;
const NEW_USER_ADVICE = 'Google limits new users to 100 an hour and IP address; "npm run users" creates them ahead';

/** What a call is about, for the one who reads what failed. */
interface About {
  readonly account?: string;
  /** What the call needs on the account. */
  readonly permission?: string;
  /** When the response came, in milliseconds since the epoch: Retry-After may be a date. */
  readonly now: number;
}

/**
 * @param options.mayRefuse whether an answer of 400 to 499 says that what was asked for is refused; by default it does
 * @throws Unavailable unless the answer is 200 and of that shape; `permanent` when trying again does not help
 */
export function expectAnswer<T>(
  what: string,
  { status, headers, json }: OutgoingAnswer,
  shape: z.ZodType<T>,
  { mayRefuse = true, ...about }: { readonly mayRefuse?: boolean } & About,
): T {
  if (status !== 200) throw failureOf(what, { status, headers, json }, mayRefuse, about);
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw new Unavailable(what, 'answered something unexpected');
  return parsed.data;
}

function failureOf(
  what: string,
  { status, headers, json }: OutgoingAnswer,
  mayRefuse: boolean,
  { account, permission, now }: About,
): Unavailable {
  const error = readGoogleError(json);
  const answered = `answered ${status}${error ? ` ${error.status} ${error.message.slice(0, 300)}` : ''}`;
  const wait = parseRetryAfter(headers.get('retry-after'), now);
  if (what.startsWith('identitytoolkit ') && isOverNewUserLimit(error))
    return new Unavailable(what, `${answered}; ${NEW_USER_ADVICE}`, wait ?? LONGEST_RETRY_AFTER);
  if (isOverQuota(status, error)) return new Unavailable(what, answered, wait ?? QUOTA_RETRY_AFTER);
  const refused = mayRefuse && isRefusal(status);
  const google = permanentRefusal(what, status, error, permission);
  if (!google) return new Unavailable(what, answered, wait ?? 2, { refused });
  const permanent = { ...google, ...(account === undefined ? {} : { service_account: account }) };
  return new Unavailable(what, `${answered}; ${googleAdvice(google, account)}`, wait ?? 2, { refused, permanent });
}

/** Puts a reason into Google's audit log. Source: docs.cloud.google.com/apis/docs/system-parameters */
export function requestReason(reason: string): Record<string, string> {
  return { 'x-goog-request-reason': reason };
}

export function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}
