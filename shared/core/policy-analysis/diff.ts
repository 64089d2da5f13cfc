// Compares two policies: for each credential whether a job gets more by the new one, or less, with an example.

import type { Policy } from '../policy/policy.ts';
import { type Change, compareSets, type Direction, directionOf } from './change.ts';
import { credentialChanges } from './credential-changes.ts';
import { ALL_JOBS, type ExampleJob, grantedJobs, meeting, type Tools } from './jobs.ts';
import { jobOutside } from './outside.ts';
import { policyChanges } from './policy-changes.ts';
import { differingRules } from './rule-differences.ts';
import { TextFinder } from './texts.ts';
import { Work } from './work.ts';

export type Verdict = 'unchanged' | 'narrower' | 'wider' | 'both' | 'new' | 'gone' | 'cannot tell';

export interface CredentialDiff {
  readonly credential: string;
  readonly verdict: Verdict;
  /** Empty when nothing differs. `neither` is only here. */
  readonly changes: readonly Change[];
  /** Of a new credential: a job that gets it; undefined when no job does. Of one that is gone: a job that got it. */
  readonly example?: ExampleJob;
}

export interface PolicyDiff {
  /** What holds for all credentials: the organization, limits, guards. */
  readonly changes: readonly Change[];
  /** In the order of the new policy; those that are gone come last. */
  readonly credentials: readonly CredentialDiff[];
  /** Whether anything is wider, or may be. */
  readonly widens: boolean;
}

export function diffPolicies(before: Policy, after: Policy): PolicyDiff {
  const finder = new TextFinder();
  // Each search has a bound of its own.
  const newTools = (): Tools => ({ finder, work: new Work() });
  const names = Object.keys(after.credentials);
  const gone = Object.keys(before.credentials).filter((name) => !Object.hasOwn(after.credentials, name));
  const credentials = [...names, ...gone].map((name) => diffCredential(name, before, after, newTools));
  const changes = policyChanges(before, after);
  const widens =
    changes.some(({ direction }) => isWider(direction)) ||
    credentials.some(({ verdict, example }) => (verdict === 'new' ? example !== undefined : isWider(verdict)));
  return { changes, credentials, widens };
}

function isWider(verdict: Direction | Verdict): boolean {
  return verdict === 'wider' || verdict === 'both' || verdict === 'cannot tell';
}

function diffCredential(name: string, before: Policy, after: Policy, newTools: () => Tools): CredentialDiff {
  const jobs = jobsChange(name, before, after, newTools);
  const old = Object.hasOwn(before.credentials, name) ? before.credentials[name] : undefined;
  const new_ = Object.hasOwn(after.credentials, name) ? after.credentials[name] : undefined;
  if (!old || !new_) return newOrGone(name, jobs, old === undefined);
  const changes = [...jobs, ...credentialChanges(old, new_, newTools)];
  return { credential: name, verdict: verdictOf(changes), changes };
}

function newOrGone(credential: string, [change]: readonly Change[], isNew: boolean): CredentialDiff {
  const example = isNew ? change?.gained : change?.lost;
  const verdict = change?.direction === 'cannot tell' && isNew ? 'cannot tell' : isNew ? 'new' : 'gone';
  return { credential, verdict, changes: [], ...(example && 'job' in example && { example: example.job }) };
}

function verdictOf(changes: readonly Change[]): Verdict {
  const has = (...directions: Direction[]) => changes.some(({ direction }) => directions.includes(direction));
  const known = directionOf(has('wider', 'both'), has('narrower', 'both'));
  if (has('cannot tell') && !has('wider', 'both')) return 'cannot tell';
  return known === undefined || known === 'neither' ? 'unchanged' : known;
}

function jobsChange(name: string, before: Policy, after: Policy, newTools: () => Tools): Change[] {
  return compareSets(
    {
      what: 'jobs',
      ...differingRules(before, after, name),
      note: 'The rules are too many or too complex to compare.',
    },
    {
      gained: () => grantedOutside(after, before, name, newTools()),
      lost: () => grantedOutside(before, after, name, newTools()),
    },
    (job) => ({ job }),
  );
}

/** A job that one policy grants a credential to and another does not. */
function grantedOutside(policy: Policy, other: Policy, credential: string, tools: Tools): ExampleJob | undefined {
  const alternatives = grantedJobs(other, credential);
  const same = new Set(alternatives.map((demands) => JSON.stringify(demands)));
  for (const demands of grantedJobs(policy, credential)) {
    if (same.has(JSON.stringify(demands))) continue;
    const job = jobOutside(meeting(ALL_JOBS, demands), alternatives, tools);
    if (job) return job;
  }
  return undefined;
}
