// What `GET /grants` takes and returns.

import * as z from 'zod';
import type { GrantFilters } from '../grant/filters.ts';
import { GRANT_STATES, LIVE_STATES } from '../grant/grant.ts';
import { givenTime } from './given-time.ts';
import { grantSummarySchema } from './grant.ts';

/** `live` is every state in which a token may be accepted or issued. */
export const STATE_CHOICES = ['live', 'all', ...GRANT_STATES] as const;
/** The most grants in one page. */
export const MAX_PER_PAGE = 500;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const text = z.string().min(1, 'must not be empty').max(1024, 'must have 1024 characters at most');

/** All that are given must fit. */
export const grantFiltersOnWire = z.strictObject({
  pipeline: text
    .optional()
    .describe(
      'the UUID or the slug of a pipeline. A grant whose job token had no pipeline_id is found by the slug alone',
    ),
  branch: text.optional(),
  credential: text.optional(),
  environment: text.optional(),
  account: text
    .optional()
    .describe('the e-mail address of a service account, pooled or shared; also of an earlier lease'),
  approver: z
    .uuid('must be a UUID, such as 0184990a-477b-4fa8-9968-496074483cee')
    .transform((id) => id.toLowerCase())
    .optional()
    .describe(
      'the UUID of the Buildkite user who unblocked a step for it; also of earlier tokens that may still be accepted',
    ),
  job_id: z
    .uuid('must be a UUID, such as 0184990a-477b-4fa8-9968-496074483cee')
    .transform((id) => id.toLowerCase())
    .optional(),
  token_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of a token: 64 hex digits, in lower case')
    .optional()
    .describe('of a token that is on record: its hash is dropped at the first issuance after it has expired'),
  state: z
    .enum(STATE_CHOICES, { error: `must be one of ${STATE_CHOICES.join(', ')}` })
    .optional()
    .describe('`live` without a period, `all` with one'),
  from: givenTime
    .optional()
    .describe('could be used at this time or later. Without an end of access on record, until its last token expires'),
  to: givenTime.optional().describe('could be used before this time: it was created before'),
});
export type GrantFiltersOnWire = z.output<typeof grantFiltersOnWire>;

export const grantListQuerySchema = grantFiltersOnWire.extend({
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, `must be a number from 1 to ${MAX_PER_PAGE}`)
    .transform(Number)
    .refine((limit) => limit <= MAX_PER_PAGE, `must be a number from 1 to ${MAX_PER_PAGE}`)
    .optional(),
  cursor: z
    .string()
    .max(1000)
    .optional()
    .describe(
      '`next_cursor` of the page before, with the same filters. It is good for 55 minutes after the first page',
    ),
});

/** Filters by a name that a policy or a grant has. */
const NAMED_FILTERS = ['environment', 'credential', 'pipeline', 'account'] as const satisfies readonly (keyof z.output<
  typeof grantFiltersOnWire
>)[];

const unknownNameSchema = z.object({
  filter: z.enum(NAMED_FILTERS),
  value: z.string(),
  did_you_mean: z.string().nullable().describe('the name that was probably meant'),
});
export type UnknownName = z.output<typeof unknownNameSchema>;

export const grantListSchema = z.object({
  as_of: z.iso.datetime().describe("the ledger's state that all pages show, by Firestore's clock"),
  filters: grantFiltersOnWire.describe('those in force'),
  grants: z.array(grantSummarySchema).describe('in no order that means anything'),
  unreadable: z
    .array(z.object({ grant_id: z.string(), error: z.string() }))
    .describe('records that cannot be read. Nobody knows whether they fit, so they are listed'),
  unknown: z
    .array(unknownNameSchema)
    .default([])
    .describe(
      'names in the filters that no grant on record has and the policy in force does not name, on a first page without grants',
    ),
  next_cursor: z
    .string()
    .nullable()
    .describe('null: this was the last page. A page may have no grant, and others may follow'),
});
export type GrantList = z.output<typeof grantListSchema>;

/** With the state that is meant where none is given. */
export function withDefaultState(
  filters: GrantFiltersOnWire,
): GrantFiltersOnWire & { readonly state: (typeof STATE_CHOICES)[number] } {
  const isPeriod = filters.from !== undefined || filters.to !== undefined;
  return { ...filters, state: filters.state ?? (isPeriod ? 'all' : 'live') };
}

export function toGrantFilters(written: GrantFiltersOnWire): GrantFilters {
  const { pipeline, branch, approver, state, from, to, ...same } = withDefaultState(written);
  const byPipeline = pipeline !== undefined && UUID.test(pipeline);
  return {
    ...same,
    pipeline_id: byPipeline ? pipeline.toLowerCase() : undefined,
    pipeline_slug: byPipeline ? undefined : pipeline,
    build_branch: branch,
    approved_by: approver,
    states: state === 'all' ? undefined : state === 'live' ? LIVE_STATES : [state],
    from: from === undefined ? undefined : Date.parse(from),
    to: to === undefined ? undefined : Date.parse(to),
  };
}

/** For people: `environment production, state all, from 2026-11-24T00:00:00Z`. */
export function describeFilters(filters: GrantFiltersOnWire): string {
  return Object.entries(filters)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]))
    .join(', ');
}

/** For people, in one sentence, with the name that was probably meant. */
export function describeUnknownName({ filter, value, did_you_mean }: UnknownName): string {
  const meant = did_you_mean === null ? '' : ` Did you mean ${did_you_mean}?`;
  return `No grant on record has the ${filter} ${JSON.stringify(value)}, and the policy in force does not name it.${meant}`;
}
