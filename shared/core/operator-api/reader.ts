// The routes of `reader`.

import * as z from 'zod';
import { grantDetailsSchema } from './grant.ts';
import { grantListQuerySchema, grantListSchema } from './grant-list.ts';
import { policyTextSchema, reviewQuerySchema, reviewRecordsSchema } from './review.ts';
import { defineRoutes, NO_QUERY } from './route.ts';
import { selectorOnWire } from './selector.ts';
import { statusSchema } from './status.ts';

export const blockSchema = z.object({
  id: z.string(),
  selector: selectorOnWire,
  actor: z.string().nullable().describe('who blocked it; null: the record of the act cannot be read'),
  reason: z.string().nullable(),
  activated_at: z.iso.datetime(),
});
export type BlockView = z.output<typeof blockSchema>;

export const READER_ROUTES = defineRoutes({
  getStatus: {
    method: 'GET',
    path: '/status',
    summary: 'What is deployed, and whether it works.',
    query: NO_QUERY,
    body: undefined,
    response: statusSchema,
  },
  listGrants: {
    method: 'GET',
    path: '/grants',
    summary: 'Grants that fit all filters, in pages that show the ledger at one time.',
    query: grantListQuerySchema,
    body: undefined,
    response: grantListSchema,
  },
  getGrant: {
    method: 'GET',
    path: '/grants/{id}',
    summary:
      'One grant with all that is on record of it: the SHA-256 of its tokens, earlier leases and policies, who ended it.',
    query: NO_QUERY,
    body: undefined,
    response: grantDetailsSchema,
  },
  getReview: {
    method: 'GET',
    path: '/review',
    summary:
      'What a review needs apart from grants: acts of the kill switch, which policies started when, how far back the ledger goes.',
    query: reviewQuerySchema,
    body: undefined,
    response: reviewRecordsSchema,
  },
  getPolicy: {
    method: 'GET',
    path: '/policies/{sha256}',
    summary: 'The text of a policy that was in force, by its SHA-256.',
    query: NO_QUERY,
    body: undefined,
    response: policyTextSchema,
  },
  listBlocks: {
    method: 'GET',
    path: '/blocks',
    summary: 'The blocks in force: requests that match them are refused.',
    query: NO_QUERY,
    body: undefined,
    response: z.object({ blocks: z.array(blockSchema) }),
  },
});
