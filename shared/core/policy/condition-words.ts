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

/** Each condition in short, with its name, such as `approval: approve-production by release, not the creator, within 4h`. */
export function conditionLines({ team, created_by, approval, agent }: Conditions): string[] {
  const lines: string[] = [];
  if (team) lines.push(`team: ${team.name}${accessWords(team.access)}`);
  if (created_by) lines.push(`created_by: ${created_by.team}`);
  if (approval) {
    const { step, by, within, not, use } = approval;
    const except = not === 'creator' ? ', not the creator' : '';
    const purpose = use === 'break-glass' ? ', for break-glass access' : '';
    lines.push(`approval: ${visible(step)} by ${by}${except}, within ${formatDuration(within)}${purpose}`);
  }
  if (agent) lines.push(`agent: ${agent.provider} with ${agentWords(agent.claims)}`);
  return lines;
}

/**
 * When a rule grants, over several lines if there are several clauses: `if team is web, by "deploy"`.
 * @param start such as `if` or `or if`
 */
export function clauseLines(start: string, clauses: readonly string[], rule: string): string[] {
  const [first = 'nothing', ...others] = clauses;
  if (others.length === 0) return [`${start} ${first}, by "${rule}"`];
  return [`${start} all of this holds, by "${rule}":`, ...clauses.map((clause) => `  ${clause}`)];
}

/** `with read_only or more`, also for the least, which all others include. */
export function leastAccess(least: (typeof TEAM_ACCESS)[number]): string {
  return accessWords(least) || ` with ${least} or more`;
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
