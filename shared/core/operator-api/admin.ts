// The routes of `admin`.

import * as z from 'zod';
import { grantSummarySchema } from './grant.ts';
import { lostGrantSchema, MAX_LOST_GRANTS } from './lost-grant.ts';
import { defineRoutes, NO_QUERY } from './route.ts';
import { selectorOnWire } from './selector.ts';

/** The most grants that a list in a response has. */
export const MAX_LISTED = 500;

const grants = z.array(grantSummarySchema);
const count = z.int();

const killRequestSchema = z.strictObject({
  id: z.uuid().describe('chosen by the caller. A request that is repeated with it continues the act'),
  selector: selectorOnWire.optional(),
  pipeline: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .describe('a name of `pipelines` in the policy, with or without a selector'),
  token_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of a token, in hex')
    .optional()
    .describe('in place of a selector: the grant that this token belongs to'),
  all: z.boolean().default(false).describe('in place of a selector: every live grant'),
  reason: z.string().trim().min(1, 'says why, for the record').max(1000),
  block: z.boolean().default(false).describe('also refuse new requests that match, until the block is removed'),
  unknown_ok: z
    .boolean()
    .default(false)
    .describe('with block: accept names that no grant on record has, such as an agent that never requested a token'),
  resume: z.boolean().default(false).describe('id is of an act on record, which is to be continued'),
  dry_run: z.boolean().default(false).describe('only list what would be ended'),
});

const killResponseSchema = z.object({
  id: z.string(),
  dry_run: z.boolean(),
  selector: selectorOnWire,
  selected: grants.describe(`the grants that were live when it began, ${MAX_LISTED} at most`),
  counts: z.object({
    selected: count,
    revoked: count.describe('revocation is immediate: the rules of the database reject the tokens'),
    disabled: count.describe(
      'revocation propagates: the account is disabled. Google may accept its tokens for some time',
    ),
    still_accepted: count.describe('cannot be revoked; the tokens are accepted until they expire'),
    expired: count.describe('time was up before'),
    ended_before: count.describe('something else ended its access before this act came to it'),
    unfinished: count.describe('not ended or not revoked yet, or not read'),
    ambiguous: count,
  }),
  still_accepted: grants,
  unfinished: z
    .array(
      z.object({
        grant_id: z.string().nullable(),
        error: z.string(),
        accepted_until: z.iso
          .datetime()
          .nullable()
          .describe('until when a token of it may be accepted at the latest; null: not known'),
      }),
    )
    .describe('what is left, and what to do. The sweep goes on with those that are on record as ending'),
  ambiguous: grants.describe('live grants without a pipeline_id: not known whether they are selected, left alone'),
  block_id: z.string().nullable().describe('the block that is in force from now on'),
});
export type KillResponse = z.output<typeof killResponseSchema>;

const killLostRequestSchema = z.strictObject({
  id: z.uuid().describe('of the act that blocks everything since the time that the restored ledger shows'),
  grants: z.array(lostGrantSchema).min(1).max(MAX_LOST_GRANTS),
});

const killLostResponseSchema = killResponseSchema.extend({
  recorded: z.array(z.string()).describe('ids of grants that the ledger lacked, or had an earlier state of'),
  refused: z
    .array(z.object({ grant_id: z.string(), problem: z.string() }))
    .describe('grants that were not recorded: what is said of them cannot be'),
});
export type KillLostResponse = z.output<typeof killLostResponseSchema>;

export const ADMIN_ROUTES = defineRoutes({
  kill: {
    method: 'POST',
    path: '/kill',
    summary: 'Ends every live grant that is selected, and with `block` keeps new ones from being issued.',
    query: NO_QUERY,
    body: killRequestSchema,
    response: killResponseSchema,
  },
  killLost: {
    method: 'POST',
    path: '/kill/lost',
    summary:
      'After a restore of the ledger: records grants that it has lost, and ends them. Only while an act of its own blocks everything since then.',
    query: NO_QUERY,
    body: killLostRequestSchema,
    response: killLostResponseSchema,
  },
  removeBlock: {
    method: 'POST',
    path: '/blocks/{id}/remove',
    summary: 'Removes a block. What it ended stays ended.',
    query: NO_QUERY,
    body: undefined,
    response: z.object({ id: z.string(), removed: z.literal(true) }),
  },
});
export type KillRequest = z.output<typeof killRequestSchema>;
