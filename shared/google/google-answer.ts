// What Google's APIs answer, checked: the shape that was expected, or an Unavailable that says what came instead.

import * as z from 'zod';
import type { OutgoingAnswer } from '../outgoing.ts';
import { Unavailable } from '../unavailable.ts';

/** Seconds after which a caller may try again when Google says it is asked too often. */
const QUOTA_RETRY_AFTER = 10;

/** @throws Unavailable unless the answer is 200 and of that shape */
export function expectAnswer<T>(what: string, { status, json }: OutgoingAnswer, shape: z.ZodType<T>): T {
  if (status === 429) throw new Unavailable(what, 'answered 429', QUOTA_RETRY_AFTER);
  if (status !== 200) {
    const refused = status >= 400 && status < 500 && status !== 408 && status !== 409;
    throw new Unavailable(what, `answered ${status}${reasonOf(json)}`, 2, { refused });
  }
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw new Unavailable(what, 'answered something unexpected');
  return parsed.data;
}

const googleError = z.object({ error: z.object({ status: z.string().max(64).optional(), message: z.string() }) });

function reasonOf(json: unknown): string {
  const parsed = googleError.safeParse(json);
  if (!parsed.success) return '';
  const { status, message } = parsed.data.error;
  return ` ${status ?? ''} ${message.slice(0, 300)}`;
}

/** Puts a reason into Google's audit log. Source: docs.cloud.google.com/apis/docs/system-parameters */
export function requestReason(reason: string): Record<string, string> {
  return { 'x-goog-request-reason': reason };
}

export function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}
