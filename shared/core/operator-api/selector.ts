// Which grants an operator means, as requests and responses have it: the selector of the kill switch, with its time in ISO 8601.

import * as z from 'zod';
import type { Selector } from '../kill-switch.ts';
import { givenTime } from './given-time.ts';

const text = z.string().min(1, 'must not be empty').max(1024, 'must have 1024 characters at most');
const uuid = z
  .uuid('must be a UUID, such as 0184990a-477b-4fa8-9968-496074483cee')
  .transform((value) => value.toLowerCase());

export const selectorOnWire = z
  .strictObject({
    job_id: uuid.optional(),
    pipeline_id: uuid.optional(),
    pipeline_slug: text.optional(),
    build_branch: text.optional(),
    agent_id: uuid.optional(),
    credential: text.optional(),
    environment: text.optional(),
    policy_sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits, in lower case')
      .optional(),
    approved_by: uuid
      .optional()
      .describe('the UUID of a Buildkite user: tokens were issued because this person unblocked a step'),
    issued_since: givenTime.optional().describe('a token was issued then or later'),
  })
  .describe('all members that are given must match');
export type SelectorOnWire = z.output<typeof selectorOnWire>;

export function toWire({ issued_since, ...named }: Selector): SelectorOnWire {
  return { ...named, ...(issued_since === undefined ? {} : { issued_since: new Date(issued_since).toISOString() }) };
}

export function fromWire({ issued_since, ...named }: SelectorOnWire): Selector {
  return { ...named, ...(issued_since === undefined ? {} : { issued_since: Date.parse(issued_since) }) };
}

/** For people: `environment=production, since 2026-11-24T10:00:00.000Z`. */
export function describeSelector({ issued_since, ...named }: Selector): string {
  const terms = Object.entries(named).flatMap(([field, value]) => (value === undefined ? [] : [`${field}=${value}`]));
  if (issued_since !== undefined && issued_since > 0) terms.push(`since ${new Date(issued_since).toISOString()}`);
  return terms.join(', ') || 'every live grant';
}
