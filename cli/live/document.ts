// The published form of the measurements: what `keydesk doctor --live --json` writes, and what --join reads. It has no token, and
// without --with-names no name of a credential, an environment, a project or a grant. A field that is removed or that means something
// else raises the version in FORMAT. docs/OPERATIONS.md has the descriptions as a table.

import * as z from 'zod';
import { APIS } from './targets.ts';

export const FORMAT = 'keydesk.live/1';

const seconds = () => z.number().min(0);
const count = () => z.int().min(0);
const api = () => z.enum(APIS).describe('The API behind the target, by the path of its URL');
const label = () =>
  z.string().describe('`credential-1` is the first on the command line. With `--with-names`, its name');
const revocation = () =>
  z
    .enum(['immediate', 'propagating', 'expiry'])
    .nullable()
    .describe('As Keydesk states it. `null`: nothing was issued');

const methodSchema = z.strictObject({
  requests_per_second: z.number().positive().describe('To each target'),
  rejections_in_a_row: z.int().min(1).describe('After which a token counts as ended (`--rejections`)'),
  bound_s: seconds().describe('How long a trial goes on after its release at most (`--bound`)'),
  ended_by: z.literal('release').describe('The holder released the grant with `POST /revoke`'),
});
export type Method = z.output<typeof methodSchema>;

const runSchema = z.strictObject({
  started_at: z.iso.datetime().describe('On the clock of the machine that measured'),
  ended_at: z.iso.datetime().describe('The same'),
  place: z.string().nullable().describe('From where, as `--place` says'),
  keydesk_version: z.string().describe('Of the command'),
});
export type Run = z.output<typeof runSchema>;

const measuredSchema = z.strictObject({
  api: api(),
  url: z.string().optional().describe('Only with `--with-names`'),
  outcome: z
    .enum(['ended', 'still_accepted', 'undecided'])
    .describe(
      '`still_accepted`: when the trial ended. `undecided`: too few rejections in a row, and no acceptance at the end',
    ),
  accepted: count().describe('Requests since the release was sent'),
  rejected: count().describe('The same'),
  errors: count().describe('The same: neither accepted nor rejected, such as 503 or no response'),
  flips: count().describe('How often a request was accepted right after a rejected one'),
  last_accepted_s: seconds().describe(
    'From the response to the release until the last accepted request was sent. 0: none was accepted after the response',
  ),
  last_accepted_from_sending_s: seconds().describe('The same from when the release was first sent'),
  next_rejected_s: seconds()
    .nullable()
    .describe('From the response to the release until the first rejected request after the last accepted one'),
  watched_s: seconds().describe('From the response to the release until the last request'),
});
export type Measured = z.output<typeof measuredSchema>;

const NOT_MEASURED = [
  'refused',
  'ends_by_expiry',
  'open_without_token',
  'not_accepted_before',
  'expires_too_soon',
  'not_released',
] as const;

const trialSchema = z.strictObject({
  run: count().describe('Index in `runs`'),
  credential: label(),
  environment: z.string().optional().describe('Only with `--with-names`'),
  grant_id: z.string().optional().describe('Only with `--with-names`'),
  revocation: revocation(),
  released: z.boolean().describe('Whether Keydesk confirmed that no canary grant is left'),
  not_measured: z
    .enum(NOT_MEASURED)
    .nullable()
    .describe(
      `Why there is no measurement: ${NOT_MEASURED.map((reason) => `\`${reason}\``).join(', ')}. \`null\`: there is one`,
    ),
  targets: z.array(measuredSchema).describe('In the order of the command line'),
});
export type Trial = z.output<typeof trialSchema>;

const distributionSchema = z.strictObject({
  count: count(),
  min: seconds(),
  median: seconds(),
  p95: seconds(),
  max: seconds(),
});

const resultSchema = z.strictObject({
  credential: label(),
  api: api(),
  revocation: revocation(),
  trials: count().describe('In which the target was measured'),
  ended: count().describe('Trials with this outcome'),
  still_accepted: count().describe('The same'),
  undecided: count().describe('The same'),
  accepted: count().describe('Requests since the release was sent, in all trials'),
  rejected: count().describe('The same'),
  errors: count().describe('The same'),
  flips: count().describe('In all trials'),
  observed_revocation_latency_s: distributionSchema
    .nullable()
    .describe('Of `last_accepted_s`, over the trials in which the token ended. Percentiles are by the nearest rank'),
  from_sending_s: distributionSchema.nullable().describe('Of `last_accepted_from_sending_s`, over the same trials'),
});
export type Result = z.output<typeof resultSchema>;

const problemSchema = z.strictObject({
  code: z
    .enum(['still_accepted', 'undecided', 'not_measured', 'grant_left', 'too_few_trials'])
    .describe('`still_accepted`, `undecided`, `not_measured`, `grant_left` or `too_few_trials`'),
  credential: label(),
  trial: count().nullable().describe('Index in `trials`. `null`: it is not about one trial'),
  api: z.enum(APIS).nullable().describe('`null`: it is not about one target'),
  what: z.string().describe('In words, which may change'),
});
export type Problem = z.output<typeof problemSchema>;

export const documentSchema = z.strictObject({
  format: z.literal(FORMAT).describe('The number rises when a field is removed, or means something else'),
  method: methodSchema.describe('How it was measured'),
  runs: z.array(runSchema).min(1).describe('Executions of the command'),
  trials: z.array(trialSchema).describe('One for each run and credential'),
  results: z.array(resultSchema).describe('One for each target, over all trials'),
  problems: z.array(problemSchema).describe('Empty when every trial was measured, and every token ended'),
});
export type LiveDocument = z.output<typeof documentSchema>;
