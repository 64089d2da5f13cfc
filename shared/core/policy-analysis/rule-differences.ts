// The rules of two policies that grant a credential, in words: only those that differ, and of these only the claims that differ.

import type { Policy } from '../policy/policy.ts';
import type { Match, Rule } from '../policy/rule.ts';
import type { Demand } from './claim-values.ts';
import { demandsOf } from './jobs.ts';
import { withStableNames } from './stable-names.ts';

export function differingRules(
  before: Policy,
  after: Policy,
  credential: string,
): { readonly before: string; readonly after: string } {
  const [old, new_] = [rulesOf(before, credential), rulesOf(after, credential)];
  const texts = {
    before: describe(old, new_, withStableNames(before, after)),
    after: describe(new_, old, withStableNames(after, before)),
  };
  // Both grant it by the same rules to jobs of different organizations.
  const same = 'the same rules';
  if (texts.before === '' && texts.after === '') return { before: same, after: same };
  return { before: texts.before || 'no such rule', after: texts.after || 'no such rule' };
}

/** The claims of a rule, such as `pipeline web, build_branch main or release/*, no build_tag`. */
export function describeMatch(match: Match, policy: Policy): string {
  return demandsOf(match)
    .map(([claim, demand]) => describeDemand(claim, demand, policy))
    .join(', ');
}

function rulesOf({ rules }: Policy, credential: string): readonly Rule[] {
  return rules.filter(({ grants }) => grants.includes(credential));
}

function describe(rules: readonly Rule[], others: readonly Rule[], policy: Policy): string {
  const same = new Set(others.map(({ match }) => contentOf(match)));
  const byName = new Map(others.map((other) => [other.name, other]));
  return rules
    .filter(({ match }) => !same.has(contentOf(match)))
    .map(({ name, match }) => {
      const other = byName.get(name);
      return `"${name}" with ${other ? describeDifference(match, other.match, policy) : describeMatch(match, policy)}`;
    })
    .join('; ');
}

function describeDifference(match: Match, other: Match, policy: Policy): string {
  const [demands, others] = [new Map(demandsOf(match)), new Map(demandsOf(other))];
  return [...new Set([...demands.keys(), ...others.keys()])]
    .filter((claim) => JSON.stringify(demands.get(claim)) !== JSON.stringify(others.get(claim)))
    .map((claim) => describeDemand(claim, demands.get(claim), policy))
    .join(', ');
}

function describeDemand(claim: string, demand: Demand | undefined, { pipelines }: Policy): string {
  if (!demand) return `any ${claim}`;
  if (demand.absent) return `no ${claim}`;
  if (claim !== 'pipeline_id') return `${claim} ${demand.patterns.join(' or ')}`;
  const names = demand.patterns.map((id) => Object.entries(pipelines).find(([, uuid]) => uuid === id)?.[0]);
  return names.includes(undefined) ? `pipeline_id ${demand.patterns.join(' or ')}` : `pipeline ${names.join(' or ')}`;
}

/** Equal for rules that match the same claims, whatever their order. */
function contentOf(match: Match): string {
  return JSON.stringify(Object.entries(match).sort());
}
