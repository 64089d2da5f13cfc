// A statement of a test file: what no job, or every job of a set, gets. Names are checked against the policy.

import type { Verb } from '../kinds/firestore.ts';
import { documentPathProblem } from '../policy/document-path.ts';
import type { Policy, WrittenPolicy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import { VERBS } from '../policy-analysis/documents.ts';
import type { JobSet, Tools } from '../policy-analysis/jobs.ts';
import { describeStatement } from './describe-statement.ts';
import { aboutNoJob } from './empty-statement.ts';
import { parseMatches } from './matches.ts';
import { unknownName, unknownNames } from './names.ts';
import type { Target } from './opening.ts';
import type { WrittenStatement } from './test-file.ts';

type Path = PolicyProblem['path'];

export interface Statement {
  /** Its name, or what it says. */
  readonly title: string;
  readonly path: Path;
  readonly says:
    | { readonly never: Target }
    /** Names of credentials. */
    | { readonly always: readonly string[] };
  /** The statement is about jobs that meet one of these; undefined for every job. */
  readonly for: readonly JobSet[] | undefined;
  /** It is not about jobs that meet one of these. */
  readonly unless: readonly JobSet[];
  /** By the name of a credential, why it does not open what the statement is about. */
  readonly assume: Readonly<Record<string, string>>;
}

/** A policy, also as it is in the file. */
export interface PolicyAndFile {
  readonly policy: Policy;
  readonly written: WrittenPolicy;
}

export function parseStatements(
  written: readonly WrittenStatement[],
  policy: PolicyAndFile,
  newTools: () => Tools,
): { readonly statements: readonly Statement[]; readonly problems: readonly PolicyProblem[] } {
  const parsed = written.map((one, index) => parseStatement(one, ['statements', index], policy, newTools));
  return {
    statements: parsed.flatMap(({ statement, problems }) => (problems.length > 0 ? [] : [statement])),
    problems: parsed.flatMap(({ problems }) => problems),
  };
}

function parseStatement(
  written: WrittenStatement,
  path: Path,
  { policy, written: writtenPolicy }: PolicyAndFile,
  newTools: () => Tools,
): { statement: Statement; problems: readonly PolicyProblem[] } {
  const matchesOf = (key: 'for' | 'unless') =>
    written[key] === undefined
      ? { matches: undefined, problems: [] }
      : parseMatches(written[key], [...path, key], policy, newTools);
  const [ofJobs, exceptions] = [matchesOf('for'), matchesOf('unless')];
  const subject = written.never
    ? parseNever(written.never, [...path, 'never'], policy, writtenPolicy)
    : parseAlways(written.always?.credential ?? [], [...path, 'always'], policy);
  const assume = written.assume ?? {};
  const statement = {
    title: written.name ?? describeStatement(written),
    path,
    says: subject.says,
    for: ofJobs.matches,
    unless: exceptions.matches ?? [],
    assume,
  };
  const ofMatches = [...ofJobs.problems, ...exceptions.problems];
  return {
    statement,
    problems: [
      ...subject.problems,
      ...(ofMatches.length > 0 ? ofMatches : aboutNoJob(policy, statement, newTools)),
      ...assumeProblems(assume, path, policy),
    ],
  };
}

interface Parsed {
  readonly says: Statement['says'];
  readonly problems: readonly PolicyProblem[];
}

function parseAlways(names: readonly string[], path: Path, { credentials }: Policy): Parsed {
  return { says: { always: names }, problems: unknownCredentials(names, path, Object.keys(credentials)) };
}

function unknownCredentials(names: readonly string[], path: Path, known: readonly string[]): PolicyProblem[] {
  return unknownNames(names, known, { noun: 'a credential', path: [...path, 'credential'] });
}

function parseNever(
  never: NonNullable<WrittenStatement['never']>,
  path: Path,
  policy: Policy,
  { databases }: WrittenPolicy,
): Parsed {
  const { credential, environment, bucket, prefix = '' } = never;
  if (credential) {
    const problems = unknownCredentials(credential, path, Object.keys(policy.credentials));
    return { says: { never: { of: 'credentials', names: credential } }, problems };
  }
  if (environment) return ofEnvironments(environment, path, policy);
  if (bucket) {
    const problems = [...unknownBuckets(bucket, path, policy), ...prefixProblems(prefix, path)];
    return { says: { never: { of: 'objects', buckets: bucket, prefix } }, problems };
  }
  const named = never.database;
  const target: Target = {
    of: 'documents',
    path: never.path ?? '',
    verbs: never.verb ? toVerbs(never.verb) : VERBS,
    databases: named?.flatMap((name) => databases[name] ?? []),
  };
  // A statement may be about every collection.
  const mistake = documentPathProblem(target.path.replace(/^\{\w+\}(?=\/)/, 'any'));
  return {
    says: { never: target },
    problems: [
      ...(mistake === undefined ? [] : [{ path: [...path, 'path'], message: mistake }]),
      ...unknownNames(named ?? [], Object.keys(databases), { noun: 'a database', path: [...path, 'database'] }),
    ],
  };
}

function ofEnvironments(names: readonly string[], path: Path, { environments, credentials }: Policy): Parsed {
  const problems = names.flatMap((name, index): PolicyProblem[] => {
    const where = [...path, 'environment', index];
    if (!Object.hasOwn(environments, name))
      return [{ path: where, message: unknownName(name, Object.keys(environments), 'an environment') }];
    if (Object.values(credentials).some(({ environment }) => environment === name)) return [];
    return [{ path: where, message: `"${name}" has no credentials, so the statement says nothing. Remove it` }];
  });
  const named = Object.entries(credentials).filter(([, { environment }]) => names.includes(environment));
  return { says: { never: { of: 'credentials', names: named.map(([name]) => name) } }, problems };
}

function unknownBuckets(names: readonly string[], path: Path, { credentials }: Policy): PolicyProblem[] {
  const known = Object.values(credentials).flatMap((credential) =>
    credential.kind !== 'firestore' && credential.storage ? [credential.storage.bucket] : [],
  );
  return unknownNames(names, [...new Set(known)], { noun: 'a bucket of a credential', path: [...path, 'bucket'] });
}

function prefixProblems(prefix: string, path: Path): PolicyProblem[] {
  const where = [...path, 'prefix'];
  if (prefix.includes('*')) return [{ path: where, message: 'must be the start of names, without wildcards' }];
  return prefix.startsWith('/') ? [{ path: where, message: 'must not begin with a slash' }] : [];
}

function toVerbs(written: NonNullable<NonNullable<WrittenStatement['never']>['verb']>): Verb[] {
  const verbs = new Set<Verb>();
  for (const verb of written) {
    if (verb === 'read') verbs.add('get').add('list');
    else if (verb === 'write') verbs.add('create').add('update').add('delete');
    else verbs.add(verb);
  }
  return [...verbs];
}

function assumeProblems(assume: Statement['assume'], path: Path, { credentials }: Policy): PolicyProblem[] {
  const known = Object.keys(credentials);
  return Object.entries(assume).flatMap(([name, reason]): PolicyProblem[] => {
    const where = [...path, 'assume', name];
    if (!known.includes(name)) return [{ path: where, message: unknownName(name, known, 'a credential'), at: 'key' }];
    return /\S\s+\S+\s+\S/.test(reason) ? [] : [{ path: where, message: 'must have a reason of three words or more' }];
  });
}
