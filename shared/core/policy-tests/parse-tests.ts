// Reads the text of a test file for one policy: YAML in, cases and statements or problems with their places out.

import { explainKeys } from '../policy/missing-dashes.ts';
import { explainNull } from '../policy/null-values.ts';
import { byPlace, type LocatedProblem } from '../policy/places.ts';
import { describeIssue, MISSING, type PolicyProblem, toPolicyProblems } from '../policy/problems.ts';
import { readYaml } from '../policy/yaml-file.ts';
import { syntaxMistakes } from '../policy/yaml-syntax.ts';
import type { Tools } from '../policy-analysis/jobs.ts';
import { parseCases, type TestCase } from './cases.ts';
import { explainTestKey } from './names.ts';
import { needlessAssumptions } from './prove.ts';
import { type PolicyAndFile, parseStatements, type Statement } from './statements.ts';
import { testFileSchema } from './test-file.ts';
import { explainTestValue } from './value-mistakes.ts';

export interface PolicyTests {
  readonly cases: readonly TestCase[];
  readonly statements: readonly Statement[];
  /** The place of a case or a statement in the file. */
  readonly placeOf: (path: PolicyProblem['path']) => { readonly line: number; readonly column: number };
}

const SHAPE = {
  noun: 'a test file',
  keys: ['cases', 'statements'],
  advice: 'A test file is a map that begins with version: 1.',
};

/** @returns the tests, or all problems in the order of the file */
export function parseTests(
  text: string,
  policy: PolicyAndFile,
  newTools: () => Tools,
): PolicyTests | { problems: LocatedProblem[] } {
  const file = readYaml(text, { syntaxMistakes, shape: SHAPE, explainKeys });
  if ('problems' in file) return { problems: file.problems.sort(byPlace) };
  const result = parseData(file.data, policy, newTools);
  const problems = file.problemsWith(result.problems, (problem) =>
    explainTestKey(explainNull(explainTestValue(problem, file.data), file.nulls, text)),
  );
  if (problems.length > 0) return { problems: problems.sort(byPlace) };
  const placeOf: PolicyTests['placeOf'] = (path) => {
    const { line, column } = file.places.of({ path, message: '' });
    return { line, column };
  };
  return { cases: result.cases, statements: result.statements, placeOf };
}

function parseData(data: unknown, policy: PolicyAndFile, newTools: () => Tools) {
  const parsed = testFileSchema.safeParse(data, { error: describeIssue, reportInput: true });
  if (!parsed.success) {
    const problems = toPolicyProblems(parsed.error.issues);
    return { cases: [], statements: [], problems: withoutConsequences(problems) };
  }
  const { job, cases: writtenCases, statements: writtenStatements } = parsed.data;
  const { cases, problems: ofCases } = parseCases(writtenCases, job, policy.policy);
  const { statements, problems: ofStatements } = parseStatements(writtenStatements, policy, newTools);
  const needless = statements.flatMap((statement) => needlessAssumptions(policy.policy, statement, newTools));
  return { cases, statements, problems: [...ofCases, ...ofStatements, ...needless] };
}

/** A map with an unknown key probably lacks the one that was meant. */
function withoutConsequences(problems: readonly PolicyProblem[]): PolicyProblem[] {
  const keyOf = (path: PolicyProblem['path']) => path.join('\n');
  const withUnknownKeys = new Set(problems.flatMap(({ path, at }) => (at === 'key' ? [keyOf(path.slice(0, -1))] : [])));
  return problems.filter(({ path, message, at }) => {
    const map = message.startsWith(MISSING) ? path.slice(0, -1) : path;
    return at === 'key' || !withUnknownKeys.has(keyOf(map));
  });
}
