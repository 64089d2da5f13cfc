// The conditions in `for` and `unless` of a statement: written as in a rule, all of them next to the claims.

import {
  agentConditionSchema,
  approvalSchema,
  CONDITIONS,
  type Conditions,
  createdBySchema,
  teamConditionSchema,
  teamsOf,
} from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';
import { describeIssue, type PolicyProblem, toPolicyProblems } from '../policy/problems.ts';
import { unknownName } from './names.ts';
import { explainCondition } from './value-mistakes.ts';

type Path = PolicyProblem['path'];

const SCHEMAS = {
  team: teamConditionSchema,
  created_by: createdBySchema,
  approval: approvalSchema,
  agent: agentConditionSchema,
} as const;

export function isConditionKey(key: string): key is keyof Conditions {
  return (CONDITIONS as readonly string[]).includes(key);
}

/** One condition. @returns it under its key, unless something is wrong with it */
export function parseCondition(
  key: keyof Conditions,
  value: unknown,
  path: Path,
  policy: Policy,
): { readonly condition: Conditions; readonly problems: readonly PolicyProblem[] } {
  const parsed = SCHEMAS[key].safeParse(value, { error: describeIssue, reportInput: true });
  if (!parsed.success) {
    const problems = toPolicyProblems(parsed.error.issues);
    return {
      condition: {},
      problems: problems.map((one) => ({ ...explainCondition(one, key, value), path: [...path, ...one.path] })),
    };
  }
  const condition: Conditions = { [key]: parsed.data };
  return { condition, problems: nameProblems(condition, path, policy) };
}

const TEAM_AT: Readonly<Record<keyof Conditions, string>> = {
  team: 'name',
  created_by: 'team',
  approval: 'by',
  agent: '',
};

function nameProblems(condition: Conditions, path: Path, { teams, identityProviders }: Policy): PolicyProblem[] {
  const known = Object.keys(teams);
  const [key = 'team'] = CONDITIONS.filter((one) => condition[one]);
  const ofTeams = teamsOf(condition)
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: [...path, TEAM_AT[key]], message: unknownName(name, known, 'a team') }));
  const { agent } = condition;
  if (!agent) return ofTeams;
  const provider = Object.hasOwn(identityProviders, agent.provider) ? identityProviders[agent.provider] : undefined;
  if (!provider)
    return [
      {
        path: [...path, 'provider'],
        message: unknownName(agent.provider, Object.keys(identityProviders), 'an identity provider'),
      },
    ];
  const declared = Object.keys(provider.claims);
  return Object.keys(agent.claims)
    .filter((claim) => !declared.includes(claim))
    .map((claim) => ({
      path: [...path, 'claims', claim],
      message: unknownName(claim, declared, `a claim of ${agent.provider}`),
      at: 'key' as const,
    }));
}
