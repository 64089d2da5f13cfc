// What a policy decides of a request whose claims are known as far as an audit event has them. Where all claims are known, it is what
// `decide` decides.

import { conditionRows } from '../policy/condition-words.ts';
import { needsPipeline } from '../policy/conditions.ts';
import { matchesPattern } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import { isUuidClaim, type Rule } from '../policy/rule.ts';
import type { KnownClaims } from './known-claims.ts';
import { judgeKnown, type KnownConditions } from './known-conditions.ts';

/** A claim that a rule refuses. */
export interface Mismatch {
  readonly claim: string;
  /** Null when the token lacks it. */
  readonly value: string | null;
  /** Empty where the token must not have the claim. */
  readonly patterns: readonly string[];
  /** Whether it is a condition of the rule, and `patterns` its words. */
  readonly isCondition?: true;
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

/** @param conditions of the event; without them, no condition of a rule is known to hold */
export type Judge = (credential: string, claims: KnownClaims, conditions?: KnownConditions) => Judgement;

const NOTHING_KNOWN: KnownConditions = { basis: undefined, at: undefined };

export function createJudge(policy: Policy): Judge {
  const { credentials, organization } = policy;
  // A rule without conditions that matches grants, whatever comes before it.
  const ordered = policy.rules.toSorted((left, right) => Number(hasConditions(left)) - Number(hasConditions(right)));
  const rulesOf = new Map(
    Object.keys(credentials).map((name) => [name, ordered.filter(({ grants }) => grants.includes(name))]),
  );
  return (credential, claims, conditions = NOTHING_KNOWN) => {
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
    return judgeByRules(rules, (rule) => compare(rule, { claims, conditions, policy }), unknown);
  };
}

function hasConditions({ conditions }: Rule): boolean {
  return Object.keys(conditions).length > 0;
}

interface Compared {
  readonly mismatches: Mismatch[];
  readonly unknown: string[];
}

function judgeByRules(
  rules: readonly Rule[],
  compareRule: (rule: Rule) => Compared,
  ofOrganization: ReadonlySet<string>,
): Judgement {
  const unknown = new Set(ofOrganization);
  const possible: string[] = [];
  let nearest: NearestRule | undefined;
  for (const rule of rules) {
    const compared = compareRule(rule);
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

function compare(
  { match: written, conditions }: Rule,
  request: {
    readonly claims: KnownClaims;
    readonly conditions: KnownConditions;
    readonly policy: Pick<Policy, 'teams'>;
  },
): Compared {
  const { claims, policy } = request;
  // What Buildkite has of a pipeline is found by its UUID.
  const match =
    needsPipeline(conditions) && !('pipeline_id' in written) ? { ...written, pipeline_id: ['**'] } : written;
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
  const words = new Map(conditionRows(conditions));
  for (const [name, known] of judgeKnown(conditions, request.conditions, policy))
    if (known === 'unknown') unknown.push(name);
    else if (known === 'unmet')
      mismatches.push({ claim: name, value: null, patterns: [words.get(name) ?? ''], isCondition: true });
  return { mismatches, unknown };
}
