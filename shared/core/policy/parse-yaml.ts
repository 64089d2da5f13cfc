// Reads the text of a policy file: YAML in, a policy or problems with their places out.
// Knows YAML; what a policy is, it leaves to core/policy.ts.

import { createHash } from 'node:crypto';
import type { Document } from 'yaml';
import type { FileShape } from './file-shape.ts';
import type { RepairedKeys } from './misspelt-keys.ts';
import { byPlace, type LocatedProblem } from './places.ts';
import { type Policy, parsePolicyData, type WrittenPolicy } from './policy.ts';
import type { PolicyProblem } from './problems.ts';
import { visible } from './visible-text.ts';
import { readYaml, type YamlExplanations } from './yaml-file.ts';
import type { Findings } from './yaml-values.ts';

export interface LoadedPolicy {
  readonly policy: Policy;
  /** SHA-256 of the file's text, hex. Each grant of this policy records it. */
  readonly sha256: string;
}

/** A policy with the file that it was read from, for checks that look at the file. */
export interface ReadPolicy extends LoadedPolicy {
  /** With the names of pipelines and databases, which `policy` has replaced. */
  readonly written: WrittenPolicy;
  readonly contents: Document['contents'];
  readonly text: string;
  /** Finds the place of a warning. */
  readonly locate: (problem: PolicyProblem) => LocatedProblem;
}

/** How mistakes are explained. */
export interface Explanations extends Omit<YamlExplanations, 'shape'> {
  readonly repairKeys: (data: unknown) => RepairedKeys;
  /** Explains a problem of a value in `data`; others stay as they are. */
  readonly explainValue: (problem: PolicyProblem, data: unknown) => PolicyProblem;
  /** Explains a problem that a null causes; others stay as they are. */
  readonly explainNull: (problem: PolicyProblem, nulls: Findings['nulls'], text: string) => PolicyProblem;
}

/** For logs. */
const IN_SHORT: Explanations = {
  // The others are mostly consequences.
  syntaxMistakes: ({ errors, warnings }) =>
    [...errors, ...warnings]
      .slice(0, 1)
      .map(({ pos: [start, end], message }) => ({ span: { start, end }, message: `This is not YAML: ${message}.` })),
  repairKeys: (data) => ({ data, problems: [], writtenPath: (path) => path }),
  explainKeys: (keys) => keys,
  explainValue: (problem) => problem,
  explainNull: (problem) => problem,
};

/** @returns the policy, or all of its problems in the order of the file */
export function parsePolicyText(
  text: string,
  explanations: Explanations = IN_SHORT,
): ReadPolicy | { problems: LocatedProblem[] } {
  const result = readPolicy(text, explanations);
  return 'policy' in result ? result : { problems: result.problems.sort(byPlace) };
}

function readPolicy(text: string, explanations: Explanations): ReadPolicy | { problems: LocatedProblem[] } {
  const file = readYaml(text, { ...explanations, shape: SHAPE });
  if ('problems' in file) return file;
  const { data, problems: keyMistakes, writtenPath } = explanations.repairKeys(file.data);
  const result = parsePolicyData(data);
  const mistakes = 'problems' in result ? result.problems : [];
  const explained = mistakes.map((problem) => explanations.explainValue(problem, data));
  const problems = [...keyMistakes, ...explained.map((problem) => ({ ...problem, path: writtenPath(problem.path) }))];
  const located = file.problemsWith(problems, (problem) => explanations.explainNull(problem, file.nulls, text));
  if (located.length > 0 || !('policy' in result)) return { problems: located };
  const sha256 = createHash('sha256').update(text).digest('hex');
  return { ...result, sha256, contents: file.contents, text, locate: file.places.of };
}

const SHAPE: FileShape = {
  noun: 'a policy',
  keys: ['version', 'organization', 'audience', 'environments', 'credentials', 'rules'],
  advice: 'A policy is a map that begins with version: 1.',
};

/**
 * @param file the name to put into messages
 * @returns the policy, or all of its problems, each on one line, for a log
 */
export function parsePolicy(text: string, file: string): LoadedPolicy | { problems: string[] } {
  const result = parsePolicyText(text);
  // Without the file, which a function would hold for as long as it runs.
  if ('policy' in result) return { policy: result.policy, sha256: result.sha256 };
  return {
    problems: result.problems.map(({ line, column, where, message }) =>
      visible(`${file}:${line}:${column}: ${where === '' ? '' : `${where}: `}${message}`),
    ),
  };
}
