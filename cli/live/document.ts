// The published form of the measurements: what `keydesk doctor --live --json` writes, and what --join reads. It has no token, and
// without --with-names no name of a credential, an environment, a project or a grant. A change of a field's meaning, and each removal,
// raises the version in FORMAT.

import * as z from 'zod';
import { APIS } from './targets.ts';

export const FORMAT = 'keydesk.live/1';

const seconds = z.number().min(0);
const count = z.int().min(0);
const isoTime = z.iso.datetime();

const methodSchema = z.strictObject({
  requests_per_second: z.number().positive(),
  /** Rejections in a row after which a token counts as ended. */
  rejections_in_a_row: z.int().min(1),
  /** How long after the release a trial goes on at most. */
  bound_s: seconds,
  /** The holder released the grant by `POST /revoke`. */
  ended_by: z.literal('release'),
});
export type Method = z.output<typeof methodSchema>;

/** One execution of the command. */
const runSchema = z.strictObject({
  started_at: isoTime,
  ended_at: isoTime,
  /** From where, as --place says; null when it was not given. */
  place: z.string().nullable(),
  keydesk_version: z.string(),
});
export type Run = z.output<typeof runSchema>;

const measuredSchema = z.strictObject({
  api: z.enum(APIS),
  /** Only with --with-names. */
  url: z.string().optional(),
  /** `ended`; `still_accepted` when the trial ended; or `undecided`: too few rejections in a row, and no acceptance at the end. */
  outcome: z.enum(['ended', 'still_accepted', 'undecided']),
  /** Requests since the release was sent. Errors are neither accepted nor rejected. */
  accepted: count,
  rejected: count,
  errors: count,
  /** How often a request was accepted right after a rejected one. */
  flips: count,
  /** From the response to the release until the last accepted request was sent; 0 when none was accepted after it. */
  last_accepted_s: seconds,
  /** The same from when the release was sent. */
  last_accepted_from_sending_s: seconds,
  /** From the response to the release until the first rejected request after the last accepted one; null when there is none. */
  next_rejected_s: seconds.nullable(),
  /** From the response to the release until the last request of all. */
  watched_s: seconds,
});
export type Measured = z.output<typeof measuredSchema>;

export const NOT_MEASURED = [
  'refused',
  'ends_by_expiry',
  'open_without_token',
  'not_accepted_before',
  'expires_too_soon',
  'not_released',
] as const;

const trialSchema = z.strictObject({
  /** Index in `runs`. */
  run: count,
  /** `credential-1` is the first that the command line names; the name itself with --with-names. */
  credential: z.string(),
  /** Only with --with-names. */
  environment: z.string().optional(),
  grant_id: z.string().optional(),
  /** As Keydesk states it; null when nothing was issued. */
  revocation: z.enum(['immediate', 'propagating', 'expiry']).nullable(),
  /** Whether Keydesk confirmed that no canary grant of this trial is left. */
  released: z.boolean(),
  /** Why there is no measurement; null when there is. */
  not_measured: z.enum(NOT_MEASURED).nullable(),
  /** In the order of the command line. */
  targets: z.array(measuredSchema),
});
export type Trial = z.output<typeof trialSchema>;

const distributionSchema = z.strictObject({
  count,
  min: seconds,
  median: seconds,
  p95: seconds,
  max: seconds,
});

/** One target over all trials. */
const resultSchema = z.strictObject({
  credential: z.string(),
  api: z.enum(APIS),
  revocation: z.enum(['immediate', 'propagating', 'expiry']).nullable(),
  trials: count,
  ended: count,
  still_accepted: count,
  undecided: count,
  accepted: count,
  rejected: count,
  errors: count,
  flips: count,
  /** Of the trials in which the token ended: `last_accepted_s`, in seconds. Null when it ended in none. */
  observed_revocation_latency_s: distributionSchema.nullable(),
  /** The same of `last_accepted_from_sending_s`. */
  from_sending_s: distributionSchema.nullable(),
});
export type Result = z.output<typeof resultSchema>;

const problemSchema = z.strictObject({
  code: z.enum(['still_accepted', 'undecided', 'not_measured', 'grant_left', 'too_few_trials']),
  credential: z.string(),
  /** Index in `trials`; null when the problem is not about one. */
  trial: count.nullable(),
  api: z.enum(APIS).nullable(),
  /** In words, which may change. */
  what: z.string(),
});
export type Problem = z.output<typeof problemSchema>;

export const documentSchema = z.strictObject({
  format: z.literal(FORMAT),
  method: methodSchema,
  runs: z.array(runSchema).min(1),
  trials: z.array(trialSchema),
  results: z.array(resultSchema),
  /** Empty when every trial was measured, and every token ended. */
  problems: z.array(problemSchema),
});
export type LiveDocument = z.output<typeof documentSchema>;
