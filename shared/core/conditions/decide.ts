// The decision where rules have conditions: the first rule whose conditions all hold grants. Pure, like ../policy/decide.ts, which
// comes before and needs no facts.

import type { ConditionalDecision, Decision, RuleTrace } from '../policy/decide.ts';
import type { Rule } from '../policy/rule.ts';
import type { ConditionBasis } from './basis.ts';
import { type ApprovalProblem, type ConditionVerdict, judgeConditions, type Question } from './judge.ts';

export type ConditionsRefused =
  /** Nobody has unblocked the step yet. */
  | { readonly reason: 'approval_pending'; readonly step: string }
  /** The step was unblocked, and that is no approval by the policy. */
  | {
      readonly reason: 'approval_not_accepted';
      readonly step: string;
      readonly problem: ApprovalProblem;
      readonly team?: string;
    }
  /** Who started the build, or a team, has not been read from Buildkite, or too long ago. */
  | { readonly reason: 'conditions_unknown'; readonly unknown: 'build' | 'team'; readonly team?: string }
  | { readonly reason: 'agent_token_missing'; readonly providers: readonly string[] }
  | { readonly reason: 'no_matching_rule' };

export type JudgedDecision =
  | (Extract<Decision, { readonly outcome: 'granted' }> & { readonly basis: ConditionBasis })
  | ({ readonly outcome: 'refused'; readonly trace: readonly RuleTrace[] } & ConditionsRefused);

/** The more a caller can do about it, the earlier: the first of these kinds that a rule has is the response. */
const ORDER = [
  'approval_pending',
  'conditions_unknown',
  'agent_token_missing',
  'approval_not_accepted',
  'no_matching_rule',
] as const;

export function decideConditions(decision: ConditionalDecision, question: Question): JudgedDecision {
  const { credentialName, credential, rules } = decision;
  const judged = rules.map((rule) => ({ rule, verdict: judgeConditions(rule.conditions, question) }));
  const byName = new Map(judged.map((one) => [one.rule.name, one]));
  const trace = decision.trace.map((traced) => withVerdict(traced, byName.get(traced.rule)));
  for (const { rule, verdict } of judged)
    if (verdict.outcome === 'met')
      return { outcome: 'granted', credentialName, credential, rule: rule.name, trace, basis: verdict.basis };
  const refusals = judged.map(({ rule, verdict }) => toRefusal(rule, verdict));
  const [refusal = { reason: 'no_matching_rule' }] = ORDER.flatMap((reason) =>
    refusals.filter((one) => one.reason === reason),
  );
  if (refusal.reason !== 'agent_token_missing') return { outcome: 'refused', trace, ...refusal };
  // A machine has a token of one of them, and which one is for the job to say.
  const providers = refusals.flatMap((one) => (one.reason === 'agent_token_missing' ? one.providers : []));
  return { outcome: 'refused', trace, reason: refusal.reason, providers: [...new Set(providers)] };
}

interface JudgedRule {
  readonly rule: Rule;
  readonly verdict: ConditionVerdict;
}

function withVerdict(traced: RuleTrace, judged: JudgedRule | undefined): RuleTrace {
  if (traced.outcome !== 'conditional' || !judged) return traced;
  const { rule, verdict } = judged;
  switch (verdict.outcome) {
    case 'met':
      return { ...traced, outcome: 'granted' };
    case 'unmet':
      return {
        ...{ ...traced, outcome: 'condition_unmet', condition: verdict.condition, reason: verdict.reason },
        ...teamField(teamOf(rule, verdict)),
      };
    case 'pending':
      return { ...traced, outcome: 'approval_pending', condition: verdict.condition };
    case 'unknown':
      return {
        ...{ ...traced, outcome: 'condition_unknown', condition: verdict.condition, reason: verdict.unknown },
        ...teamField(verdict.team),
      };
  }
}

/** The team that the pipeline or the person is not in, by its name in the policy. */
function teamOf({ conditions }: Rule, { reason }: Extract<ConditionVerdict, { outcome: 'unmet' }>): string | undefined {
  switch (reason) {
    case 'pipeline_not_in_team':
    case 'team_access_too_low':
      return conditions.team?.name;
    case 'creator_not_in_team':
      return conditions.created_by?.team;
    case 'approver_not_in_team':
      return conditions.approval?.by;
    default:
      return undefined;
  }
}

function teamField(team: string | undefined): { readonly team?: string } {
  return team === undefined ? {} : { team };
}

function toRefusal(rule: Rule, verdict: ConditionVerdict): ConditionsRefused {
  if (verdict.outcome === 'pending') return { reason: 'approval_pending', step: verdict.step };
  if (verdict.outcome === 'unknown') {
    const { unknown, team } = verdict;
    return { reason: 'conditions_unknown', unknown, ...teamField(team) };
  }
  if (verdict.outcome === 'met') return { reason: 'no_matching_rule' };
  const { approval, agent } = rule.conditions;
  if (verdict.condition === 'approval' && approval)
    return {
      ...{ reason: 'approval_not_accepted', step: approval.step, problem: verdict.reason },
      ...teamField(teamOf(rule, verdict)),
    };
  if (verdict.reason === 'agent_token_missing' && agent)
    return { reason: 'agent_token_missing', providers: [agent.provider] };
  return { reason: 'no_matching_rule' };
}
