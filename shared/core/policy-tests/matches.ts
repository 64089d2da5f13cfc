// `for` and `unless` of a statement: sets of jobs, written like the `match` of a rule and read in the same way. A value that no job
// can have is a problem, so that a misspelt one is found.

import { meantOrKnown } from '../closest-name.ts';
import { CLAIM_VALUES } from '../policy/claims.ts';
import type { Conditions } from '../policy/conditions.ts';
import { matchesPattern } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import { describeIssue, type PolicyProblem, toPolicyProblems } from '../policy/problems.ts';
import { claimPatterns, isMatchKey, isUuidClaim, type Match } from '../policy/rule.ts';
import {
  ALL_JOBS,
  exampleJob,
  type JobSet,
  meeting,
  organizationDemands,
  ruleDemands,
  type Tools,
} from '../policy-analysis/jobs.ts';
import type { WarningCode } from '../policy-warnings/codes.ts';
import { patternFinding } from '../policy-warnings/pattern.ts';
import { isConditionKey, parseCondition } from './match-conditions.ts';
import { unknownClaimKey, unknownName } from './names.ts';

type Path = PolicyProblem['path'];

/** @param value a match or a list of them. @returns matches that name pipeline_id where the file has `pipeline` */
export function parseMatches(
  value: unknown,
  path: Path,
  policy: Policy,
  newTools: () => Tools,
): { readonly matches: readonly JobSet[]; readonly problems: readonly PolicyProblem[] } {
  if (Array.isArray(value) && value.length === 0)
    return { matches: [], problems: [{ path, message: 'must not be empty' }] };
  const written = Array.isArray(value)
    ? value.map((one, index): [unknown, Path] => [one, [...path, index]])
    : [[value, path] as [unknown, Path]];
  const parsed = written.map(([one, where]) => parseMatch(one, where, policy));
  const problems = parsed.flatMap((one) => one.problems);
  if (problems.length > 0) return { matches: [], problems };
  return {
    matches: parsed.map(({ match, conditions }) => ({ match, conditions })),
    problems: parsed.flatMap((one, index) => neverMet(one, written[index]?.[1] ?? path, policy, newTools())),
  };
}

function parseMatch(value: unknown, path: Path, policy: Policy): JobSet & { problems: PolicyProblem[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return {
      ...{ match: {}, conditions: {} },
      problems: [{ path, message: 'must be a map from claims to patterns, such as { pipeline: web }' }],
    };
  const keys = Object.keys(value);
  if (keys.length === 0)
    return {
      match: {},
      conditions: {},
      problems: [{ path, message: 'must name a claim. Without one, it is every job' }],
    };
  const problems: PolicyProblem[] = [];
  const match: Record<string, string[]> = {};
  let conditions: Conditions = {};
  if (keys.includes('pipeline') && keys.includes('pipeline_id'))
    problems.push({ path: [...path, 'pipeline_id'], message: 'is the claim that pipeline names. Keep one of the two' });
  for (const [key, written] of Object.entries(value)) {
    const where = [...path, key];
    if (isConditionKey(key) && !(key === 'agent' && typeof written === 'string')) {
      const parsed = parseCondition(key, written, where, policy);
      problems.push(...parsed.problems);
      conditions = { ...conditions, ...parsed.condition };
      continue;
    }
    if (!isMatchKey(key)) {
      problems.push({ path: where, message: unknownClaimKey(key, keys), at: 'key' });
      continue;
    }
    const patterns = claimPatterns.safeParse(written, { error: describeIssue, reportInput: true });
    if (!patterns.success)
      problems.push(
        ...toPolicyProblems(patterns.error.issues).map((one) => ({ ...one, path: [...where, ...one.path] })),
      );
    else if (key === 'pipeline') {
      problems.push(...pipelineProblems(patterns.data, where, policy));
      match.pipeline_id = patterns.data.flatMap((name) => policy.pipelines[name] ?? []);
    } else {
      problems.push(
        ...patterns.data.flatMap((pattern, index) => valueProblems(key, pattern, [...where, index], policy)),
      );
      match[key] = isUuidClaim(key) ? patterns.data.map((pattern) => pattern.toLowerCase()) : patterns.data;
    }
  }
  return { match, conditions, problems };
}

function pipelineProblems(names: readonly string[], path: Path, { pipelines }: Policy): PolicyProblem[] {
  return names.flatMap((name, index) => {
    if (Object.hasOwn(pipelines, name)) return [];
    const message = name.includes('*')
      ? `"${name}" is a pattern, and pipeline takes names. Write it at pipeline_slug, or list the names`
      : unknownName(name, Object.keys(pipelines), 'a pipeline');
    return [{ path: [...path, index], message }];
  });
}

/** Buildkite documents all values of some claims. Of others, git and Buildkite make only some. */
export function valueProblems(claim: string, pattern: string, path: Path, { rules }: Policy): PolicyProblem[] {
  const values = Object.hasOwn(CLAIM_VALUES, claim) ? CLAIM_VALUES[claim] : undefined;
  if (values && !values.some((value) => matchesPattern(pattern, value))) {
    const message = `"${pattern}" is not a value of ${claim} that Buildkite documents. ${meantOrKnown(pattern, values)}`;
    return [{ path, message }];
  }
  const finding = patternFinding(claim, pattern);
  // A rule that names it has a warning, which the policy may accept.
  const isInRule = rules.some(({ match }) => match[claim]?.includes(pattern));
  return finding && MISTAKES.includes(finding.code) && !isInRule ? [{ path, message: finding.message }] : [];
}

/** Warnings about a pattern of a rule that are mistakes in a test: it is about no job. */
const MISTAKES: readonly WarningCode[] = ['ref_prefix', 'impossible_value', 'stray_character', 'pattern_syntax'];

/** A match, or a pattern of one, that no job token can meet. */
function neverMet({ match, conditions }: JobSet, path: Path, policy: Policy, tools: Tools): PolicyProblem[] {
  const all = meeting(ALL_JOBS, organizationDemands(policy));
  const isEmpty = (part: Match, also: Conditions = {}) =>
    exampleJob(meeting(all, ruleDemands({ match: part, conditions: also }, policy)), tools) === undefined;
  const patterns = Object.entries(match).flatMap(([claim, listed]) =>
    listed
      .map((pattern, index) => ({ claim, pattern, index }))
      .filter(({ pattern }) => isEmpty({ [claim]: [pattern] })),
  );
  if (patterns.length > 0)
    return patterns.map(({ claim, pattern, index }) => ({
      path: [...path, claim, index],
      message: `No job that this policy accepts has "${pattern}" as ${claim}. Correct it, or remove it`,
    }));
  return isEmpty(match, conditions)
    ? [{ path, message: 'No job that this policy accepts meets all of this. Correct it' }]
    : [];
}
