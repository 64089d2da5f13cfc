// What a policy decides of a request whose claims are known as far as an audit event has them. Where all claims are known, it is what
// `decide` decides.

import { matchesPattern } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import { isUuidClaim, type Rule } from '../policy/rule.ts';
import type { KnownClaims } from './known-claims.ts';

/** A claim that a rule refuses. */
export interface Mismatch {
  readonly claim: string;
  /** Null when the token lacks it. */
  readonly value: string | null;
  /** Empty where the token must not have the claim. */
  readonly patterns: readonly string[];
}

/** The rule with the fewest claims that do not match, and these. */
export interface NearestRule {
  readonly rule: string;
  readonly mismatches: readonly Mismatch[];
}

export type Judgement =
  /** The rule that grants; several when the event does not say which of them. */
  | { readonly outcome: 'granted'; readonly rules: readonly string[] }
  | {
      readonly outcome: 'refused';
      readonly reason: 'unknown_credential' | 'other_organization' | 'no_matching_rule';
      /** Undefined when no rule grants the credential. */
      readonly nearest: NearestRule | undefined;
    }
  /** It depends on claims that the event does not have. */
  | { readonly outcome: 'cannot tell'; readonly claims: readonly string[]; readonly rules: readonly string[] };

export type Judge = (credential: string, claims: KnownClaims) => Judgement;

export function createJudge(policy: Policy): Judge {
  const { credentials, organization } = policy;
  const rulesOf = new Map(
    Object.keys(credentials).map((name) => [name, policy.rules.filter(({ grants }) => grants.includes(name))]),
  );
  return (credential, claims) => {
    const rules = rulesOf.get(credential);
    if (!rules) return { outcome: 'refused', reason: 'unknown_credential', nearest: undefined };
    const unknown = new Set<string>();
    for (const [claim, expected] of [
      ['organization_slug', organization.slug],
      ['organization_id', organization.id],
    ] as const) {
      if (expected === undefined) continue;
      const value = claims.get(claim);
      if (value === undefined) unknown.add(claim);
      else if (value !== expected) return { outcome: 'refused', reason: 'other_organization', nearest: undefined };
    }
    return judgeByRules(rules, claims, unknown);
  };
}

function judgeByRules(rules: readonly Rule[], claims: KnownClaims, ofOrganization: ReadonlySet<string>): Judgement {
  const unknown = new Set(ofOrganization);
  const possible: string[] = [];
  let nearest: NearestRule | undefined;
  for (const rule of rules) {
    const compared = compare(rule, claims);
    if (compared.mismatches.length > 0) {
      if (!nearest || compared.mismatches.length < nearest.mismatches.length)
        nearest = { rule: rule.name, mismatches: compared.mismatches };
      continue;
    }
    possible.push(rule.name);
    if (compared.unknown.length === 0 && ofOrganization.size === 0) return { outcome: 'granted', rules: possible };
    for (const claim of compared.unknown) unknown.add(claim);
    // No later rule is looked at when this one grants.
    if (compared.unknown.length === 0) break;
  }
  if (possible.length === 0) return { outcome: 'refused', reason: 'no_matching_rule', nearest };
  return { outcome: 'cannot tell', claims: [...unknown].sort(), rules: possible };
}

function compare({ match }: Rule, claims: KnownClaims): { mismatches: Mismatch[]; unknown: string[] } {
  const mismatches: Mismatch[] = [];
  const unknown: string[] = [];
  for (const [claim, patterns] of Object.entries(match)) {
    const known = claims.get(claim);
    if (known === undefined) {
      unknown.push(claim);
      continue;
    }
    const value = known !== null && isUuidClaim(claim) ? known.toLowerCase() : known;
    if (value === null || !patterns.some((pattern) => matchesPattern(pattern, value)))
      mismatches.push({ claim, value, patterns });
  }
  // A rule that names branches matches no build of a tag, unless it names tags.
  if ('build_branch' in match && !('build_tag' in match)) {
    const tag = claims.get('build_tag');
    if (tag === undefined) unknown.push('build_tag');
    else if (tag !== null) mismatches.push({ claim: 'build_tag', value: tag, patterns: [] });
  }
  return { mismatches, unknown };
}
