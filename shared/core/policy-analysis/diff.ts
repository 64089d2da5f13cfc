// Compares two policies: for each credential whether a job gets more by the new one, or less, with an example.

import type { Policy } from '../policy/policy.ts';
import { type Change, compareSets, type Direction, directionOf } from './change.ts';
import { credentialChanges } from './credential-changes.ts';
import { ALL_JOBS, type Demands, type ExampleJob, grantedJobs, meeting, type Tools } from './jobs.ts';
import { jobOutside } from './outside.ts';
import { policyChanges } from './policy-changes.ts';
import { differingRules } from './rule-differences.ts';
import { TextFinder } from './texts.ts';
import { WorkTogether } from './work.ts';

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

interface Search {
  readonly before: Policy;
  readonly after: Policy;
  readonly finder: TextFinder;
  readonly work: WorkTogether;
  /** By the rules that grant a credential. */
  readonly jobs: Map<string, Change[]>;
}

export function diffPolicies(before: Policy, after: Policy): PolicyDiff {
  const search: Search = { before, after, finder: new TextFinder(), work: new WorkTogether(), jobs: new Map() };
  const names = Object.keys(after.credentials);
  const gone = Object.keys(before.credentials).filter((name) => !Object.hasOwn(after.credentials, name));
  const credentials = [...names, ...gone].map((name) => diffCredential(name, search));
  const changes = policyChanges(before, after);
  const widens =
    changes.some(({ direction }) => isWider(direction)) ||
    credentials.some(({ verdict, example }) => (verdict === 'new' ? example !== undefined : isWider(verdict)));
  return { changes, credentials, widens };
}

function isWider(verdict: Direction | Verdict): boolean {
  return verdict === 'wider' || verdict === 'both' || verdict === 'cannot tell';
}

function diffCredential(name: string, search: Search): CredentialDiff {
  const { before, after } = search;
  const jobs = jobsChange(name, search);
  const old = Object.hasOwn(before.credentials, name) ? before.credentials[name] : undefined;
  const new_ = Object.hasOwn(after.credentials, name) ? after.credentials[name] : undefined;
  if (!old || !new_) return newOrGone(name, jobs, old === undefined);
  const changes = [...jobs, ...credentialChanges(old, new_, () => newTools(search))];
  return { credential: name, verdict: verdictOf(changes), changes };
}

function newTools({ finder, work }: Search): Tools {
  return { finder, work: work.next() };
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

/** Credentials that the same rules grant have the same jobs. */
function jobsChange(name: string, search: Search): Change[] {
  const { before, after, jobs } = search;
  const key = JSON.stringify(
    [before, after].map(({ rules }) => rules.map(({ grants }) => Number(grants.includes(name)))),
  );
  const known = jobs.get(key);
  if (known) return known;
  const changes = compareJobs(name, search);
  jobs.set(key, changes);
  return changes;
}

function compareJobs(name: string, search: Search): Change[] {
  const { before, after } = search;
  const sameOrganization = JSON.stringify(before.organization) === JSON.stringify(after.organization);
  const changes = compareSets(
    {
      what: 'jobs',
      ...differingRules(before, after, name),
      note: 'The rules are too many or too complex to compare.',
    },
    {
      gained: () => grantedOutside(after, before, name, newTools(search)),
      lost: () => grantedOutside(before, after, name, newTools(search)),
    },
    (job) => ({ job }),
  );
  return sameOrganization ? changes : changes.map(({ note, ...change }) => ({ ...change, note: note ?? ORGANIZATION }));
}

const ORGANIZATION =
  'The organization differs. An example is of the organization of its policy, and explain takes that organization.';

/** A job that one policy grants a credential to and another does not. */
function grantedOutside(policy: Policy, other: Policy, credential: string, tools: Tools): ExampleJob | undefined {
  const alternatives = byContent(grantedJobs(other, credential));
  for (const [content, demands] of byContent(grantedJobs(policy, credential))) {
    if (alternatives.has(content)) continue;
    const job = jobOutside(meeting(ALL_JOBS, demands), [...alternatives.values()], tools);
    if (job) return job;
  }
  return undefined;
}

/** Each of those that say the same once. */
function byContent(list: readonly Demands[]): Map<string, Demands> {
  return new Map(list.map((demands) => [JSON.stringify(demands), demands]));
}
