// What the record of a grant keeps of the conditions under which a token was issued: by whose approval, on which machine, by which
// copy of a team. People and teams are known by the UUIDs that Buildkite gives them. Times are milliseconds since the epoch.

import * as z from 'zod';

const time = z.number();

export const conditionBasisSchema = z.object({
  /** The team that the pipeline belongs to, and with which access. */
  team: z.object({ id: z.string(), access: z.string(), read_at: time }).nullable(),
  /** Who started the build, and the team. */
  created_by: z.object({ user_id: z.string(), team_id: z.string(), read_at: time }).nullable(),
  /** Who unblocked which step, and the team. */
  approval: z
    .object({
      step_key: z.string(),
      /** Of the block step. */
      job_id: z.string(),
      approved_by: z.string(),
      approved_at: time,
      team_id: z.string(),
      read_at: time,
      /** Why, as the metadata of the build say; null where they do not. */
      reason: z.string().nullable(),
      /** The rule is for emergencies. */
      break_glass: z.boolean(),
    })
    .nullable(),
  /** The identity provider whose token the request had, and those of its claims that the policy declares. */
  agent: z.object({ provider: z.string(), claims: z.record(z.string(), z.string()) }).nullable(),
});
export type ConditionBasis = z.output<typeof conditionBasisSchema>;

/** Of a rule without conditions. */
export const NO_BASIS: ConditionBasis = { team: null, created_by: null, approval: null, agent: null };
