// Derives an example job from a rule of a policy: a job whose claims fit the rule's patterns, so that the rule grants it a
// credential once its conditions are met. Pure. It finds no job for a rule whose patterns contradict each other or what Buildkite sends.

import { type JobClaims, parseClaims } from '../shared/core/policy/claims.ts';
import type { Conditions } from '../shared/core/policy/conditions.ts';
import { decide } from '../shared/core/policy/decide.ts';
import { matchesPattern } from '../shared/core/policy/pattern.ts';
import type { Policy } from '../shared/core/policy/policy.ts';
import { isUuidClaim, type Rule } from '../shared/core/policy/rule.ts';

/** Claims of a job, as a rule names them; undefined removes one that jobs have by default. */
export type ExampleClaims = Readonly<Record<string, string | number | undefined>>;

export interface ExampleJob {
  readonly rule: string;
  readonly claims: ExampleClaims;
  /** What the rule demands beyond the claims. */
  readonly conditions: Conditions;
}

/** Values to try for a pattern, before one is made of the pattern itself. */
const COMMON: Readonly<Record<string, readonly string[]>> = {
  build_branch: ['main'],
  build_source: ['webhook', 'ui', 'api', 'schedule', 'trigger_job'],
  runner_environment: ['self-hosted', 'hosted'],
  build_commit: ['9f3182061f1e2cca4702c368cbc039b7dc9d4485'],
};
const UUID_TEMPLATE = '0184990a-4782-42b5-afc1-16715b10b1f0';
/** What every job has, for the decision; the fake Buildkite has its own. */
const BASE = {
  pipeline_slug: 'app',
  pipeline_id: UUID_TEMPLATE,
  build_number: 42,
  build_branch: 'main',
  build_commit: COMMON.build_commit?.[0],
  build_source: 'webhook',
  step_key: 'deploy',
  job_id: UUID_TEMPLATE,
  agent_id: UUID_TEMPLATE,
  runner_environment: 'self-hosted',
};

/** A job that gets the credential, by the first rule for which there is one; undefined when no rule grants it. */
export function exampleJobFor(policy: Policy, credential: string): ExampleJob | undefined {
  for (const rule of policy.rules) {
    if (!rule.grants.includes(credential)) continue;
    const claims = exampleClaimsFor(policy, rule);
    const granting = claims && grantingRule(policy, claims, credential);
    if (granting) return { rule: granting.name, claims, conditions: granting.conditions };
  }
  return undefined;
}

/** The first rule that grants the credential to a job with these claims, if its conditions are met. */
function grantingRule(policy: Policy, claims: ExampleClaims, credential: string): Rule | undefined {
  const { slug: organization_slug, id: organization_id } = policy.organization;
  const parsed = parseClaims({ ...BASE, organization_slug, organization_id, ...claims });
  if (!('claims' in parsed)) return undefined;
  const decision = decide(policy, parsed.claims satisfies JobClaims, credential);
  switch (decision.outcome) {
    case 'granted':
      return policy.rules.find(({ name }) => name === decision.rule);
    case 'conditional':
      return decision.rules[0];
    case 'refused':
      return undefined;
  }
}

/** Claims that fit the patterns of the rule; undefined when none do. */
export function exampleClaimsFor(policy: Policy, { match }: Rule): ExampleClaims | undefined {
  const values = new Map<string, string>();
  for (const [claim, patterns] of Object.entries(match)) {
    const value = valueFor(claim, patterns);
    if (value === undefined) return undefined;
    values.set(claim, value);
  }
  const { build_branch: branches, build_tag: tags } = match;
  if (tags) {
    // Buildkite sends the tag of a tag build as its branch too.
    const tag = candidates('build_tag', [...(branches ?? []), ...tags]).find(
      (value) => fits(tags, value) && fits(branches ?? [value], value),
    );
    if (tag === undefined) return undefined;
    values.set('build_tag', tag).set('build_branch', tag);
  }
  const pipeline = Object.entries(policy.pipelines).find(([, id]) => id === values.get('pipeline_id'))?.[0];
  if (pipeline !== undefined && !values.has('pipeline_slug')) values.set('pipeline_slug', pipeline);
  return Object.fromEntries(
    [...values].map(([claim, value]) => [claim, claim === 'build_number' ? Number(value) : value]),
  );
}

function valueFor(claim: string, patterns: readonly string[]): string | undefined {
  return candidates(claim, patterns).find((value) => fits(patterns, value));
}

function fits(patterns: readonly string[], value: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, value));
}

function candidates(claim: string, patterns: readonly string[]): string[] {
  const made = patterns.map((pattern) => {
    if (isUuidClaim(claim)) return fillUuid(pattern);
    return pattern.replaceAll(/\*+/g, claim === 'build_number' || /[0-9v.]\*/.test(pattern) ? '1' : 'example');
  });
  const uncommon = patterns.every((pattern) => !pattern.includes('*'));
  return uncommon ? made : [...(COMMON[claim] ?? []), ...made];
}

/** A UUID that begins and ends as the pattern does. */
function fillUuid(pattern: string): string {
  const [start = '', ...others] = pattern.split(/\*+/);
  const end = others.at(-1) ?? '';
  return start + UUID_TEMPLATE.slice(start.length, UUID_TEMPLATE.length - end.length) + end;
}
