// Times as Buildkite writes them: ISO 8601, and in some samples of its documentation `2013-09-03 13:24:38 UTC`.

import * as z from 'zod';

/** Milliseconds; undefined for what is no time. */
export const buildkiteTimestamp = z
  .string()
  .max(64)
  .nullish()
  .catch(undefined)
  .transform((text) => Date.parse(text ?? ''))
  .transform((at) => (Number.isNaN(at) ? undefined : at));

/** Times that Firestore can store. */
const LATEST = Date.UTC(9999, 0);

/** The same where a time is needed. */
export const neededTimestamp = buildkiteTimestamp.transform((at, context) => {
  if (at !== undefined && at >= 0 && at < LATEST) return at;
  context.addIssue('is no time');
  return z.NEVER;
});
