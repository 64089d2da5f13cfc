// The smallest change of a policy by which a refused job gets a credential: as data, and as YAML for a review. It grants the
// credential to jobs that differ from the job only in what the nearest rule leaves open.

import { claimValue, isMatchableClaim, type JobClaims } from '../policy/claims.ts';
import { MATCH_CONDITIONS, RULE_CONDITIONS } from '../policy/conditions.ts';
import { formatDuration } from '../policy/duration.ts';
import { environmentProblems } from '../policy/environments.ts';
import { PIPELINE_NAME } from '../policy/pipelines.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import { CREATOR_UNVERIFIED, hasVerifiedCreators, type Match, type Rule } from '../policy/rule.ts';
import { invisibleCharacters } from '../policy/visible-text.ts';
import type { JobSet } from './jobs.ts';
import type { NearRule, Unmet } from './nearest-rules.ts';
import { isLiteral } from './texts.ts';
import { yamlKey, yamlList, yamlText } from './yaml-lines.ts';

export interface PolicyChange {
  readonly pipelines: WrittenPolicy['pipelines'];
  readonly rules: readonly Rule[];
  /** Where it belongs, such as `rule "deploy", match`. */
  readonly place: string;
  readonly yaml: readonly string[];
  /** Claims that the job must still change. */
  readonly remaining: readonly string[];
  /** What the guards of the environments say against it. */
  readonly forbidden: readonly string[];
}

const LONGEST_PATTERN = 256;

/** @returns undefined when no change of the policy alone can help, because the token lacks every claim that differs */
export function policyChangeFor(
  policy: WrittenPolicy,
  claims: JobClaims,
  credential: string,
  near: NearRule,
): PolicyChange | undefined {
  const index = policy.rules.findIndex(({ name }) => name === near.rule);
  const rule = policy.rules[index];
  if (!rule) return undefined;
  const named = nameOfPipeline(policy, claims);
  const values = valuesFor(near.unmet, claims);
  const remaining = near.unmet.map(({ claim }) => claim).filter((claim) => !values.has(claim));
  if (![...values.values()].some((value) => value !== undefined)) return undefined;
  const [only] = near.unmet;
  if (only && near.unmet.length === 1 && only.needs.length > 0 && rule.grants.every((name) => name === credential)) {
    const value = values.get(only.claim);
    if (value !== undefined) return widened(policy, index, [only.claim, value], named);
  }
  const match: Record<string, readonly string[]> = { ...rule.match };
  for (const [claim, value] of values) {
    const key = keyOf(claim, rule.match);
    if (value === undefined) delete match[key];
    else match[key] = [key === 'pipeline' ? named.name : value];
  }
  return added(policy, { match, conditions: rule.conditions, credential, claims }, named, remaining);
}

/**
 * What the rule must say of the claims that do not match; undefined for one that it must not name. Claims that the token lacks are left
 * out: the job must change them. A build of a branch has no tag, and a rule for branches matches no tag.
 */
function valuesFor(unmet: readonly Unmet[], claims: JobClaims): Map<string, string | undefined> {
  const values = new Map<string, string | undefined>();
  for (const { claim } of unmet) {
    const value = patternFor(claims, claim);
    if (value !== undefined) values.set(claim, value);
  }
  const branch = patternFor(claims, 'build_branch');
  const needsTag = unmet.some(({ claim, needs }) => claim === 'build_tag' && needs.length > 0);
  if (needsTag && claims.build_tag === undefined && branch !== undefined)
    values.set('build_branch', branch).set('build_tag', undefined);
  return values;
}

/** A rule for the job where no rule grants the credential to any job. @param always what the policy demands of every job, and this lacks */
export function firstRuleFor(
  policy: WrittenPolicy,
  claims: JobClaims,
  credential: string,
  always: readonly Unmet[],
): PolicyChange | undefined {
  const named = nameOfPipeline(policy, claims);
  const pipeline: Match =
    claims.pipeline_id === undefined ? { pipeline_slug: [claims.pipeline_slug] } : { pipeline: [named.name] };
  const others = ['build_branch', 'build_tag', 'build_source', 'step_key'].flatMap((claim) => {
    const value = patternFor(claims, claim);
    return value === undefined ? [] : [[claim, [value]] as const];
  });
  const match = { ...pipeline, ...Object.fromEntries(others) };
  if (Object.values(match).some(([pattern = '']) => !isLiteral(pattern))) return undefined;
  const remaining = always.map(({ claim }) => claim);
  return added(policy, { match, conditions: {}, credential, claims }, named, remaining);
}

/** The claim's value where a pattern can say exactly that. */
function patternFor(claims: JobClaims, claim: string): string | undefined {
  const value = isMatchableClaim(claim) ? claimValue(claims, claim) : undefined;
  if (value === undefined || value.length > LONGEST_PATTERN) return undefined;
  return isLiteral(value) && invisibleCharacters(value).length === 0 ? value : undefined;
}

function keyOf(claim: string, match: Match): string {
  return claim === 'pipeline_id' && Object.hasOwn(match, 'pipeline') ? 'pipeline' : claim;
}

interface PipelineName {
  readonly name: string;
  /** Those of the policy, and this one. */
  readonly pipelines: WrittenPolicy['pipelines'];
  /** The lines that name it, where the policy does not yet. */
  readonly yaml: readonly string[];
}

function nameOfPipeline({ pipelines }: WrittenPolicy, { pipeline_id, pipeline_slug }: JobClaims): PipelineName {
  const known = Object.entries(pipelines).find(([, id]) => id === pipeline_id)?.[0];
  if (known !== undefined || pipeline_id === undefined) return { name: known ?? '', pipelines, yaml: [] };
  const slug = PIPELINE_NAME.test(pipeline_slug) ? pipeline_slug : 'another-pipeline';
  const name = freeName(slug, Object.keys(pipelines), (number) => `${slug.slice(0, 90)}-${number}`);
  return {
    name,
    pipelines: { ...pipelines, [name]: pipeline_id },
    yaml: ['pipelines:', `  ${yamlKey(name)}: ${yamlText(pipeline_id)}`],
  };
}

/** The rule with one more pattern. */
function widened(
  policy: WrittenPolicy,
  index: number,
  [claim, value]: readonly [string, string],
  named: PipelineName,
): PolicyChange {
  const rule = policy.rules[index] as Rule;
  const key = keyOf(claim, rule.match);
  const patterns = [...(rule.match[key] ?? []), key === 'pipeline' ? named.name : value];
  const rules = policy.rules.with(index, { ...rule, match: { ...rule.match, [key]: patterns } });
  const lines = key === 'pipeline' ? named.yaml : [];
  return {
    pipelines: key === 'pipeline' ? named.pipelines : policy.pipelines,
    rules,
    place: `rule ${JSON.stringify(rule.name)}, match`,
    yaml: [...lines, `${yamlKey(key)}: ${yamlList(patterns)}`],
    remaining: [],
    forbidden: forbiddenBy(policy, rules, index),
  };
}

/** A rule of its own, which grants this credential alone. */
function added(
  policy: WrittenPolicy,
  { match, conditions, credential, claims }: JobSet & { readonly credential: string; readonly claims: JobClaims },
  named: PipelineName,
  remaining: readonly string[],
): PolicyChange {
  const wanted = `${credential} for ${claims.pipeline_slug}`.slice(0, 120);
  const taken = policy.rules.map((rule) => rule.name);
  const name = freeName(wanted, taken, (number) => `${wanted} (${number})`);
  const rules = [...policy.rules, { name, match: { ...match }, conditions, grants: [credential] } as Rule];
  const usesName = match.pipeline?.includes(named.name) ?? false;
  return {
    pipelines: usesName ? named.pipelines : policy.pipelines,
    rules,
    place: 'rules, a new one',
    yaml: [
      ...(usesName ? named.yaml : []),
      'rules:',
      `  - name: ${yamlText(name)}`,
      '    match:',
      ...Object.entries(match).map(([key, patterns]) => `      ${yamlKey(key)}: ${yamlList(patterns)}`),
      ...MATCH_CONDITIONS.flatMap((name) => conditionYaml(name, conditions[name]).map((line) => `      ${line}`)),
      ...RULE_CONDITIONS.flatMap((name) => conditionYaml(name, conditions[name]).map((line) => `    ${line}`)),
      `    grants: [${yamlText(credential)}]`,
    ],
    remaining,
    forbidden: forbiddenBy(policy, rules, rules.length - 1),
  };
}

/** A condition that the nearest rule has, as a rule is written. */
function conditionYaml(name: string, condition: object | undefined): string[] {
  return condition === undefined ? [] : [`${name}: ${yamlFlow(condition)}`];
}

function yamlFlow(value: unknown): string {
  if (typeof value === 'string') return yamlText(value);
  if (Array.isArray(value)) return yamlList(value.map(String));
  const members = Object.entries(Object(value)).map(([key, member]) => {
    const text = key === 'within' ? formatDuration(Number(member)) : yamlFlow(member);
    return `${yamlKey(key)}: ${text}`;
  });
  return `{ ${members.join(', ')} }`;
}

function freeName(wanted: string, taken: readonly string[], numbered: (number: number) => string): string {
  if (!taken.includes(wanted)) return wanted;
  let number = 2;
  while (taken.includes(numbered(number))) number += 1;
  return numbered(number);
}

function forbiddenBy(policy: WrittenPolicy, rules: readonly Rule[], index: number): string[] {
  const rule = rules[index];
  const unverified = rule?.conditions.created_by && !hasVerifiedCreators(rule.match) ? [CREATOR_UNVERIFIED] : [];
  return [
    ...unverified,
    ...environmentProblems({ ...policy, rules }).flatMap(({ path, message }) =>
      path[0] === 'rules' && path[1] === index ? [message] : [],
    ),
  ];
}
