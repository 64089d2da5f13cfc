// What a policy says of a job: which credentials it gets, and for each refused one the nearest rules, with what would have to change
// on the side of the job and of the policy.

import { closestName } from '../closest-name.ts';
import { revocationOf } from '../kinds/kinds.ts';
import { isMatchableClaim, isOptionalClaim, type JobClaims } from '../policy/claims.ts';
import { type ConditionalDecision, type Decision, decide, type RuleTrace } from '../policy/decide.ts';
import type { Policy, WrittenPolicy } from '../policy/policy.ts';
import { type JobChange, jobChanges } from './job-changes.ts';
import { isNotRequested, nearestRules, type Unmet } from './nearest-rules.ts';
import { firstRuleFor, type PolicyChange, policyChangeFor } from './policy-change-for-job.ts';

type Granted = Extract<Decision, { outcome: 'granted' }>;

export interface NearRuleExplanation {
  readonly rule: string;
  readonly unmet: readonly Unmet[];
  /** How its conditions were judged, where its claims match. */
  readonly condition?: string;
  readonly jobChanges: readonly JobChange[];
  /** Undefined where no change of the policy alone can help, or the policy is not known. */
  readonly policyChange: PolicyChange | undefined;
}

export interface RefusedExplanation {
  readonly credential: string;
  readonly outcome: 'refused';
  readonly reason: 'unknown_credential' | 'no_matching_rule' | 'claims_missing';
  /** Claims that the policy's rules name and the job did not request. */
  readonly missing: readonly string[];
  readonly nearest: readonly NearRuleExplanation[];
  /** How many more rules are equally near. */
  readonly omitted: number;
  /** For a job like this where no rule grants the credential to any job. */
  readonly firstRule: PolicyChange | undefined;
  /** What `unknown_credential` probably means. */
  readonly meant: string | undefined;
}

export type JobExplanation =
  | { readonly credential: string; readonly outcome: 'granted'; readonly decision: Granted }
  /** Granted if the conditions of one of the rules hold. */
  | { readonly credential: string; readonly outcome: 'conditional'; readonly decision: ConditionalDecision }
  | RefusedExplanation;

export interface PolicyTexts {
  readonly policy: Policy;
  readonly written: WrittenPolicy;
}

export function explainJob({ policy, written }: PolicyTexts, claims: JobClaims, credential: string): JobExplanation {
  const decision = decide(policy, claims, credential);
  if (decision.outcome === 'granted') return { credential, outcome: 'granted', decision };
  if (decision.outcome === 'conditional') return { credential, outcome: 'conditional', decision };
  const { reason, trace } = decision;
  const missing = decision.reason === 'claims_missing' ? decision.missing : [];
  const id = policy.organization.id;
  const always: Unmet[] =
    id === undefined || claims.organization_id === id
      ? []
      : [{ claim: 'organization_id', has: claims.organization_id ?? null, needs: [id] }];
  const { rules, omitted } = nearestRules(trace, { tag: claims.build_tag, always });
  const requested = requestedClaims(claims);
  const known = Object.hasOwn(policy.credentials, credential);
  return {
    credential,
    outcome: 'refused',
    reason: known ? reason : 'unknown_credential',
    missing,
    nearest: rules.map((near) => ({
      ...near,
      jobChanges: jobChanges(near.unmet, requested),
      policyChange: policyChangeFor(written, claims, credential, near),
    })),
    omitted,
    firstRule: known && rules.length === 0 ? firstRuleFor(written, claims, credential, always) : undefined,
    meant: known ? undefined : closestName(credential, Object.keys(policy.credentials)),
  };
}

/** The same from the trace of a refusal alone, without the policy. @param claims of the job, as its event has them */
export function explainTrace(
  credential: string,
  reason: RefusedExplanation['reason'],
  {
    trace,
    missing,
    claims,
  }: { readonly trace: readonly RuleTrace[]; readonly missing: readonly string[]; readonly claims: JobClaims },
): RefusedExplanation {
  const always: Unmet[] = missing.includes('organization_id')
    ? [{ claim: 'organization_id', has: null, needs: ["the organization's UUID"] }]
    : [];
  const { rules, omitted } = nearestRules(trace, { tag: claims.build_tag, always });
  const requested = requestedClaims(claims);
  return {
    credential,
    outcome: 'refused',
    reason,
    missing,
    nearest: rules.map((near) => ({
      ...near,
      jobChanges: jobChanges(near.unmet, requested),
      policyChange: undefined,
    })),
    omitted,
    firstRule: undefined,
    meant: undefined,
  };
}

/** The optional claims that the token has. */
function requestedClaims(claims: JobClaims): string[] {
  const known = Object.entries(claims).flatMap(([name, value]) =>
    value !== undefined && isMatchableClaim(name) && isOptionalClaim(name) ? [name] : [],
  );
  return [...known, ...claims.agentTags.keys()];
}

export function explainedAsJson(explanation: JobExplanation): object {
  if (explanation.outcome === 'granted') {
    const { credential, rule } = explanation.decision;
    const { environment, ttl } = credential;
    return {
      credential: explanation.credential,
      outcome: 'granted',
      ...{ rule, environment, ttl, revocation: revocationOf(credential) },
    };
  }
  if (explanation.outcome === 'conditional') {
    const { credential, rules } = explanation.decision;
    const { environment, ttl } = credential;
    return {
      credential: explanation.credential,
      outcome: 'conditional',
      rules: rules.map(({ name, conditions }) => ({ rule: name, conditions })),
      ...{ environment, ttl, revocation: revocationOf(credential) },
    };
  }
  const { credential, outcome, reason, missing, nearest, omitted, firstRule, meant } = explanation;
  return {
    credential,
    outcome,
    reason,
    ...(missing.length > 0 && { missing_claims: missing }),
    ...(meant !== undefined && { did_you_mean: meant }),
    nearest_rules: nearest.map(({ rule, unmet, condition, jobChanges: ofJob, policyChange }) => ({
      rule,
      distance: unmet.length,
      ...(condition !== undefined && { condition }),
      unmet: unmet.map((one) => ({ ...one, requested: !isNotRequested(one) })),
      job_changes: ofJob,
      policy_change: policyChange ? changeAsJson(policyChange) : null,
    })),
    equally_near_omitted: omitted,
    ...(firstRule && { policy_change: changeAsJson(firstRule) }),
  };
}

function changeAsJson({ place, yaml, remaining, forbidden }: PolicyChange): object {
  return {
    place,
    yaml: yaml.join('\n'),
    widens: true,
    job_must_still_change: remaining,
    forbidden_by_guards: forbidden,
  };
}
