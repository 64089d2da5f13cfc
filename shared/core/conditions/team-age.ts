// How old the copy of a team is, and whether rules may still use it. Times are milliseconds since the epoch.

import type { NamedTeams } from '../deployment/deployment.ts';
import { READ_TEAM_EVERY_MS } from '../timing.ts';
import { isAhead, type TeamRecord } from './team-record.ts';

/**
 * `aging`: older than half of what the policy allows. `too_old`: no rule that needs the team grants anything. `pending`: not read yet,
 * and there was hardly time for it.
 */
export const TEAM_STATES = ['current', 'aging', 'too_old', 'pending'] as const;
export type TeamState = (typeof TEAM_STATES)[number];

export function teamState(
  named: NamedTeams['teams'][number],
  team: TeamRecord | undefined,
  { max_age, now }: { readonly max_age: number; readonly now: number },
): TeamState {
  const read_at = team?.read_at ?? null;
  if (read_at === null) {
    const hadTime = now - named.first_named_at > READ_TEAM_EVERY_MS;
    return hadTime || (team && team.failure !== null) ? 'too_old' : 'pending';
  }
  const age = now - read_at;
  if (age > max_age * 1000 || isAhead(read_at, now)) return 'too_old';
  return age > max_age * 500 ? 'aging' : 'current';
}
