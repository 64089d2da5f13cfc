// Events of the kill switch, by `admin`.

import * as z from 'zod';
import { defineEvent } from './definition.ts';
import type { SharedFields } from './fields.ts';

const selector = ({ text, time }: SharedFields) =>
  z.object({
    job_id: text.optional(),
    pipeline_id: text.optional(),
    pipeline_slug: text.optional(),
    build_branch: text.optional(),
    agent_id: text.optional(),
    credential: text.optional(),
    environment: text.optional(),
    policy_sha256: text.optional(),
    issued_since: time.optional(),
  });

export const KILL_SWITCH_EVENTS = {
  'kill_switch.activated': defineEvent({
    means: 'An operator ends access. The grants that it ends have lines of their own.',
    fields: (shared) => ({
      kill_switch_id: shared.kill_switch_id,
      selector: selector(shared).describe('which grants: all members must match'),
      actor: shared.actor,
      reason: shared.text.describe('why, in the words of that person'),
      blocks_new: z.boolean().describe('whether new requests that match are refused too'),
    }),
    context: { selection: 'text' },
    severity: 'NOTICE',
    message: ({ kill_switch_id, actor, selection }) =>
      `kill switch ${kill_switch_id} activated by ${actor}: ${selection}`,
  }),
  'kill_switch.deactivated': defineEvent({
    means: 'An operator removes a block.',
    fields: ({ actor, kill_switch_id }) => ({ kill_switch_id, actor }),
    severity: 'NOTICE',
    message: ({ kill_switch_id, actor }) => `kill switch ${kill_switch_id} deactivated by ${actor}`,
  }),
};
