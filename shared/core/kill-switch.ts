// The kill switch's reach: which grants an operator's order ends, and which requests its block refuses until it is removed.
// Times are milliseconds since the epoch and end in `_at` or `_since`. Knows nothing about how grants are found or ended.

import * as z from 'zod';
import type { ConditionBasis } from './conditions/basis.ts';
import type { Refusal } from './oauth/refusal.ts';
import { type Subject, toJobFields } from './subject/buildkite-job.ts';
import { surelyPast } from './timing.ts';

const text = z.string().min(1).max(1024);

/** What a grant or a request must be like; all that is named must fit, and something must be named. */
export const selectorSchema = z
  .strictObject({
    job_id: text.optional(),
    pipeline_id: text.optional(),
    pipeline_slug: text.optional(),
    build_branch: text.optional(),
    agent_id: text.optional(),
    credential: text.optional(),
    environment: text.optional(),
    policy_sha256: text.optional(),
    /** The UUID of a Buildkite user: grants that a rule with `approval` gave because this person unblocked a step. */
    approved_by: text.optional(),
    /** Grants that were requested, or that issued a token, at this moment or later. */
    issued_since: z.number().optional(),
  })
  .refine((selector) => Object.values(selector).some((value) => value !== undefined), 'names nothing');
export type Selector = z.output<typeof selectorSchema>;

/** An act of the kill switch, as it is on record. */
export const killSwitchSchema = z.object({
  selector: selectorSchema,
  /** Who activated it, by the verified ID token, and why, as they said. */
  actor: z.string().min(1),
  reason: z.string().min(1),
  /** Whether it blocks new requests until the block is removed. */
  blocks_new: z.boolean(),
  activated_at: z.number(),
  deactivated_at: z.number().nullable(),
  deactivated_by: z.string().nullable(),
});
export type KillSwitchRecord = z.output<typeof killSwitchSchema>;

/** What selectors are compared with: a grant, or what is about to become one. */
export interface Selectable {
  readonly subject: Subject;
  readonly credential: string;
  readonly environment: string;
  readonly policy_sha256: string;
  readonly conditions: ConditionBasis | null;
  readonly superseded?: readonly { readonly policy_sha256: string; readonly approved_by: string | null }[];
  readonly requested_at: number;
  readonly issued_at: number | null;
}

export const EXACT_FIELDS = [
  'job_id',
  'pipeline_id',
  'pipeline_slug',
  'build_branch',
  'agent_id',
  'credential',
  'environment',
  'policy_sha256',
  'approved_by',
] as const satisfies readonly (keyof Selector)[];
export type ExactField = (typeof EXACT_FIELDS)[number];

export function selects({ issued_since, ...named }: Selector, selectable: Selectable): boolean {
  // The clocks of the operator and of the function may differ, so the selection includes a margin.
  const latest = Math.max(selectable.issued_at ?? 0, selectable.requested_at);
  if (issued_since !== undefined && surelyPast(latest, issued_since)) return false;
  const fields = selectedValues(selectable);
  return EXACT_FIELDS.every(
    (name) =>
      named[name] === undefined ||
      named[name] === fields[name] ||
      // Earlier tokens, which may still be accepted, were issued by another policy, or by somebody else's approval.
      ((name === 'policy_sha256' || name === 'approved_by') &&
        selectable.superseded?.some((earlier) => earlier[name] === named[name])),
  );
}

/** The values that the fields of a selector are compared with. */
export function selectedValues(selectable: Selectable): Readonly<Record<ExactField, string | null>> {
  const { credential, environment, policy_sha256, conditions } = selectable;
  const { job_id, pipeline_id, pipeline_slug, build_branch, agent_id } = toJobFields(selectable.subject);
  const job = { job_id, pipeline_id, pipeline_slug, build_branch, agent_id };
  return { ...job, credential, environment, policy_sha256, approved_by: conditions?.approval?.approved_by ?? null };
}

/** Whether nothing but the grant's lack of a `pipeline_id` keeps the selector from it: it may or may not be meant. */
export function maySelect(selector: Selector, selectable: Selectable): boolean {
  const { pipeline_id, ...rest } = selector;
  return pipeline_id !== undefined && selectable.subject.pipeline_id === null && selects(rest, selectable);
}

/** The most blocks in force at once: all of them are read for every request. */
export const MAX_BLOCKS = 100;

/** The blocks in force: one document, read for every request. */
export const blocksSchema = z.object({
  blocks: z.array(z.object({ id: z.string(), selector: selectorSchema, activated_at: z.number() })),
});
export type Blocks = z.output<typeof blocksSchema>['blocks'];

/** A job whose token lacks `pipeline_id` is blocked too when it may belong to the selected pipeline. */
export function blockedBy(blocks: Blocks, selectable: Selectable): Refusal | undefined {
  const block = blocks.find(({ selector }) => selects(selector, selectable) || maySelect(selector, selectable));
  return block && { reason: 'blocked', kill_switch_id: block.id };
}
