// What Google's APIs answer, checked: the shape that was expected, or an Unavailable that says what came instead.

import * as z from 'zod';
import type { OutgoingAnswer } from '../outgoing.ts';
import { Unavailable } from '../unavailable.ts';

/** Seconds after which a caller may try again when Google says it is asked too often. */
const QUOTA_RETRY_AFTER = 10;

/**
 * @param options.mayRefuse whether an answer of 400 to 499 says that what was asked for is refused; by default it does
 * @throws Unavailable unless the answer is 200 and of that shape
 */
export function expectAnswer<T>(
  what: string,
  { status, json }: OutgoingAnswer,
  shape: z.ZodType<T>,
  { mayRefuse = true } = {},
): T {
  if (status === 429) throw new Unavailable(what, 'answered 429', QUOTA_RETRY_AFTER);
  if (status !== 200) {
    const refused = mayRefuse && status >= 400 && status < 500 && status !== 408 && status !== 409;
    throw new Unavailable(what, `answered ${status}${reasonOf(json)}`, 2, { refused });
  }
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw new Unavailable(what, 'answered something unexpected');
  return parsed.data;
}

const googleError = z.object({ error: z.object({ status: z.string().max(64).optional(), message: z.string() }) });
/** The Security Token Service's, as OAuth has it (RFC 6749 section 5.2). */
const oauthError = z.object({ error: z.string().max(64), error_description: z.string().optional() });
const anyError = z.union([
  googleError.transform(({ error }) => error),
  oauthError.transform(({ error, error_description }) => ({ status: error, message: error_description ?? '' })),
]);

function reasonOf(json: unknown): string {
  const parsed = anyError.safeParse(json);
  if (!parsed.success) return '';
  const { status = '', message } = parsed.data;
  return ` ${status} ${message.slice(0, 300)}`;
}

/** Puts a reason into Google's audit log. Source: docs.cloud.google.com/apis/docs/system-parameters */
export function requestReason(reason: string): Record<string, string> {
  return { 'x-goog-request-reason': reason };
}

export function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}
