// How a decision is logged: see core/policy/rule-trace.ts.

import * as z from 'zod';
import { listOf } from './definition.ts';
import { count, text } from './fields.ts';

const outcome = z.enum(['granted', 'other_credential', 'claim_mismatch', 'tag_not_allowed']);

export const trace = listOf(
  z.object({
    rule: text,
    outcome,
    checks: listOf(z.object({ claim: text, patterns: listOf(text), value: text.nullable(), matched: z.boolean() })),
  }),
).describe(
  'the rule that grants, or the five that came nearest. `checks` has each claim that was compared; its `value` is `null` when the job token lacks it',
);
export const trace_omitted = z
  .partialRecord(outcome, count)
  .readonly()
  .optional()
  .describe('how many rules are not in `trace`, by outcome');
