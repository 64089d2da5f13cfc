// Reads the text of a policy file: YAML in, a policy or problems with their places out.
// Knows YAML; what a policy is, it leaves to core/policy.ts.

import { createHash } from 'node:crypto';
import { type Document, parseDocument, visit } from 'yaml';
import { createPlaces, type LocatedProblem } from './places.ts';
import { type Policy, parsePolicyData } from './policy.ts';
import type { PolicyProblem } from './problems.ts';
import { visible } from './visible-text.ts';
import { toData, type YamlProblem } from './yaml-data.ts';

export interface LoadedPolicy {
  readonly policy: Policy;
  /** SHA-256 of the file's text, hex: stands on every grant made under it. */
  readonly sha256: string;
}

/** @returns the policy, or all of its problems in the order of the file */
export function parsePolicyText(text: string): LoadedPolicy | { problems: LocatedProblem[] } {
  const document = readYaml(text);
  const { at, of } = createPlaces(text, document.contents);
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0)
    return { problems: faults.map(({ pos: [start, end], message }) => at({ start, end }, message)) };
  if (document.contents === null) return { problems: [at({ start: 0, end: 0 }, 'The file holds no policy.')] };
  const expanded = toData(document);
  const unclear = [...ambiguousScalars(document), ...('problems' in expanded ? expanded.problems : [])];
  if (unclear.length > 0 || 'problems' in expanded)
    return { problems: unclear.map(({ span, message }) => at(span, message)) };
  const result = parsePolicyData(expanded.data);
  if ('policy' in result) return { policy: result.policy, sha256: createHash('sha256').update(text).digest('hex') };
  const located = result.problems.map(of);
  return { problems: located.sort((left, right) => left.line - right.line || left.column - right.column) };
}

/**
 * @param file the name to put into messages
 * @returns the policy, or all of its problems, each on one line, for a log
 */
export function parsePolicy(text: string, file: string): LoadedPolicy | { problems: string[] } {
  const result = parsePolicyText(text);
  if ('policy' in result) return result;
  return {
    problems: result.problems.map(({ line, column, where, message }) =>
      visible(`${file}:${line}:${column}: ${message}${where === '' ? '' : ` (in ${where})`}`),
    ),
  };
}

/**
 * Finds the places of problems in a policy that was parsed: warnings.
 * @param text the text of the policy
 */
export function createLocator(text: string): (problem: PolicyProblem) => LocatedProblem {
  return createPlaces(text, readYaml(text).contents).of;
}

function readYaml(text: string): Document {
  return parseDocument(text, { prettyErrors: false, stringKeys: true });
}

/** What would come out of YAML as something else than what is written: `2.0` as the number 2, `__proto__` not at all. */
function ambiguousScalars(document: Document): YamlProblem[] {
  const found: YamlProblem[] = [];
  visit(document, {
    Scalar: (key, { value, source, range }) => {
      const span = { start: range?.[0] ?? 0, end: range?.[1] ?? 0 };
      if (key === 'key' && value === '__proto__')
        found.push({ span, message: '__proto__ is not a key of this format' });
      if (typeof value === 'number' && source !== String(value))
        found.push({ span, message: `${source} is read as the number ${value}: put it in quotes` });
    },
  });
  return found;
}
