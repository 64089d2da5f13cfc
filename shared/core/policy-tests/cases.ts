// A case of a test file: one job, and the credentials that it must get and must not get.

import { decideConditions, type JudgedDecision } from '../conditions/decide.ts';
import type { Facts } from '../conditions/judge.ts';
import { isClaimValue, type JobClaims, parseClaims } from '../policy/claims.ts';
import { type Decision, decide } from '../policy/decide.ts';
import { PLACEHOLDER_CLAIMS } from '../policy/explain.ts';
import type { Policy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import { isMatchKey, isUuidClaim } from '../policy/rule.ts';
import { valueProblems } from './matches.ts';
import { unknownClaimKey, unknownName, unknownNames } from './names.ts';
import { CASE_TIME, factProblems, toFacts } from './stated-facts.ts';
import type { WrittenCase, WrittenJob } from './test-file.ts';

type Path = PolicyProblem['path'];

export interface TestCase {
  readonly name: string;
  readonly path: Path;
  readonly claims: JobClaims;
  /** What is so beyond the claims; undefined where the case does not say. */
  readonly facts: Facts | undefined;
  readonly granted: readonly string[];
  readonly refused: readonly string[];
}

/** Of a case that states what is so beyond claims, the conditions of rules are judged. */
type CaseDecision = Decision | JudgedDecision;

export interface CaseResult {
  readonly testCase: TestCase;
  /** What the policy decides otherwise than the case expects, by the name of the credential. */
  readonly wrong: readonly (readonly [credential: string, decision: CaseDecision])[];
  /** The rule that grants each credential that the case expects and gets. */
  readonly grantedBy: ReadonlyMap<string, string>;
  readonly gets: readonly string[];
}

export function runCase(policy: Policy, testCase: TestCase): CaseResult {
  const decisions = new Map(Object.keys(policy.credentials).map((name) => [name, decideCase(policy, testCase, name)]));
  const wrong: [string, CaseDecision][] = [];
  const grantedBy = new Map<string, string>();
  for (const [name, decision] of decisions) {
    const isWrong = {
      granted: testCase.refused.includes(name),
      refused: testCase.granted.includes(name),
      conditional: testCase.refused.includes(name) || testCase.granted.includes(name),
    };
    if (isWrong[decision.outcome]) wrong.push([name, decision]);
    else if (decision.outcome === 'granted' && testCase.granted.includes(name)) grantedBy.set(name, decision.rule);
  }
  const gets = [...decisions].flatMap(([name, { outcome }]) => (outcome === 'granted' ? [name] : []));
  return { testCase, wrong, grantedBy, gets };
}

function decideCase(policy: Policy, { claims, facts }: TestCase, name: string): CaseDecision {
  const decision = decide(policy, claims, name);
  if (decision.outcome !== 'conditional' || !facts) return decision;
  return decideConditions(decision, { claims, facts, policy, now: CASE_TIME });
}

/** @param common the claims of every case, unless it has its own */
export function parseCases(
  written: readonly WrittenCase[],
  common: WrittenJob,
  policy: Policy,
): { readonly cases: readonly TestCase[]; readonly problems: readonly PolicyProblem[] } {
  const ofCommon = jobProblems(common, ['job'], policy);
  const parsed = written.map((one, index) => parseCase(one, { common, path: ['cases', index], policy }));
  return {
    cases: parsed.flatMap(({ testCase }) => testCase ?? []),
    problems: [...ofCommon, ...parsed.flatMap(({ problems }) => problems), ...repeatedNames(written)],
  };
}

function parseCase(
  { name, job, conditions, gets, granted = [], refused = [] }: WrittenCase,
  { common, path, policy }: { readonly common: WrittenJob; readonly path: Path; readonly policy: Policy },
): { testCase?: TestCase; problems: PolicyProblem[] } {
  const known = Object.keys(policy.credentials);
  const unknown = Object.entries({ gets: gets ?? [], granted, refused }).flatMap(([key, names]) =>
    unknownNames(names, known, { noun: 'a credential', path: [...path, key] }),
  );
  const both = granted.filter((one) => refused.includes(one));
  const problems = [
    ...jobProblems(job, [...path, 'job'], policy),
    ...(conditions ? factProblems(conditions, [...path, 'conditions'], policy) : []),
    ...unknown,
    ...both.map((one) => ({
      path: [...path, 'refused', refused.indexOf(one)],
      message: `"${one}" is in granted too. Remove one of them`,
    })),
  ];
  if (problems.length > 0) return { problems };
  const claims = toClaims(withCommon(job, common), [...path, 'job'], policy);
  if ('problems' in claims) return claims;
  const expected = gets ? { granted: gets, refused: known.filter((one) => !gets.includes(one)) } : { granted, refused };
  const facts = conditions && toFacts(conditions, claims.claims, policy);
  return { testCase: { name, path, ...claims, facts, ...expected }, problems: [] };
}

/** `pipeline` and `pipeline_id` are the same claim. */
function withCommon(job: WrittenJob, common: WrittenJob): WrittenJob {
  const { pipeline, pipeline_id, ...rest } = common;
  const own = 'pipeline' in job || 'pipeline_id' in job;
  return { ...rest, ...(own ? {} : { ...(pipeline && { pipeline }), ...(pipeline_id && { pipeline_id }) }), ...job };
}

function jobProblems(job: WrittenJob, path: Path, policy: Policy): PolicyProblem[] {
  const keys = Object.keys(job);
  const problems: PolicyProblem[] =
    keys.includes('pipeline') && keys.includes('pipeline_id')
      ? [{ path: [...path, 'pipeline_id'], message: 'is the claim that pipeline names. Keep one of the two' }]
      : [];
  for (const [claim, value] of Object.entries(job)) {
    const where = [...path, claim];
    if (!isMatchKey(claim)) problems.push({ path: where, message: unknownClaimKey(claim, keys), at: 'key' });
    else problems.push(...claimProblems(claim, value, where, policy));
  }
  return problems;
}

function claimProblems(claim: string, value: string, path: Path, policy: Policy): PolicyProblem[] {
  const { pipelines, organization } = policy;
  if (value === '') return [];
  if (value.includes('*'))
    return [{ path, message: `"${value}" is a pattern, and a case is about one job. Write one value` }];
  if (claim === 'pipeline')
    return Object.hasOwn(pipelines, value)
      ? []
      : [{ path, message: unknownName(value, Object.keys(pipelines), 'a pipeline') }];
  const text = isUuidClaim(claim) ? value.toLowerCase() : value;
  if (!isClaimValue(claim, text))
    return [{ path, message: `"${value}" is not a value that ${claim} can have. Copy one from a job` }];
  if (claim === 'organization_id' && organization.id !== undefined && text !== organization.id)
    return [{ path, message: 'is not organization.id of the policy. Keydesk accepts no job of another organization' }];
  return valueProblems(claim, value, path, policy);
}

/** An empty value leaves a claim out. The organization is the policy's. */
function toClaims(job: WrittenJob, path: Path, policy: Policy): { claims: JobClaims } | { problems: PolicyProblem[] } {
  const { pipeline, ...written } = job;
  const id = pipeline === undefined || pipeline === '' ? {} : { pipeline_id: policy.pipelines[pipeline] };
  const given: Record<string, unknown> = { ...written, ...id };
  const missing = Object.keys(PLACEHOLDER_CLAIMS).flatMap((claim) => {
    const rule = policy.rules.find(({ match }) => Object.hasOwn(match, claim));
    if (!rule || (given[claim] ?? '') !== '') return [];
    const message = `Add ${claim}: VALUE. Every job has one, and rule "${rule.name}" looks at it`;
    return [{ path, message }];
  });
  if (missing.length > 0) return { problems: missing };
  const parsed = parseClaims({
    ...PLACEHOLDER_CLAIMS,
    organization_slug: policy.organization.slug,
    organization_id: policy.organization.id,
    ...Object.fromEntries(
      Object.entries(given).filter(([claim, value]) => value !== '' || claim === 'organization_id'),
    ),
    ...(given.build_number ? { build_number: Number(given.build_number) } : {}),
  });
  if ('invalidClaim' in parsed)
    return { problems: [{ path, message: `${parsed.invalidClaim} has a value that no job token has. Correct it` }] };
  return parsed;
}

function repeatedNames(cases: readonly WrittenCase[]): PolicyProblem[] {
  const names = cases.map(({ name }) => name);
  return names.flatMap((name, index) =>
    names.indexOf(name) < index
      ? [{ path: ['cases', index, 'name'], message: `"${name}" is the name of an earlier case. Rename one of them` }]
      : [],
  );
}
