// The decision: may this job have this credential, and why. Pure: the same policy, claims and name give the same
// answer, and the trace says for every rule how far it got. What rules demand beyond claims is judged in ../conditions/decide.ts.

import { claimValue, isMatchableClaim, isOptionalClaim, type JobClaims } from './claims.ts';
import { type Conditions, needsPipeline } from './conditions.ts';
import type { Credential } from './credential.ts';
import { matchesPattern } from './pattern.ts';
import type { Policy } from './policy.ts';
import type { Rule } from './rule.ts';

interface ClaimCheck {
  readonly claim: string;
  readonly patterns: readonly string[];
  /** The claim's value; null when the token lacks it. */
  readonly value: string | null;
  readonly matched: boolean;
}

/**
 * How far a rule got. `conditional`: the claims match, and the rule has conditions that were not judged. The last three say what became
 * of them.
 */
export const RULE_OUTCOMES = [
  'granted',
  'other_credential',
  'claim_mismatch',
  'tag_not_allowed',
  'conditional',
  'condition_unmet',
  'condition_unknown',
  'approval_pending',
] as const;

export interface RuleTrace {
  readonly rule: string;
  readonly outcome: (typeof RULE_OUTCOMES)[number];
  readonly checks: readonly ClaimCheck[];
  /** The condition that decided, and how. */
  readonly condition?: keyof Conditions;
  readonly reason?: string;
  /** The team that the reason is about, by its name in the policy. */
  readonly team?: string;
}

/** Claims match rules that grant the credential, and each of these has conditions. */
export interface ConditionalDecision {
  readonly outcome: 'conditional';
  readonly credentialName: string;
  readonly credential: Credential;
  /** In the order of the policy. */
  readonly rules: readonly Rule[];
  readonly trace: readonly RuleTrace[];
}

export type Decision =
  | ConditionalDecision
  | {
      readonly outcome: 'granted';
      readonly credentialName: string;
      readonly credential: Credential;
      readonly rule: string;
      readonly trace: readonly RuleTrace[];
    }
  | {
      readonly outcome: 'refused';
      readonly reason: 'unknown_credential' | 'no_matching_rule';
      readonly trace: readonly RuleTrace[];
    }
  | {
      readonly outcome: 'refused';
      readonly reason: 'claims_missing';
      /** Claims the policy's rules name and the token lacks because the job did not ask for them. */
      readonly missing: readonly string[];
      readonly trace: readonly RuleTrace[];
    };

/**
 * Decides whether the job may have `credentialName`. Which claims are missing depends on the whole policy and the
 * token alone, never on the credential, so that the answer does not tell which credentials exist.
 */
export function decide(policy: Policy, claims: JobClaims, credentialName: string): Decision {
  const trace = policy.rules.map((rule) => traceRule(rule, claims, credentialName));
  const credential = Object.hasOwn(policy.credentials, credentialName) ? policy.credentials[credentialName] : undefined;
  const granting = trace.find(({ outcome }) => outcome === 'granted');
  const organizationMatches = policy.organization.id === undefined || claims.organization_id === policy.organization.id;
  if (credential && granting && organizationMatches)
    return { outcome: 'granted', credentialName, credential, rule: granting.rule, trace };
  const rules = policy.rules.filter((_, index) => trace[index]?.outcome === 'conditional');
  if (credential && rules.length > 0 && organizationMatches)
    return { outcome: 'conditional', credentialName, credential, rules, trace };
  const missing = missingClaims(policy, claims);
  if (missing.length > 0) return { outcome: 'refused', reason: 'claims_missing', missing, trace };
  return { outcome: 'refused', reason: credential ? 'no_matching_rule' : 'unknown_credential', trace };
}

function traceRule(rule: Rule, claims: JobClaims, credentialName: string): RuleTrace {
  // Only what could have granted is worth a line in the audit log, which takes no entry of any length.
  if (!rule.grants.includes(credentialName)) return { rule: rule.name, outcome: 'other_credential', checks: [] };
  const checks = Object.entries(claimsOf(rule)).map(([claim, patterns]): ClaimCheck => {
    const value = isMatchableClaim(claim) ? claimValue(claims, claim) : undefined;
    const matched = value !== undefined && patterns.some((pattern) => matchesPattern(pattern, value));
    return { claim, patterns, value: value ?? null, matched };
  });
  return { rule: rule.name, outcome: outcomeOf(rule, claims, checks), checks };
}

function outcomeOf(rule: Rule, claims: JobClaims, checks: ClaimCheck[]): RuleTrace['outcome'] {
  if (!checks.every(({ matched }) => matched)) return 'claim_mismatch';
  // A tag build carries its tag in build_branch, so a rule about branches would let a tag called "main" through.
  const tagBuild = claims.build_tag !== undefined;
  if (tagBuild && 'build_branch' in rule.match && !('build_tag' in rule.match)) return 'tag_not_allowed';
  return Object.keys(rule.conditions).length > 0 ? 'conditional' : 'granted';
}

/** A rule about the team, the creator or an approval matches no token without the pipeline's UUID, whatever it names. */
function claimsOf({ match, conditions }: Rule): Rule['match'] {
  return needsPipeline(conditions) && !('pipeline_id' in match) ? { ...match, pipeline_id: ['**'] } : match;
}

function missingClaims(policy: Policy, claims: JobClaims): string[] {
  const named = new Set(policy.rules.flatMap((rule) => Object.keys(rule.match)));
  if (policy.organization.id !== undefined) named.add('organization_id');
  if (policy.rules.some(({ conditions }) => needsPipeline(conditions))) named.add('pipeline_id');
  return [...named]
    .filter((claim) => isMatchableClaim(claim) && isOptionalClaim(claim) && claimValue(claims, claim) === undefined)
    .sort();
}
