// A job with some claims that are stated. The others may have any value, or may not be in its token.

import {
  AGENT_TAG,
  claimValue,
  isClaimValue,
  isMatchableClaim,
  isOptionalClaim,
  type JobClaims,
  MATCHABLE_CLAIMS,
  mayBeAbsent,
} from '../policy/claims.ts';
import { needsPipeline } from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';
import { isUuidClaim } from '../policy/rule.ts';
import { readWrittenClaims } from '../policy/written-claims.ts';
import type { Jobs } from './jobs.ts';
import { toLiteral } from './texts.ts';

/** The value of each claim that is stated; null for one that is not in the token. */
export type PartialJob = ReadonlyMap<string, string | null>;

/**
 * Reads `NAME=VALUE`s as `explain` does. An empty value states that the claim is not in the token. The organization is the policy's.
 * @param known what else is stated, unless one of `written` states it
 */
export function parsePartialJob(
  policy: Policy,
  written: readonly string[],
  known: PartialJob = new Map(),
): { job: PartialJob } | { problems: string[] } {
  const read = readWrittenClaims(policy, written);
  if ('problems' in read) return read;
  const { slug, id } = policy.organization;
  const job = new Map<string, string | null>([['organization_slug', slug]]);
  if (id !== undefined) job.set('organization_id', id);
  for (const [claim, value] of known) job.set(claim, value);
  const problems: string[] = [];
  for (const [claim, text] of read.claims) {
    const value = isUuidClaim(claim) ? text.toLowerCase() : text;
    const problem = value === '' ? absenceProblem(claim) : valueProblem(claim, value, policy);
    if (problem !== undefined) problems.push(problem);
    job.set(claim, value === '' ? null : value);
  }
  return problems.length > 0 ? { problems } : { job };
}

function absenceProblem(claim: string): string | undefined {
  return mayBeAbsent(claim) ? undefined : `${claim} is empty: every job has one. Give its value, or leave it out`;
}

function valueProblem(claim: string, value: string, { organization: { id } }: Policy): string | undefined {
  if (!isClaimValue(claim, value))
    return `${claim} cannot be "${value}" in a job token: give a value that Buildkite makes`;
  if (claim === 'organization_id' && id !== undefined && value !== id)
    return "organization_id does not match the policy's organization.id: Keydesk rejects every token of another organization";
  return undefined;
}

/** A job all of whose claims are known, as far as rules of the policy can look at them. */
export function partialJobOf(policy: Policy, claims: JobClaims): PartialJob {
  const tags = policy.rules.flatMap(({ match }) => Object.keys(match).filter((claim) => AGENT_TAG.test(claim)));
  const named = [...MATCHABLE_CLAIMS, ...tags].filter(isMatchableClaim);
  return new Map([
    ['organization_slug', claims.organization_slug],
    ...named.map((claim) => [claim, claimValue(claims, claim) ?? null] as const),
  ]);
}

/** The set of all such jobs. */
export function toJobs(job: PartialJob): Jobs {
  return new Map(
    [...job].map(([claim, value]) => [
      claim,
      { absent: value === null, within: [value === null ? [] : [toLiteral(value)]], without: [] },
    ]),
  );
}

/**
 * The claims that the job must request for its token: those of rules that may grant it something, and those that are stated and that a
 * rule looks at.
 * @param granting names of the rules that match some of the jobs
 */
export function claimsToRequest(policy: Policy, job: PartialJob, granting: ReadonlySet<string>): string[] {
  const named = (rules: Policy['rules']) =>
    rules.flatMap(({ match, conditions }) => [
      ...Object.keys(match),
      ...(needsPipeline(conditions) ? ['pipeline_id'] : []),
    ]);
  const ofOrganization = policy.organization.id === undefined ? [] : ['organization_id'];
  const stated = [...named(policy.rules), ...ofOrganization].filter((claim) => (job.get(claim) ?? null) !== null);
  const needed = named(policy.rules.filter(({ name }) => granting.has(name))).filter(
    (claim) => job.get(claim) !== null,
  );
  return [...new Set([...stated, ...needed])]
    .filter((claim) => isMatchableClaim(claim) && isOptionalClaim(claim))
    .sort();
}

/** The same job with a token that may have any of the claims that it can request. */
export function withAnyRequest(job: PartialJob): PartialJob {
  return new Map(
    [...job].filter(([claim, value]) => value !== null || !isMatchableClaim(claim) || !isOptionalClaim(claim)),
  );
}
