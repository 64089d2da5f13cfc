// Sets of jobs. A rule matches the jobs whose claims meet its demands, one claim independent of another; a policy grants a credential to
// the jobs of several rules.

import { type Conditions, needsPipeline } from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';
import type { Match } from '../policy/rule.ts';
import { ANY_VALUE, type ClaimValues, type Demand, exampleOf, restrict } from './claim-values.ts';
import { conditionDemands, isConditionClaim, type NamesOfConditions } from './condition-claims.ts';
import { fromLiteral, type TextFinder, toLiteral } from './texts.ts';
import type { Work } from './work.ts';

/** What a rule, or something written like one, demands of each claim. A claim without a demand may be anything. */
export type Demands = readonly (readonly [claim: string, demand: Demand])[];

/** A set of jobs: for each claim its values. A claim that is not in it may have any. */
export type Jobs = ReadonlyMap<string, ClaimValues>;

/** The claims of a job; null for one that its token lacks. Claims that are not in it may have any value. */
export type ExampleJob = ReadonlyMap<string, string | null>;

export interface Tools {
  readonly finder: TextFinder;
  readonly work: Work;
}

export const ALL_JOBS: Jobs = new Map();

/** The demands of a rule's `match`, as `decide` reads them. */
export function demandsOf(match: Match): Demands {
  const demands = Object.entries(match).map(([claim, patterns]) => [claim, { absent: false, patterns }] as const);
  // A rule that names branches matches no build of a tag, unless it names tags.
  const onlyBranches = 'build_branch' in match && !('build_tag' in match);
  return onlyBranches ? [...demands, ['build_tag', { absent: true, patterns: [] }]] : demands;
}

const ANY_PIPELINE = ['pipeline_id', { absent: false, patterns: ['**'] }] as const;

/** What of a rule says which jobs it matches. */
export interface JobSet {
  readonly match: Match;
  readonly conditions: Conditions;
}

/** The demands of a rule, those of its conditions among them. */
export function ruleDemands({ match, conditions }: JobSet, names: NamesOfConditions): Demands {
  // What Buildkite has of a pipeline is found by its UUID.
  const ofPipeline = needsPipeline(conditions) && !('pipeline_id' in match) ? [ANY_PIPELINE] : [];
  return [...demandsOf(match), ...ofPipeline, ...conditionDemands(conditions, names)];
}

/** The demands that a policy makes of every job. */
export function organizationDemands({ organization: { slug, id } }: Policy): Demands {
  const ofSlug = ['organization_slug', { absent: false, patterns: [toLiteral(slug)] }] as const;
  return id === undefined ? [ofSlug] : [ofSlug, ['organization_id', { absent: false, patterns: [id] }]];
}

/** The jobs that a policy grants a credential to: those that meet all demands of one of these. */
export function grantedJobs(policy: Policy, credential: string): Demands[] {
  const organization = organizationDemands(policy);
  return policy.rules
    .filter(({ grants }) => grants.includes(credential))
    .map((rule) => [...organization, ...ruleDemands(rule, policy)]);
}

/** The jobs of a set that meet demands. */
export function meeting(jobs: Jobs, demands: Demands): Jobs {
  const met = new Map(jobs);
  for (const [claim, demand] of demands) met.set(claim, restrict(met.get(claim) ?? ANY_VALUE, demand));
  return met;
}

/** @returns a job of the set; undefined when it is empty. @throws CannotTell */
export function exampleJob(jobs: Jobs, tools: Tools): ExampleJob | undefined {
  const job = someJob(jobs, tools);
  return job && toExample(job);
}

/** The same with values as they are in demands: see {@link toLiteral}. */
export function someJob(jobs: Jobs, tools: Tools): ExampleJob | undefined {
  const example = new Map<string, string | null>();
  for (const [claim, values] of jobs) {
    const value = exampleOf(claim, values, tools);
    if (value === undefined) return undefined;
    example.set(claim, value);
  }
  return example;
}

/** @param job as someJob has it */
export function toExample(job: ExampleJob): ExampleJob {
  const isWritten = (claim: string) => claim === 'organization_slug' || isConditionClaim(claim);
  return new Map(
    [...job].map(([claim, value]) => [claim, value !== null && isWritten(claim) ? fromLiteral(value) : value]),
  );
}
