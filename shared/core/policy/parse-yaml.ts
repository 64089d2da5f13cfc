// Reads the text of a policy file: YAML in, a policy or messages with line and column out.
// Knows YAML's positions; what a policy is, it leaves to core/policy.ts.

import { createHash } from 'node:crypto';
import { type Document, isCollection, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import { type Policy, parsePolicyData } from './policy.ts';
import type { PolicyProblem } from './problems.ts';
import { toData } from './yaml-data.ts';

export interface LoadedPolicy {
  readonly policy: Policy;
  /** SHA-256 of the file's text, hex: stands on every grant made under it. */
  readonly sha256: string;
}

/**
 * @param text the file's text
 * @param file the name to put into messages
 * @returns the policy, or all of its problems as "file:line:column where what"
 */
export function parsePolicy(text: string, file: string): LoadedPolicy | { problems: string[] } {
  const { document, locate } = readYaml(text, file);
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return { problems: faults.map(({ pos, message }) => `${locate(pos[0])} ${message}`) };
  if (document.contents === null) return { problems: [`${file}:1:1 is empty: it must hold a policy`] };
  const ambiguous = ambiguousScalars(document);
  const expanded = toData(document);
  if (ambiguous.length > 0 || 'problems' in expanded) {
    const problems = [...ambiguous, ...('problems' in expanded ? expanded.problems : [])];
    return { problems: problems.map(({ offset, message }) => `${locate(offset)} ${message}`) };
  }
  const result = parsePolicyData(expanded.data);
  if ('problems' in result) {
    const located = result.problems.map(({ path, message }) => ({ ...findPlace(document.contents, path), message }));
    located.sort((left, right) => left.offset - right.offset);
    return {
      problems: located.map(({ offset, path, message }) =>
        [locate(offset), path.join('.'), message].filter(Boolean).join(' '),
      ),
    };
  }
  return { policy: result.policy, sha256: createHash('sha256').update(text).digest('hex') };
}

/**
 * Says where in a file something stands, as far as it is there.
 * @param text a file's that is YAML
 * @returns makes "file:line:column path" of a path
 */
export function createLocator(text: string, file: string): (path: PolicyProblem['path']) => string {
  const { document, locate } = readYaml(text, file);
  return (wanted) => {
    const { offset, path } = findPlace(document.contents, wanted);
    return [locate(offset), path.join('.')].filter(Boolean).join(' ');
  };
}

function readYaml(text: string, file: string) {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true });
  const locate = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  return { document, locate };
}

/** What would come out of YAML as something else than what is written: `2.0` as the number 2, `__proto__` not at all. */
function ambiguousScalars(document: Document): { offset: number; message: string }[] {
  const found: { offset: number; message: string }[] = [];
  visit(document, {
    Scalar: (key, { value, source, range }) => {
      const offset = range?.[0] ?? 0;
      if (key === 'key' && value === '__proto__')
        found.push({ offset, message: '__proto__ is not a key of this format' });
      if (typeof value === 'number' && source !== String(value))
        found.push({ offset, message: `${source} is read as the number ${value}: put it in quotes` });
    },
  });
  return found;
}

/** A key's place is its name's, an item's its own; one value in place of a list of one has no index in its path. */
function findPlace(contents: unknown, path: PolicyProblem['path']) {
  let node = contents;
  let offset = startOf(contents) ?? 0;
  for (const [depth, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!pair) return { offset, path };
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.get(step, true);
      offset = startOf(node) ?? offset;
    } else if (isNode(node) && !isCollection(node) && typeof step === 'number')
      return { offset: startOf(node) ?? offset, path: path.slice(0, depth) };
    else return { offset, path };
  }
  return { offset, path };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
