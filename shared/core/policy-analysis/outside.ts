// Whether a set of jobs lies within a union of sets, with a job as the counterexample.

import { ANY_VALUE, type Demand, exampleOf, exclude, restrict } from './claim-values.ts';
import { type Demands, type ExampleJob, exampleJob, type Jobs, type Tools } from './jobs.ts';

/**
 * Finds a job of `jobs` that no alternative covers. An alternative covers the jobs that meet all of its demands. Takes the alternatives
 * one by one: a job outside one fails one of its demands, so there is a case for each demand.
 * @returns undefined when every job is covered
 * @throws CannotTell
 */
export function jobOutside(jobs: Jobs, alternatives: readonly Demands[], tools: Tools): ExampleJob | undefined {
  if (!exampleJob(jobs, tools)) return undefined;
  const relevant: { demands: Demands; unmet: [string, Demand][] }[] = [];
  for (const demands of alternatives) {
    const overlap = overlapWith(jobs, demands, tools);
    if (overlap === 'covered') return undefined;
    if (overlap !== 'disjoint') relevant.push({ demands, unmet: overlap });
  }
  // Fewest cases first.
  relevant.sort((left, right) => left.unmet.length - right.unmet.length);
  const [first, ...rest] = relevant;
  if (!first) return exampleJob(jobs, tools);
  const others = rest.map(({ demands }) => demands);
  let remaining = jobs;
  for (const [claim, demand] of first.unmet) {
    const found = jobOutside(replace(remaining, claim, exclude(valuesOf(remaining, claim), demand)), others, tools);
    if (found) return found;
    // What fails this demand has been looked at.
    remaining = replace(remaining, claim, restrict(valuesOf(remaining, claim), demand));
  }
  return undefined;
}

/** The demands that some of the jobs do not meet. */
function overlapWith(jobs: Jobs, demands: Demands, tools: Tools): 'covered' | 'disjoint' | [string, Demand][] {
  const unmet: [string, Demand][] = [];
  for (const [claim, demand] of demands) {
    const values = valuesOf(jobs, claim);
    if (exampleOf(claim, restrict(values, demand), tools) === undefined) return 'disjoint';
    if (exampleOf(claim, exclude(values, demand), tools) !== undefined) unmet.push([claim, demand]);
  }
  return unmet.length === 0 ? 'covered' : unmet;
}

function valuesOf(jobs: Jobs, claim: string) {
  return jobs.get(claim) ?? ANY_VALUE;
}

function replace(jobs: Jobs, claim: string, values: ReturnType<typeof valuesOf>): Jobs {
  return new Map(jobs).set(claim, values);
}
