// A statement that says nothing: it is about no job, or about paths and objects that no credential opens.

import { closestName } from '../closest-name.ts';
import type { Policy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import { orCannotTell } from '../policy-analysis/change.ts';
import {
  ALL_JOBS,
  type JobSet,
  meeting,
  organizationDemands,
  ruleDemands,
  type Tools,
} from '../policy-analysis/jobs.ts';
import { jobOutside } from '../policy-analysis/outside.ts';
import type { Target } from './opening.ts';
import type { Statement } from './statements.ts';

type Jobs = Pick<Statement, 'for' | 'unless' | 'path'>;

/** A problem where `unless` has every job of `for`, or of one of its alternatives. None where a search exceeds its bound. */
export function aboutNoJob(policy: Policy, statement: Jobs, newTools: () => Tools): PolicyProblem[] {
  const { for: alternatives, unless, path } = statement;
  if (unless.length === 0) return [];
  const all = meeting(ALL_JOBS, organizationDemands(policy));
  const exceptions = unless.map((one) => ruleDemands(one, policy));
  const hasJob = (set: JobSet | undefined) => {
    const jobs = set ? meeting(all, ruleDemands(set, policy)) : all;
    return orCannotTell(() => jobOutside(jobs, exceptions, newTools())) !== undefined;
  };
  if (!alternatives)
    return hasJob(undefined)
      ? []
      : [{ path: [...path, 'unless'], message: 'matches every job, so the statement is about none. Correct it' }];
  const empty = alternatives.flatMap((match, index) => (hasJob(match) ? [] : [index]));
  return empty.map((index) => ({
    path: [...path, 'for', ...(alternatives.length > 1 ? [index] : [])],
    message: 'Each job that this matches is excepted by unless, so the statement is about none. Correct one of the two',
  }));
}

/** What a statement names and no credential opens: a collection, or the start of names of objects. */
export interface Unopened {
  readonly what: 'collection' | 'prefix';
  readonly name: string;
  /** Perhaps it was meant. */
  readonly near: string | undefined;
}

/** By what the policy says. A service account may open it by its IAM roles. */
export function unopenedOf({ credentials }: Policy, target: Target): Unopened | undefined {
  const all = Object.values(credentials);
  if (target.of === 'documents') {
    const [name = ''] = target.path.split('/');
    const isAsked = (one: { readonly project: string; readonly database: string }) =>
      target.databases?.some(({ project, database }) => one.project === project && one.database === database) ?? true;
    const opened = all.flatMap((one) =>
      one.kind === 'firestore' && isAsked(one) ? one.allow.map(({ path }) => path.split('/')[0] ?? '') : [],
    );
    if (name.startsWith('{') || opened.includes(name)) return undefined;
    return { what: 'collection', name, near: closestName(name, opened) };
  }
  if (target.of !== 'objects') return undefined;
  const { buckets, prefix } = target;
  const opened = all.flatMap((one) =>
    one.kind !== 'firestore' && one.storage && buckets.includes(one.storage.bucket) ? [one.storage.prefix ?? ''] : [],
  );
  if (opened.some((own) => own.startsWith(prefix) || prefix.startsWith(own))) return undefined;
  return { what: 'prefix', name: prefix, near: closestName(prefix, opened) };
}
