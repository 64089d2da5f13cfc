// Of the rules that grant a credential, those that a refused job nearly matches: the ones with the fewest claims to change.

import { conditionOutcome } from '../conditions/reason-words.ts';
import { isMatchableClaim, isOptionalClaim } from '../policy/claims.ts';
import type { RuleTrace } from '../policy/decide.ts';

/** What of a rule a job does not meet. */
export interface Unmet {
  readonly claim: string;
  /** The claim's value; null when the token lacks it. */
  readonly has: string | null;
  /** The patterns. The value must match one. Empty when the token must lack the claim. */
  readonly needs: readonly string[];
}

export interface NearRule {
  readonly rule: string;
  readonly unmet: readonly Unmet[];
  /** Of a rule whose claims match: how its conditions were judged, in words. */
  readonly condition?: string;
}

export interface NearestRules {
  /** All have equally many unmet claims. Those come first that a developer can meet alone. */
  readonly rules: readonly NearRule[];
  /** How many more are equally near. */
  readonly omitted: number;
}

const MOST = 3;

/**
 * @param trace of a refusal
 * @param job.tag of the build; undefined when it is of a branch
 * @param job.always what no rule names and the policy demands of every job
 */
export function nearestRules(
  trace: readonly RuleTrace[],
  { tag, always }: { readonly tag: string | undefined; readonly always: readonly Unmet[] },
): NearestRules {
  const rules = trace
    .filter(({ outcome }) => outcome !== 'other_credential')
    .map((rule): NearRule => {
      const unmet = unmetOf(rule, tag);
      const more = always.filter(({ claim }) => !unmet.some((one) => one.claim === claim));
      const condition = conditionOutcome(rule);
      return { rule: rule.rule, unmet: [...unmet, ...more], ...(condition !== undefined && { condition }) };
    });
  const fewest = Math.min(...rules.map(({ unmet }) => unmet.length));
  const nearest = rules
    .filter(({ unmet }) => unmet.length === fewest)
    .sort((left, right) => fixedIn(left) - fixedIn(right));
  return { rules: nearest.slice(0, MOST), omitted: Math.max(0, nearest.length - MOST) };
}

function unmetOf({ checks }: RuleTrace, tag: string | undefined): Unmet[] {
  const unmet = checks
    .filter(({ matched }) => !matched)
    .map(({ claim, patterns, value }): Unmet => ({ claim, has: value, needs: patterns }));
  // A rule that names branches matches no build of a tag, unless it names tags.
  const names = (name: string) => checks.some(({ claim }) => claim === name);
  const wrongTag = tag !== undefined && names('build_branch') && !names('build_tag');
  return wrongTag ? [...unmet, { claim: 'build_tag', has: tag, needs: [] }] : unmet;
}

/** Whether the token has the claim only if the job requests it, and the job did not. */
export function isNotRequested({ claim, has }: Unmet): boolean {
  return has === null && isMatchableClaim(claim) && isOptionalClaim(claim);
}

const FIXED = [
  'organization_id',
  'pipeline_id',
  'pipeline_slug',
  'cluster_id',
  'cluster_name',
  'agent_id',
  'build_id',
  'build_number',
  'job_id',
];

/** Whether the developer of a job has no influence on the claim's value. */
export function isFixed(unmet: Unmet): boolean {
  return !isNotRequested(unmet) && FIXED.includes(unmet.claim);
}

function fixedIn({ unmet }: NearRule): number {
  return unmet.filter(isFixed).length;
}
