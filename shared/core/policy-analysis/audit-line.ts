// Reads lines of the audit log as people have them: as Keydesk writes them, as entries of Cloud Logging, one or many. Programs that read
// lines read fields that may be missing, so this is not the catalogue of events.

import * as z from 'zod';
import { parseJson } from '../json.ts';
import { CONDITIONS } from '../policy/conditions.ts';
import { RULE_OUTCOMES } from '../policy/decide.ts';

const text = z.string();
const check = z.object({ claim: text, patterns: z.array(text), value: text.nullable(), matched: z.boolean() });
const traced = z.object({
  rule: text,
  outcome: z.enum(RULE_OUTCOMES),
  checks: z.array(check),
  condition: z.enum(CONDITIONS).optional(),
  reason: text.optional(),
  team: text.optional(),
});

/** What is read of a line. All other fields pass. */
const line = z.looseObject({
  event: text,
  request_id: text.optional().catch(undefined),
  reason: text.optional().catch(undefined),
  credential: text.optional().catch(undefined),
  policy_sha256: text.optional().catch(undefined),
  job: z.record(text, z.unknown()).optional().catch(undefined),
  trace: z.array(traced).optional().catch(undefined),
  missing: z.array(text).optional().catch(undefined),
  team: text.optional().catch(undefined),
  providers: z.array(text).optional().catch(undefined),
});
export type AuditLine = z.output<typeof line>;

/** An entry of Cloud Logging. Source: docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry. */
const entry = z.looseObject({ jsonPayload: line, timestamp: text.optional(), severity: text.optional() });

/** The line in an object: the object, or an entry's `jsonPayload`; undefined when it is none. */
export function toAuditLine(value: unknown): AuditLine | undefined {
  return entry.safeParse(value).data?.jsonPayload ?? line.safeParse(value).data;
}

/** The objects in a text: one, an array, or one on each line, where other lines are passed over. Undefined when it has none. */
export function parseJsonObjects(source: string): unknown[] | undefined {
  const whole = parseJson(source);
  if (whole !== undefined) return [whole].flat();
  const parsed = source.split('\n').flatMap((one) => parseJson(one) ?? []);
  const objects = parsed.filter((one) => typeof one === 'object');
  return objects.length > 0 ? objects : undefined;
}
