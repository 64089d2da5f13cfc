// What tests of one version of a policy demand and those of another do not. A change that removes a statement, and then what the statement
// forbids, passes every other check.

import { readYaml } from '../policy/yaml-file.ts';
import { syntaxMistakes } from '../policy/yaml-syntax.ts';
import { describeStatement } from './describe-statement.ts';
import { testFileSchema, type WrittenCase, type WrittenJob, type WrittenStatement } from './test-file.ts';

export interface TestText {
  readonly file: string;
  readonly text: string;
}

export interface LostTest {
  /** Of a file of tests that could not be read, so that what it demands is not known. */
  readonly kind: 'statement' | 'case' | 'file';
  /** A statement without a name is called by what it says. */
  readonly name: string;
  /** `changed` where another test has the name. */
  readonly change: 'removed' | 'changed' | 'unreadable';
}

interface DemandingTest {
  readonly kind: 'statement' | 'case';
  readonly name: string;
  /** The same for tests that demand the same. */
  readonly key: string;
}

/** Statements, and cases that say what a job does not get. It does not matter in which file one is. */
export function lostTests(before: readonly TestText[], after: readonly TestText[]): LostTest[] {
  const [old, new_] = [before.map(demandsOf), after.flatMap((one) => demandsOf(one) ?? [])];
  const kept = new Set(new_.map(({ key }) => key));
  const unreadable = before.filter((_, index) => old[index] === undefined);
  return [
    ...unreadable.map(({ file }): LostTest => ({ kind: 'file', name: file, change: 'unreadable' })),
    ...old
      .flatMap((tests) => tests ?? [])
      .filter(({ key }) => !kept.has(key))
      .map(({ kind, name }): LostTest => {
        const isChanged = new_.some((other) => other.kind === kind && other.name === name);
        return { kind, name, change: isChanged ? 'changed' : 'removed' };
      }),
  ];
}

/** @returns undefined for what is no file of tests */
function demandsOf({ text }: TestText): DemandingTest[] | undefined {
  const shape = { noun: 'a test file', keys: ['cases', 'statements'], advice: '' };
  const file = readYaml(text, { syntaxMistakes, shape, explainKeys: (problem) => problem });
  const read = 'problems' in file ? undefined : testFileSchema.safeParse(file.data).data;
  if (!read) return undefined;
  const { job, cases, statements } = read;
  return [...statements.map(toStatement), ...cases.flatMap((one) => toCase(one, job) ?? [])];
}

function toStatement({ name, ...demand }: WrittenStatement): DemandingTest {
  return { kind: 'statement', name: name ?? describeStatement(demand), key: keyOf(demand) };
}

function toCase(
  { name, job, conditions, gets, refused, granted }: WrittenCase,
  common: WrittenJob,
): DemandingTest | undefined {
  if (!gets && !refused) return undefined;
  return { kind: 'case', name, key: keyOf({ job: { ...common, ...job }, conditions, gets, refused, granted }) };
}

/** The order of keys and of lists has no meaning in a test. */
function keyOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(keyOf).sort().join()}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? '';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members
    .map(([key, member]) => `${JSON.stringify(key)}:${keyOf(member)}`)
    .sort()
    .join()}}`;
}
