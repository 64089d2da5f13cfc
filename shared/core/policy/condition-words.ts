// What the conditions of rules demand, in words for people.

import { type Conditions, includesAccess, TEAM_ACCESS } from './conditions.ts';
import { formatDuration } from './duration.ts';
import { visible } from './visible-text.ts';

/** Each condition of a rule with its words, such as `approval`: `is of step approve-production, by a member of release, within 4h`. */
export function conditionRows({ team, created_by, approval, agent }: Conditions): [name: keyof Conditions, string][] {
  const rows: [keyof Conditions, string][] = [];
  if (team) rows.push(['team', `is ${team.name}${accessWords(team.access)}`]);
  if (created_by) rows.push(['created_by', `is a member of ${created_by.team}`]);
  if (approval) {
    const { step, by, within, not, use } = approval;
    const except = not === 'creator' ? ' and not the creator' : '';
    const purpose = use === 'break-glass' ? ', for break-glass access with a reason' : '';
    rows.push([
      'approval',
      `is of step ${visible(step)}, by a member of ${by}${except}, within ${formatDuration(within)}${purpose}`,
    ]);
  }
  if (agent) rows.push(['agent', `is of ${agent.provider}, with ${agentWords(agent.claims)}`]);
  return rows;
}

/** The same as clauses: `team is platform`, `created_by is a member of platform`. */
export function conditionClauses(conditions: Conditions): string[] {
  return conditionRows(conditions).map(([name, words]) => `${name} ${words}`);
}

function accessWords(least: (typeof TEAM_ACCESS)[number]): string {
  const [higher] = TEAM_ACCESS.filter((level) => level !== least && includesAccess(level, least));
  if (least === TEAM_ACCESS[0]) return '';
  return higher === undefined ? ` with ${least}` : ` with ${least} or more`;
}

function agentWords(claims: NonNullable<Conditions['agent']>['claims']): string {
  return Object.entries(claims)
    .map(([name, values]) => `${name} ${values.map(visible).join(' or ')}`)
    .join(' and ');
}
