// Reads the YAML of a file that people write: plain data out, or what is wrong with its text and with its keys, with places.

import { type Document, parseDocument } from 'yaml';
import { type FileShape, shapeMistakes } from './file-shape.ts';
import { createPlaces, type LocatedProblem, type Locator, spanOfNode, type YamlProblem } from './places.ts';
import { isWithin, type PolicyProblem } from './problems.ts';
import { textMistakes } from './text-mistakes.ts';
import { toData } from './yaml-data.ts';
import { type Findings, inspectValues } from './yaml-values.ts';

/** How mistakes are found and explained. */
export interface YamlExplanations {
  /** Of a document with errors. */
  readonly syntaxMistakes: (document: Document, text: string) => YamlProblem[];
  readonly shape: FileShape;
  /** Explains problems of keys. */
  readonly explainKeys: (keys: Findings['keys']) => Findings['keys'];
}

export interface YamlFile {
  readonly contents: Document['contents'];
  readonly data: unknown;
  readonly nulls: Findings['nulls'];
  readonly places: Locator;
  /** What is wrong with the file, given what is wrong with its data: problems that the text causes come first and alone. */
  readonly problemsWith: (
    problems: readonly PolicyProblem[],
    explain?: (problem: PolicyProblem) => PolicyProblem,
  ) => LocatedProblem[];
}

export function readYaml(
  text: string,
  { syntaxMistakes, shape, explainKeys }: YamlExplanations,
): YamlFile | { problems: LocatedProblem[] } {
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true, uniqueKeys: false });
  const { contents } = document;
  const places = createPlaces(text, contents);
  const broken = firstOf([
    () => textMistakes(text),
    () => syntaxMistakes(document, text),
    () => shapeMistakes(document, text, shape),
  ]);
  if (broken.length > 0) return { problems: broken.map(({ span, message }) => places.at(span, message)) };
  const { keys: found, unclear, nulls } = inspectValues(contents, places.lineOf);
  const keys = explainKeys(found);
  const expanded = toData(document, new Set(unclear.map(({ scalar }) => scalar)));
  const keyProblems = keys.map((problem) => places.of(problem, spanOfNode(problem.key)));
  if ('problems' in expanded)
    return { problems: [...keyProblems, ...expanded.problems.map(({ span, message }) => places.at(span, message))] };
  const problemsWith: YamlFile['problemsWith'] = (problems, explain = (problem) => problem) => {
    // With quotes, an unclear value would have the problem that is reported already.
    const inQuotes = unclear.filter(({ path }) => !problems.some((problem) => concerns(problem, path)));
    return [
      ...keyProblems,
      ...problems
        .filter((problem) => !keys.some(({ path }) => isWithin(problem.path, path)))
        .map((problem) => places.of(explain(problem))),
      ...inQuotes.map((problem) => places.of(problem)),
    ];
  };
  return { contents, data: expanded.data, nulls, places, problemsWith };
}

function firstOf(checks: readonly (() => YamlProblem[])[]): YamlProblem[] {
  for (const check of checks) {
    const problems = check();
    if (problems.length > 0) return problems;
  }
  return [];
}

/** Whether a problem is at `path`, at the list that contains it, or at an unknown key around it. */
function concerns(problem: PolicyProblem, path: PolicyProblem['path']): boolean {
  return isWithin(problem.path, path) || (problem.at === 'key' && isWithin(path, problem.path));
}
