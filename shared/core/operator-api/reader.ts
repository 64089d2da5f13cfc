// The routes of `reader`.

import * as z from 'zod';
import { grantSummarySchema } from './grant.ts';
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
  getGrant: {
    method: 'GET',
    path: '/grants/{id}',
    summary: 'One grant, with the SHA-256 of each token that may be accepted.',
    query: NO_QUERY,
    body: undefined,
    response: grantSummarySchema.extend({
      tokens: z.array(z.object({ sha256: z.string(), expires_at: z.iso.datetime() })),
    }),
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
