// `teams`: names for the UUIDs of Buildkite teams. Rules name them, and so does what people read. Names stay in a parsed policy:
// the UUID of one is in its `teams`.

import * as z from 'zod';
import type { PolicyProblem } from './problems.ts';
import { uuidSchema } from './rule.ts';

const TEAM_NAME = /^[a-z0-9][a-z0-9-]{0,99}$/;

const teamName = z.string().regex(TEAM_NAME, 'must be lower-case letters, digits and -');

export const teamsSchema = z.record(teamName, uuidSchema);

/** Names of teams to their UUIDs, in lower case. */
export type Teams = Readonly<Record<string, string>>;

/** Two names for one team are a copying mistake: its members would then approve for both. */
export function teamProblems(teams: Teams): PolicyProblem[] {
  const names = new Map<string, string>();
  return Object.entries(teams).flatMap(([name, id]) => {
    const other = names.get(id);
    if (other === undefined) names.set(id, name);
    return other === undefined
      ? []
      : [{ path: ['teams', name], message: `has the same UUID as ${other}. Correct one of them, or remove it` }];
  });
}
