// What Google's APIs answer, checked: the shape that was expected, or an Unavailable that says what came instead.

import type * as z from 'zod';
import { googleAdvice, isOverQuota, permanentRefusal, readGoogleError } from '../core/google-refusal.ts';
import type { OutgoingAnswer } from '../outgoing.ts';
import { Unavailable } from '../unavailable.ts';

/** Seconds after which a caller may try again when Google says it is asked too often, and not when. */
const QUOTA_RETRY_AFTER = 10;
/** The same where Google limits new users: to 100 an hour and IP address. "npm run users" creates them ahead without that limit. */
const SIGN_UP_RETRY_AFTER = 300;
/** Seconds that a caller is asked to wait at most: Google's own wait may be that of another project's quota. */
const LONGEST_RETRY_AFTER = 300;

/** What a call is about, for the one who reads what failed. */
interface About {
  readonly account?: string;
  /** What the call needs on the account. */
  readonly permission?: string;
}

/**
 * @param options.mayRefuse whether an answer of 400 to 499 says that what was asked for is refused; by default it does
 * @throws Unavailable unless the answer is 200 and of that shape; `permanent` when trying again does not help
 */
export function expectAnswer<T>(
  what: string,
  { status, headers, json }: OutgoingAnswer,
  shape: z.ZodType<T>,
  { mayRefuse = true, ...about }: { readonly mayRefuse?: boolean } & About = {},
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
  { account, permission }: About,
): Unavailable {
  const error = readGoogleError(json);
  const answered = `answered ${status}${error ? ` ${error.status} ${error.message.slice(0, 300)}` : ''}`;
  const wait = secondsOf(headers.get('retry-after'));
  if (isOverQuota(status, error)) return overQuota(what, answered, wait);
  const refused = mayRefuse && status >= 400 && status < 500 && status !== 408 && status !== 409;
  const google = permanentRefusal(what, status, error, permission);
  if (!google) return new Unavailable(what, answered, wait ?? 2, { refused });
  const permanent = { ...google, ...(account === undefined ? {} : { service_account: account }) };
  return new Unavailable(what, `${answered}; ${googleAdvice(google, account)}`, wait ?? 2, { refused, permanent });
}

function overQuota(what: string, answered: string, wait: number | undefined): Unavailable {
  if (!what.startsWith('identitytoolkit ')) return new Unavailable(what, answered, wait ?? QUOTA_RETRY_AFTER);
  const advice = 'Google limits new users to 100 an hour and IP address; "npm run users" creates them ahead';
  return new Unavailable(what, `${answered}; ${advice}`, wait ?? SIGN_UP_RETRY_AFTER);
}

/** Whole seconds of a Retry-After header; a date is not read (RFC 9110 section 10.2.3). */
function secondsOf(header: string | null): number | undefined {
  if (header === null || !/^[0-9]{1,9}$/.test(header)) return undefined;
  return Math.min(Math.max(Number(header), 1), LONGEST_RETRY_AFTER);
}

/** Puts a reason into Google's audit log. Source: docs.cloud.google.com/apis/docs/system-parameters */
export function requestReason(reason: string): Record<string, string> {
  return { 'x-goog-request-reason': reason };
}

export function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}
