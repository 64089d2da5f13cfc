// What a policy declares and does not use.

import { teamsOf } from '../policy/conditions.ts';
import { matchesPattern } from '../policy/pattern.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import type { PolicyWarning } from './codes.ts';

export function unusedWarnings({
  environments,
  pipelines,
  teams,
  identityProviders,
  databases,
  credentials,
  rules,
}: WrittenPolicy): PolicyWarning[] {
  const all = Object.values(credentials);
  const usedEnvironments = new Set(all.map(({ environment }) => environment));
  const usedDatabases = new Set(all.map((credential) => (credential.kind === 'firestore' ? credential.database : '')));
  const granted = new Set(rules.flatMap(({ grants }) => grants));
  const usedPipelines = new Set(rules.flatMap(({ match }) => match.pipeline ?? []));
  const usedTeams = new Set(rules.flatMap(({ conditions }) => teamsOf(conditions)));
  const usedProviders = new Set(rules.map(({ conditions }) => conditions.agent?.provider));
  const ids = new Set(rules.flatMap(({ match }) => match.pipeline_id ?? []));
  const idPatterns = [...ids].filter((id) => id.includes('*'));
  const isUsed = (name: string, id: string) =>
    usedPipelines.has(name) || ids.has(id) || idPatterns.some((pattern) => matchesPattern(pattern, id));
  const unused = (names: readonly string[], section: string, code: PolicyWarning['code'], message: string) =>
    names.map((name) => ({ code, path: [section, name], message }));
  return [
    ...unused(
      Object.keys(environments).filter((name) => !usedEnvironments.has(name)),
      'environments',
      'unused_environment',
      'has no credential. Remove it, or name it in a credential.',
    ),
    ...unused(
      Object.entries(pipelines).flatMap(([name, id]) => (isUsed(name, id) ? [] : [name])),
      'pipelines',
      'unused_pipeline',
      'is in no rule. Remove it, or name it in a rule.',
    ),
    ...unused(
      Object.keys(teams).filter((name) => !usedTeams.has(name)),
      'teams',
      'unused_team',
      'is in no rule. Remove it, or name it in a rule. Keydesk reads only teams that rules name.',
    ),
    ...unused(
      Object.keys(identityProviders).filter((name) => !usedProviders.has(name)),
      'identityProviders',
      'unused_provider',
      'is in no rule. Remove it, or name it in agent of a rule.',
    ),
    ...unused(
      Object.keys(databases).filter((name) => !usedDatabases.has(name)),
      'databases',
      'unused_database',
      'is opened by no credential. Remove it, or name it in a credential.',
    ),
    ...unused(
      Object.keys(credentials).filter((name) => !granted.has(name)),
      'credentials',
      'unused_credential',
      'is granted by no rule. Remove it, or grant it in a rule.',
    ),
  ];
}
