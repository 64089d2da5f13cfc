// The conditions of a rule that do not hold in a case, each with what is so and what the rule demands.

import { type ConditionVerdict, judgeConditions } from '../conditions/judge.ts';
import { UNMET } from '../conditions/reason-words.ts';
import { CONDITIONS, type Conditions } from '../policy/conditions.ts';
import { formatDuration } from '../policy/duration.ts';
import type { Policy } from '../policy/policy.ts';
import type { TestCase } from './cases.ts';
import { CASE_TIME } from './stated-facts.ts';

/** @returns none for a case that states no conditions */
export function unmetConditions(policy: Policy, ruleName: string, { claims, facts }: TestCase): string[] {
  const conditions = policy.rules.find(({ name }) => name === ruleName)?.conditions;
  if (!conditions || !facts) return [];
  return CONDITIONS.flatMap((name) => {
    const condition: Conditions = { [name]: conditions[name] };
    const verdict = judgeConditions(condition, { claims, facts, policy, now: CASE_TIME });
    if (verdict.outcome === 'met') return [];
    return [`${name} does not hold: ${wordsOf(verdict, condition, { claims, facts, policy })}`];
  });
}

type Unmet = Exclude<ConditionVerdict, { readonly outcome: 'met' }>;

interface Case extends Pick<TestCase, 'claims'> {
  readonly facts: NonNullable<TestCase['facts']>;
  readonly policy: Policy;
}

function wordsOf(verdict: Unmet, { team, created_by, approval, agent }: Conditions, stated: Case): string {
  if (verdict.outcome === 'pending') return `nobody unblocked the step ${verdict.step}`;
  if (verdict.outcome === 'unknown') return 'the case does not say it';
  switch (verdict.reason) {
    case 'pipeline_not_in_team':
      return `the pipeline does not belong to ${team?.name}`;
    case 'team_access_too_low':
      return `${team?.name} has ${accessIn(stated, team?.name)}, and the rule needs ${team?.access}`;
    case 'creator_not_in_team':
      return `the person who started the build is not a member of ${created_by?.team}`;
    case 'approver_not_in_team':
      return `the person who unblocked ${approval?.step} is not a member of ${approval?.by}`;
    case 'approval_expired':
      return `the step was unblocked ${agoIn(stated, approval?.step)} ago, and within is ${formatDuration(approval?.within ?? 0)}`;
    case 'agent_of_other_provider':
      return `the token of the machine is of ${stated.facts.agent?.provider}, and the rule needs ${agent?.provider}`;
    case 'agent_claims_differ':
      return differingClaims(agent?.claims ?? {}, stated.facts.agent?.claims ?? {});
    default:
      return UNMET[verdict.reason];
  }
}

function accessIn({ claims, facts, policy }: Case, name = ''): string | undefined {
  return facts.teams.get(policy.teams[name] ?? '')?.pipelines[claims.pipeline_id ?? ''];
}

function agoIn({ facts }: Case, step: string | undefined): string {
  const unblock = facts.build?.unblocks.find(({ step_key }) => step_key === step);
  return formatDuration((CASE_TIME - (unblock?.unblocked_at ?? CASE_TIME)) / 1000);
}

function differingClaims(needed: Readonly<Record<string, readonly string[]>>, has: Readonly<Record<string, string>>) {
  return Object.entries(needed)
    .filter(([name, values]) => !values.includes(has[name] ?? ''))
    .map(([name, values]) => `${name} is ${has[name]}, and the rule needs ${values.join(' or ')}`)
    .join('; ');
}
