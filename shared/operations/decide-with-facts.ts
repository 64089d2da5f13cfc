// Decides a request whose claims match rules with conditions: verifies the machine's token, reads what the ledger has of the build and of
// the teams, and lets the sweep look at Buildkite for what it lacks. Nothing is written but that wish, and nothing here issues anything.

import { type ConditionsRefused, decideConditions, type JudgedDecision } from '../core/conditions/decide.ts';
import type { Refusal } from '../core/oauth/refusal.ts';
import type { JobClaims } from '../core/policy/claims.ts';
import { needsBuild, teamsOf } from '../core/policy/conditions.ts';
import type { ConditionalDecision, RuleTrace } from '../core/policy/decide.ts';
import type { Policy } from '../core/policy/policy.ts';
import { PENDING_RETRY_AFTER, UNKNOWN_RETRY_AFTER } from '../core/timing.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ConditionLedger, VerifyAgentToken } from './ports.ts';

export interface ConditionDeps {
  readonly policy: { readonly policy: Policy };
  readonly conditionLedger: ConditionLedger;
  readonly verifyAgentToken: VerifyAgentToken;
  readonly clock: Clock;
}

interface Presented {
  readonly claims: JobClaims;
  /** Undefined when the request had none. */
  readonly agentToken: string | undefined;
}

/** Throws DependencyError. */
export async function decideWithFacts(
  deps: ConditionDeps,
  decision: ConditionalDecision,
  { claims, agentToken }: Presented,
): Promise<Extract<JudgedDecision, { readonly outcome: 'granted' }> | { readonly refusal: Refusal }> {
  const { policy: loaded, conditionLedger, verifyAgentToken, clock } = deps;
  const { policy } = loaded;
  const { rules } = decision;
  const build = rules.some(({ conditions }) => needsBuild(conditions)) ? buildOf(claims) : undefined;
  const names = new Set(rules.flatMap(({ conditions }) => teamsOf(conditions)));
  const teams = [...names].flatMap((name) => policy.teams[name] ?? []);
  const providers = new Set(rules.flatMap(({ conditions: { agent } }) => (agent ? [agent.provider] : [])));
  const presented = agentToken !== undefined && providers.size > 0 ? agentToken : undefined;
  const [verified, read] = await Promise.all([
    presented === undefined ? undefined : verifyAgentToken(presented, providers, clock.now()),
    build || teams.length > 0 ? conditionLedger.facts({ build, teams }) : { build: undefined, teams: new Map() },
  ]);
  if (verified && 'refusal' in verified) return verified;
  const facts = { ...read, agent: verified?.agent };
  const judged = decideConditions(decision, { claims, facts, policy, now: clock.now() });
  if (judged.outcome === 'granted') return judged;
  const { trace, outcome: _, ...refused } = judged;
  if (build && mayChangeByLook(refused)) await conditionLedger.requestLook({ ...build, ...slugsOf(claims) });
  return { refusal: toRefusal(refused, trace) };
}

/** A step that was unblocked may have been retried and unblocked again. */
function mayChangeByLook(refused: ConditionsRefused): boolean {
  if (refused.reason === 'conditions_unknown') return refused.unknown === 'build';
  return refused.reason === 'approval_pending' || refused.reason === 'approval_not_accepted';
}

function toRefusal(refused: ConditionsRefused, trace: readonly RuleTrace[]): Refusal {
  switch (refused.reason) {
    case 'approval_pending':
      return { ...refused, trace, retryAfter: PENDING_RETRY_AFTER };
    case 'conditions_unknown':
      return { ...refused, trace, retryAfter: UNKNOWN_RETRY_AFTER };
    default:
      return { ...refused, trace };
  }
}

/** A rule that needs the build does not match a job whose token lacks pipeline_id. */
function buildOf({ pipeline_id, build_number }: JobClaims) {
  return pipeline_id === undefined ? undefined : { pipeline_id, build_number };
}

function slugsOf({ organization_slug, pipeline_slug }: JobClaims) {
  return { organization_slug, pipeline_slug };
}
