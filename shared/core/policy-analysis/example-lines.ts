// An example job as the options of `keydesk policy explain`, ready to paste into a shell.

import type { Policy } from '../policy/policy.ts';
import { shellQuote } from '../shell-quote.ts';
import { isConditionClaim } from './condition-claims.ts';
import { exampleConditions } from './example-conditions.ts';
import type { ExampleJob } from './jobs.ts';

/** What `explain` wants to know of every job when a rule looks at it. An example may have any value there. */
const PLAUSIBLE: Readonly<Record<string, string>> = {
  pipeline_slug: 'any-pipeline',
  build_branch: 'main',
  build_number: '1',
  build_commit: 'c0ffee',
  job_id: '00000000-0000-4000-8000-000000000000',
  agent_id: '00000000-0000-4000-8000-000000000000',
};

const FIRST = ['pipeline_id', 'pipeline_slug', 'build_branch', 'build_tag', 'build_source', 'step_key'];

/**
 * `--claim pipeline=web --claim build_branch=main`: the example for {@link parseJob}. What it has beyond claims follows as a comment of
 * the shell. @param policy the one that `explain` reads
 */
export function claimLine(policy: Policy, example: ExampleJob): string {
  const claims = claimsOf(policy, example).map((claim) => `--claim ${shellQuote(claim)}`);
  const conditions = exampleConditions(example, policy);
  return [...claims, ...(conditions.length > 0 ? [`# ${conditions.join('; ')}`] : [])].join(' ');
}

/**
 * Each claim as `NAME=VALUE`, with the names of pipelines. Claims that a token lacks are left out, and so is the organization, which
 * is the policy's.
 */
export function claimsOf(policy: Policy, example: ExampleJob): string[] {
  const claims = new Map([...example].filter(([claim]) => !isConditionClaim(claim)));
  for (const [claim, value] of Object.entries(PLAUSIBLE))
    if (!claims.has(claim) && policy.rules.some(({ match }) => Object.hasOwn(match, claim))) claims.set(claim, value);
  const names = [
    ...FIRST.filter((name) => claims.has(name)),
    ...[...claims.keys()].filter((name) => !FIRST.includes(name)),
  ];
  return names.flatMap((name) => written(policy, name, claims.get(name) ?? null));
}

function written({ organization, pipelines }: Policy, claim: string, value: string | null): string[] {
  if (claim === 'organization_slug') return [];
  // An empty value leaves out what `explain` fills in.
  if (claim === 'organization_id') return value === (organization.id ?? null) ? [] : [`organization_id=${value ?? ''}`];
  if (value === null) return [];
  const named = claim === 'pipeline_id' ? Object.entries(pipelines).find(([, id]) => id === value)?.[0] : undefined;
  return [named === undefined ? `${claim}=${value}` : `pipeline=${named}`];
}
