// A grant that the ledger has lost, as the audit log describes it: what `POST /kill/lost` takes. By it a restored ledger learns of what
// was issued after the time that it shows.

import * as z from 'zod';
import { END_CAUSE_NAMES } from '../grant/end-causes.ts';
import { GRANT_STATES } from '../grant/grant.ts';
import { REVOCATIONS } from '../kinds/kind.ts';
import { KIND_NAMES } from '../kinds/kinds.ts';
import { conditionsOnWire } from './conditions.ts';

/** The most of one request: its body has 64 KiB at most. */
export const MAX_LOST_GRANTS = 20;
/** The most hashes of one grant. */
export const MAX_LOST_TOKENS = 200;

const time = z.iso.datetime();
const text = z.string().max(1024);
const orNull = text.nullable().default(null);
const timeOrNull = time.nullable().default(null);

export const lostTokenSchema = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), expires_at: time });

/** Unknown members are ignored: a line of the log has more. */
export const lostGrantSchema = z.object({
  grant_id: z.string().regex(/^[0-9a-f]{32}$/, 'must be the id of a grant'),
  job_id: text.min(1),
  organization_slug: text,
  organization_id: orNull,
  pipeline_slug: text,
  pipeline_id: orNull,
  build_number: z.number(),
  build_branch: text,
  build_tag: orNull,
  build_commit: text,
  build_source: orNull,
  step_key: orNull,
  agent_id: text,
  credential: text.min(1),
  environment: text,
  rule: text,
  policy_sha256: text,
  conditions: conditionsOnWire.nullable().default(null),
  kind: z.enum(KIND_NAMES),
  revocation: z.enum(REVOCATIONS),
  state: z.enum(GRANT_STATES),
  created_at: time,
  requested_at: time,
  issued_at: timeOrNull,
  tokens_issued: z.number(),
  expires_at: time.describe('no token of the grant lives longer'),
  ended_at: timeOrNull,
  ended_by: z.enum(END_CAUSE_NAMES).nullable().default(null),
  kill_switch_id: orNull,
  job_ended_at: timeOrNull,
  job_finished_at: timeOrNull,
  access_ended_at: timeOrNull,
  project: text.optional().describe('of `firestore`'),
  database: text.optional().describe('of `firestore`'),
  service_account: text.optional().describe('of the other kinds'),
  scopes: z.array(text).max(100).default([]),
  storage: z.object({ bucket: text, prefix: text.nullable(), role: text }).nullable().default(null),
  leased_at: time.optional().describe('of `pooled_service_account`'),
  past_leases: z
    .array(z.object({ service_account: text, leased_at: time, access_ended_at: time }))
    .max(200)
    .default([]),
  tokens: z
    .array(lostTokenSchema)
    .max(MAX_LOST_TOKENS)
    .default([])
    .describe('from the lines of its issuances, the latest'),
});
/** With what a schema fills in. */
export type LostGrant = z.output<typeof lostGrantSchema>;
