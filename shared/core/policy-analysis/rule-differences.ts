// The rules of two policies that grant a credential, in words: only those that differ, and of these only the demands that differ.

import { conditionRows, leastAccess } from '../policy/condition-words.ts';
import { CONDITIONS, type Conditions, TEAM_ACCESS } from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';
import type { Match, Rule } from '../policy/rule.ts';
import type { Demand } from './claim-values.ts';
import { conditionDemands } from './condition-claims.ts';
import { demandsOf, type JobSet } from './jobs.ts';
import { withStableNames } from './stable-names.ts';

export function differingRules(
  before: Policy,
  after: Policy,
  credential: string,
): { readonly before: string; readonly after: string } {
  const [old, new_] = [withStableNames(before, after), withStableNames(after, before)];
  const texts = { before: describe(old, new_, credential), after: describe(new_, old, credential) };
  // Both grant it by the same rules to jobs of different organizations.
  const same = 'the same rules';
  if (texts.before === '' && texts.after === '') return { before: same, after: same };
  return { before: texts.before || 'no such rule', after: texts.after || 'no such rule' };
}

/** What a rule demands, such as `pipeline web, build_branch main or release/*, no build_tag, team platform`. */
export function describeRule({ match, conditions }: JobSet, policy: Policy): string {
  return [
    ...demandsOf(match).map(([claim, demand]) => describeDemand(claim, demand, policy)),
    ...conditionRows(conditions).map(([name, words]) => describeCondition(name, words)),
  ].join(', ');
}

function rulesOf({ rules }: Policy, credential: string): readonly Rule[] {
  return rules.filter(({ grants }) => grants.includes(credential));
}

function describe(policy: Policy, other: Policy, credential: string): string {
  const others = rulesOf(other, credential);
  const same = new Set(others.map((rule) => contentOf(rule, other)));
  const byName = new Map(others.map((rule) => [rule.name, rule]));
  return rulesOf(policy, credential)
    .filter((rule) => !same.has(contentOf(rule, policy)))
    .map((rule) => {
      const old = byName.get(rule.name);
      const words = old
        ? describeDifference({ rule, policy }, { rule: old, policy: other })
        : describeRule(rule, policy);
      return `"${rule.name}" with ${words}`;
    })
    .join('; ');
}

interface RuleOf {
  readonly rule: Rule;
  readonly policy: Policy;
}

function describeDifference({ rule, policy }: RuleOf, other: RuleOf): string {
  const [demands, others] = [new Map(demandsOf(rule.match)), new Map(demandsOf(other.rule.match))];
  const ofClaims = [...new Set([...demands.keys(), ...others.keys()])]
    .filter((claim) => JSON.stringify(demands.get(claim)) !== JSON.stringify(others.get(claim)))
    .map((claim) => describeDemand(claim, demands.get(claim), policy));
  const rows = new Map(conditionRows(rule.conditions));
  const ofConditions = CONDITIONS.filter(
    (name) =>
      conditionContent(rule.conditions, name, policy) !== conditionContent(other.rule.conditions, name, other.policy),
  ).map((name) => describeCondition(name, rows.get(name)) + moreOf(name, rule.conditions, other.rule.conditions));
  return [...ofClaims, ...ofConditions].join(', ');
}

/** What the words of a condition leave out, and what a reader of the difference needs. */
function moreOf(name: keyof Conditions, { team, approval }: Conditions, other: Conditions): string {
  if (name === 'team' && team?.access === TEAM_ACCESS[0] && team.name === other.team?.name)
    return leastAccess(team.access);
  const wasEmergency = approval?.use === undefined && other.approval?.use === 'break-glass';
  return name === 'approval' && approval && wasEmergency ? ', with no alert, and not listed in the review' : '';
}

/** `approval of step x`, `no approval`. */
function describeCondition(name: string, words: string | undefined): string {
  return words === undefined ? `no ${name}` : `${name} ${words.replace(/^is (?:a )?/, '')}`;
}

function describeDemand(claim: string, demand: Demand | undefined, { pipelines }: Policy): string {
  if (!demand) return `any ${claim}`;
  if (demand.absent) return `no ${claim}`;
  if (claim !== 'pipeline_id') return `${claim} ${demand.patterns.join(' or ')}`;
  const names = demand.patterns.map((id) => Object.entries(pipelines).find(([, uuid]) => uuid === id)?.[0]);
  return names.includes(undefined) ? `pipeline_id ${demand.patterns.join(' or ')}` : `pipeline ${names.join(' or ')}`;
}

/** Equal for rules that match the same jobs, whatever the order of their claims. */
function contentOf({ match, conditions }: Rule, policy: Policy): string {
  return JSON.stringify([sorted(match), conditionDemands(conditions, policy)]);
}

function conditionContent(conditions: Conditions, name: keyof Conditions, policy: Policy): string {
  const condition = conditions[name];
  return JSON.stringify(conditionDemands(condition === undefined ? {} : { [name]: condition }, policy));
}

function sorted(match: Match) {
  return Object.entries(match).sort();
}
