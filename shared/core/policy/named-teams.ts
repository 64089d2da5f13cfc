// The teams on which rules of a policy depend: those that the sweep has to read.

import type { PolicyTeams } from '../deployment/deployment.ts';
import { teamsOf } from './conditions.ts';
import type { Policy } from './policy.ts';

export function namedTeams({ organization, limits, teams, rules }: Policy): PolicyTeams {
  const names = new Set(rules.flatMap(({ conditions }) => teamsOf(conditions)));
  const named = Object.entries(teams).flatMap(([name, id]) => (names.has(name) ? [{ id, name }] : []));
  return { organization_slug: organization.slug, max_age: limits.teamsMaxAge, teams: named };
}
