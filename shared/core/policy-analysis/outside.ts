// Whether a set of jobs lies within a union of sets, with a job as the counterexample.

import { ANY_VALUE, type Demand, exampleOf, exclude, restrict } from './claim-values.ts';
import { type Demands, type ExampleJob, type Jobs, someJob, type Tools, toExample } from './jobs.ts';
import { fitsPattern } from './texts.ts';

/** Demands, or claims, that are looked at in about the time of another step. */
const LOOKS_OF_STEP = 8;

/**
 * Finds a job of `jobs` that no alternative covers. An alternative covers the jobs that meet all of its demands.
 * @returns undefined when every job is covered
 * @throws CannotTell
 */
export function jobOutside(jobs: Jobs, alternatives: readonly Demands[], tools: Tools): ExampleJob | undefined {
  const example = someJob(jobs, tools);
  const found = example && outsideFrom({ jobs, example }, alternatives, tools);
  return found && toExample(found);
}

interface Case {
  readonly jobs: Jobs;
  /** One of the jobs. */
  readonly example: ExampleJob;
}

/**
 * Tries one job at a time. Where an alternative covers it, a job outside fails one of the alternative's demands, so there is a case for
 * each demand.
 */
function outsideFrom({ jobs, example }: Case, alternatives: readonly Demands[], tools: Tools): ExampleJob | undefined {
  const found = new Map(example);
  const covering = alternatives.filter((demands) => !failsOne(demands, found, tools));
  const [first, ...others] = covering.map((demands) => ({ demands, failing: waysToFail(jobs, demands, tools) }));
  if (!first) return found;
  const { demands, failing } = others.reduce(
    (one, other) => (other.failing.length < one.failing.length ? other : one),
    first,
  );
  const rest = alternatives.filter((alternative) => alternative !== demands);
  let remaining: Case = { jobs, example };
  // Each way makes two maps of all claims, twice.
  tools.work.spend((failing.length * (jobs.size + example.size)) / LOOKS_OF_STEP);
  for (const { claim, demand } of failing) {
    const values = valuesOf(remaining.jobs, claim);
    // Another demand of the claim may have been met by now.
    const value = exampleOf(claim, exclude(values, demand), tools);
    if (value === undefined) continue;
    const outside = outsideFrom(change(remaining, claim, exclude(values, demand), value), rest, tools);
    if (outside) return outside;
    // What fails this demand has been looked at. The example meets it.
    remaining = change(remaining, claim, restrict(values, demand), valueIn(example, claim, tools));
  }
  return undefined;
}

/** Whether a job fails a demand. Where it may have any value, `job` gets one that fails. */
function failsOne(demands: Demands, job: Map<string, string | null>, tools: Tools): boolean {
  tools.work.spend((1 + demands.length) / LOOKS_OF_STEP);
  const fails = ([claim, demand]: readonly [string, Demand]) => !meets(demand, valueIn(job, claim, tools), tools);
  if (demands.some((one) => job.has(one[0]) && fails(one))) return true;
  const [claim] = demands.find((one) => !job.has(one[0]) && fails(one)) ?? [];
  if (claim === undefined) return false;
  job.set(claim, valueIn(job, claim, tools));
  return true;
}

function meets({ absent, patterns }: Demand, value: string | null, { work }: Tools): boolean {
  return value === null ? absent : patterns.some((pattern) => fitsPattern(pattern, value, work));
}

/** The value of a job that may have any is always the same one. */
function valueIn(job: ExampleJob, claim: string, tools: Tools): string | null {
  return job.has(claim) ? (job.get(claim) ?? null) : (exampleOf(claim, ANY_VALUE, tools) ?? null);
}

/** The demands that some of the jobs do not meet. */
function waysToFail(jobs: Jobs, demands: Demands, tools: Tools) {
  // Each set of values is made from those before.
  const parts = demands.reduce((sum, [claim]) => sum + valuesOf(jobs, claim).without.length, 0);
  tools.work.spend(demands.length + parts / LOOKS_OF_STEP);
  return demands
    .filter(([claim, demand]) => exampleOf(claim, exclude(valuesOf(jobs, claim), demand), tools) !== undefined)
    .map(([claim, demand]) => ({ claim, demand }));
}

function valuesOf(jobs: Jobs, claim: string) {
  return jobs.get(claim) ?? ANY_VALUE;
}

function change(
  { jobs, example }: Case,
  claim: string,
  values: ReturnType<typeof valuesOf>,
  value: string | null,
): Case {
  return { jobs: new Map(jobs).set(claim, values), example: new Map(example).set(claim, value) };
}
