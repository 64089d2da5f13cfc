// Two policies may give one name to different pipelines, teams or identity providers.

import type { Conditions } from '../policy/conditions.ts';
import type { IdentityProvider } from '../policy/identity-providers.ts';
import type { Policy } from '../policy/policy.ts';

/**
 * The policy for people who also read `other`: without names of pipelines that mean another pipeline there. A team or a provider that is
 * another one there has what it is in its name, such as `platform (UUID)`.
 */
export function withStableNames(policy: Policy, other: Policy): Policy {
  const pipelines = Object.entries(policy.pipelines).filter(
    ([name, id]) => !Object.hasOwn(other.pipelines, name) || other.pipelines[name] === id,
  );
  const teamName = (name: string) => withIdentity(name, policy.teams, other.teams, (id) => id);
  const providerName = (name: string) =>
    withIdentity(name, policy.identityProviders, other.identityProviders, toIdentity);
  const renamed = <T>(map: Readonly<Record<string, T>>, nameOf: (name: string) => string) =>
    Object.fromEntries(Object.entries(map).map(([name, value]) => [nameOf(name), value]));
  return {
    ...policy,
    pipelines: Object.fromEntries(pipelines),
    teams: renamed(policy.teams, teamName),
    identityProviders: renamed(policy.identityProviders, providerName),
    rules: policy.rules.map((rule) => ({ ...rule, conditions: withNames(rule.conditions, teamName, providerName) })),
  };
}

/** What tells the tokens of a provider from those of another. */
export function toIdentity({ issuer, audience }: IdentityProvider): string {
  return `${issuer} for ${audience}`;
}

function withIdentity<T>(
  name: string,
  ours: Readonly<Record<string, T>>,
  theirs: Readonly<Record<string, T>>,
  identityOf: (value: T) => string,
): string {
  const [own, other] = [ours, theirs].map((map) => (Object.hasOwn(map, name) ? map[name] : undefined));
  if (own === undefined || other === undefined || identityOf(own) === identityOf(other)) return name;
  return `${name} (${identityOf(own)})`;
}

function withNames(
  { team, created_by, approval, agent }: Conditions,
  teamName: (name: string) => string,
  providerName: (name: string) => string,
): Conditions {
  return {
    ...(team && { team: { ...team, name: teamName(team.name) } }),
    ...(created_by && { created_by: { team: teamName(created_by.team) } }),
    ...(approval && { approval: { ...approval, by: teamName(approval.by) } }),
    ...(agent && { agent: { ...agent, provider: providerName(agent.provider) } }),
  };
}
