// What `GET /review` and `GET /policies/SHA256` take and return: what a review needs of the ledger apart from grants.

import * as z from 'zod';
import { toIso, toIsoOrNull } from '../iso-time.ts';
import type { KillSwitchRecord } from '../kill-switch.ts';
import { givenTime } from './given-time.ts';
import { selectorOnWire, toWire } from './selector.ts';

const time = z.iso.datetime();

const AS_OF = 'must be `as_of` of GET /grants';

export const reviewQuerySchema = z.strictObject({
  as_of: z.iso
    .datetime({ error: AS_OF })
    .refine((text) => Date.parse(text) >= 0, AS_OF)
    .describe("the ledger's state to show: `as_of` of the pages of GET /grants, at most 55 minutes ago"),
  from: givenTime.describe('acts whose block was still in force then, or that were later'),
  to: givenTime.describe('acts before this time'),
});

const actSchema = z.object({
  id: z.string(),
  selector: selectorOnWire,
  actor: z.string(),
  reason: z.string(),
  blocks_new: z.boolean().describe('whether it also refused new requests'),
  activated_at: time,
  deactivated_at: time.nullable().describe('when its block was removed; null: it never was, or there was none'),
  deactivated_by: z.string().nullable(),
});
export type ActView = z.output<typeof actSchema>;

const unreadableSchema = z.array(z.object({ id: z.string(), error: z.string() }));

const storedPolicySchema = z.object({
  sha256: z.string(),
  first_used_at: time.describe('when the first instance started with it'),
  last_started_at: time.describe('when the last one did'),
});
export type StoredPolicyView = z.output<typeof storedPolicySchema>;

export const reviewRecordsSchema = z.object({
  as_of: time,
  acts: z.array(actSchema).describe('of the kill switch, the oldest first'),
  unreadable_acts: unreadableSchema.describe('nobody knows whether they are of the period'),
  policies: z
    .array(storedPolicySchema)
    .describe('all whose text is on record, the first used first. Texts are kept for 500 days after the last start'),
  unreadable_policies: unreadableSchema,
  first_grant_at: time
    .nullable()
    .describe('when the grant began whose access ended first, of those on record; null: none has ended'),
});
export type ReviewRecords = z.output<typeof reviewRecordsSchema>;

export const policyTextSchema = storedPolicySchema.extend({ text: z.string() });

export function toActView(id: string, act: KillSwitchRecord): ActView {
  const { selector, actor, reason, blocks_new, activated_at, deactivated_at, deactivated_by } = act;
  return {
    id,
    selector: toWire(selector),
    actor,
    reason,
    blocks_new,
    activated_at: toIso(activated_at),
    deactivated_at: toIsoOrNull(deactivated_at),
    deactivated_by,
  };
}
