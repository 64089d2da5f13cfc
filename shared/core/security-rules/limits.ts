// Firestore's limits on security rules, checked where the rules are generated. Pure: a policy and the file's text in, sentences
// out. Source: https://firebase.google.com/docs/firestore/quotas (Security rules): 1,000 expressions evaluated per request,
// 256 KB of source, 250 KB compiled. Paths have limits of their own: see document-path.ts.

import type { Verb } from '../kinds/firestore.ts';
import type { Policy } from '../policy/policy.ts';
import { type CredentialsByVerb, credentialsByPath, type DatabaseName, databasesOf, newRulesFile } from './generate.ts';

const KB = 1000;
const MAX_SOURCE_BYTES = 256 * KB;
const MAX_COMPILED_BYTES = 250 * KB;
/**
 * Firestore judges a document by every match that covers it, until one allows the request. Each costs about 60 expressions,
 * however many credentials it names: test/emulator/rules-limits.test.ts measures it. Ten leave a third for other rules.
 */
export const MAX_MATCHES_OF_A_DOCUMENT = 9;

/** What Firestore refuses: the deployment of the file, or each request for certain documents. */
export function rulesProblems(policy: Policy, name: DatabaseName, text: string): string[] {
  const problems: string[] = [];
  const paths = [...credentialsByPath(policy, name)];
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > MAX_SOURCE_BYTES)
    problems.push(
      `has ${bytes} bytes, and Firestore accepts ${MAX_SOURCE_BYTES}. ${largestCredential(paths)}. Let pipelines share a credential, or open fewer paths in this database`,
    );
  const verbs = new Set(paths.flatMap(([, holders]) => [...holders.keys()]));
  for (const verb of verbs) {
    const describePath = (path: string) => {
      const [first = '', ...more] = paths.find(([one]) => one === path)?.[1].get(verb) ?? [];
      return `${path} (${first}${more.length > 0 ? ` and ${more.length} more` : ''})`;
    };
    const crowded = crowdedPaths(paths.filter(([, holders]) => holders.has(verb)).map(([path]) => path));
    if (!crowded) continue;
    problems.push(
      `has ${crowded.length} matches for "${verb}" of one document, and Firestore can evaluate ${MAX_MATCHES_OF_A_DOCUMENT} in a request, within its limit of 1,000 expressions. Let fewer paths overlap, such as ${crowded.slice(0, 3).map(describePath).join(', ')}`,
    );
    break;
  }
  return problems;
}

/** The same for the rules of every database that the policy opens, without rules of others. */
export function generatedRulesProblems(policy: Policy): string[] {
  return databasesOf(policy).flatMap((name) =>
    rulesProblems(policy, name, newRulesFile(policy, name)).map(
      (problem) => `the rules file of ${name.project} ${name.database} ${problem}`,
    ),
  );
}

/** What Firestore may refuse: it measures the compiled file, which only its compiler can do exactly. */
export function rulesWarnings(policy: Policy, name: DatabaseName): string[] {
  const bytes = compiledBytes([...credentialsByPath(policy, name)]);
  if (bytes <= MAX_COMPILED_BYTES) return [];
  return [
    `has about ${Math.round(bytes / KB)} KB when it is compiled, and Firestore accepts ${MAX_COMPILED_BYTES / KB} KB, so its deployment may fail. ${largestCredential([...credentialsByPath(policy, name)])}`,
  ];
}

/** The credential that opens the most paths, in words. */
function largestCredential(paths: readonly (readonly [string, CredentialsByVerb])[]): string {
  const counts = new Map<string, number>();
  for (const [, holders] of paths)
    for (const name of new Set([...holders.values()].flatMap((names) => [...names])))
      counts.set(name, (counts.get(name) ?? 0) + 1);
  const [[name, count] = ['', 0]] = [...counts].sort(([, left], [, right]) => right - left);
  return `It has ${paths.length} paths, and the credential with the most is ${name} with ${count}`;
}

/** As the compiler in the emulator's archive (1.19.9) was measured, with 1,000 matches of each shape. */
function compiledBytes(paths: readonly (readonly [string, CredentialsByVerb])[]): number {
  const sizes = paths.map(([path, holders]) => {
    const segments = path.split('/').reduce((sum, segment) => sum + 22 + segment.length, 15);
    const byNames = new Map<string, Verb[]>();
    for (const [verb, names] of holders) {
      const key = [...names].join(' ');
      byNames.set(key, [...(byNames.get(key) ?? []), verb]);
    }
    return [...byNames].reduce((sum, [names, verbs]) => sum + 74 + names.length + 23 * verbs.length, segments);
  });
  return sizes.reduce((sum, size) => sum + size, 2500);
}

interface Rest {
  readonly path: string;
  /** Its segments after those that were walked. */
  readonly segments: readonly string[];
}

/**
 * The paths that cover one document, for the first document that is covered by too many. Walks the tree of documents that the
 * paths name, and only where too many paths still fit.
 */
function crowdedPaths(paths: readonly string[]): string[] | undefined {
  return walk(paths.map((path) => ({ path, segments: path.split('/') })));
}

function walk(fitting: readonly Rest[]): string[] | undefined {
  if (fitting.length <= MAX_MATCHES_OF_A_DOCUMENT) return undefined;
  const covering = fitting.filter(({ segments }) => segments.length === 0 || isRest(segments[0]));
  if (covering.length > MAX_MATCHES_OF_A_DOCUMENT) return covering.map(({ path }) => path);
  const literals = Map.groupBy(
    fitting.filter(({ segments }) => segments[0] !== undefined && !segments[0].startsWith('{')),
    ({ segments }) => segments[0],
  );
  const anyName = fitting.flatMap((each) => {
    const [segment] = each.segments;
    if (isRest(segment)) return [each];
    return segment?.startsWith('{') ? [afterOne(each)] : [];
  });
  for (const literal of [...literals.values(), []]) {
    const crowded = walk([...anyName, ...literal.map(afterOne)]);
    if (crowded) return crowded;
  }
  return undefined;
}

function afterOne({ path, segments }: Rest): Rest {
  return { path, segments: segments.slice(1) };
}

/** `{name=**}` stands for any number of segments, none included. */
function isRest(segment: string | undefined): boolean {
  return segment?.endsWith('=**}') ?? false;
}
