// By what the conditions of a rule held, as `reader` and `admin` show it, and the audit log: with times in ISO 8601.

import * as z from 'zod';
import type { ConditionBasis } from '../conditions/basis.ts';
import { toIso } from '../iso-time.ts';

const time = z.iso.datetime();
const text = z.string().max(1024);

export const conditionsOnWire = z.object({
  team: z
    .object({ id: text, access: text, read_at: time })
    .nullable()
    .describe('the team that the pipeline belongs to, and when it was read from Buildkite'),
  created_by: z
    .object({ user_id: text, team_id: text, read_at: time })
    .nullable()
    .describe('who started the build, and the team that this person is a member of'),
  approval: z
    .object({
      ...{ step_key: text, job_id: text, approved_by: text, approved_at: time, team_id: text, read_at: time },
      reason: text.nullable(),
      break_glass: z.boolean(),
    })
    .nullable()
    .describe('who unblocked the step, and the team that this person is a member of'),
  agent: z
    .object({ provider: text, claims: z.record(text, text) })
    .nullable()
    .describe("the identity provider of the machine's token, and its claims that the policy declares"),
});
export type ConditionsOnWire = z.output<typeof conditionsOnWire>;

export function conditionsToWire({ team, created_by, approval, agent }: ConditionBasis): ConditionsOnWire {
  return {
    team: team && { ...team, read_at: toIso(team.read_at) },
    created_by: created_by && { ...created_by, read_at: toIso(created_by.read_at) },
    approval: approval && { ...approval, approved_at: toIso(approval.approved_at), read_at: toIso(approval.read_at) },
    agent,
  };
}

export function conditionsFromWire({ team, created_by, approval, agent }: ConditionsOnWire): ConditionBasis {
  return {
    team: team && { ...team, read_at: Date.parse(team.read_at) },
    created_by: created_by && { ...created_by, read_at: Date.parse(created_by.read_at) },
    approval: approval && {
      ...approval,
      approved_at: Date.parse(approval.approved_at),
      read_at: Date.parse(approval.read_at),
    },
    agent,
  };
}
