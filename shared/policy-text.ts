// Reads the text of a policy file: YAML in, a policy or messages with line and column out.
// Knows YAML's positions; what a policy is, it leaves to core/policy.ts.

import { createHash } from 'node:crypto';
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { type Policy, type PolicyProblem, toPolicy } from './core/policy.ts';

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
export function parsePolicyText(text: string, file: string): LoadedPolicy | { problems: string[] } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true });
  const locate = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return { problems: faults.map(({ pos, message }) => `${locate(pos[0])} ${message}`) };
  if (document.contents === null) return { problems: [`${file}:1:1 is empty: it must hold a policy`] };
  const misread = misreadIn(document);
  if (misread.length > 0) return { problems: misread.map(({ offset, message }) => `${locate(offset)} ${message}`) };

  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: 50 });
  } catch (error) {
    return { problems: [`${file}:1:1 ${error instanceof Error ? error.message : 'cannot be read as YAML'}`] };
  }
  const result = toPolicy(data);
  if ('problems' in result) {
    const placed = result.problems.map((problem) => ({ problem, offset: offsetOf(document.contents, problem) }));
    placed.sort((left, right) => left.offset - right.offset);
    return {
      problems: placed.map(({ problem, offset }) =>
        [locate(offset), problem.path.join('.'), problem.message].filter(Boolean).join(' '),
      ),
    };
  }
  return { policy: result.policy, sha256: createHash('sha256').update(text).digest('hex') };
}

/** What would come out of YAML as something else than what is written: `2.0` as the number 2, `__proto__` not at all. */
function misreadIn(document: Document): { offset: number; message: string }[] {
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

function offsetOf(contents: unknown, { path }: PolicyProblem): number {
  let node = contents;
  let offset = startOf(contents) ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!isPair(pair)) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isNode(node) && 'get' in node && typeof step === 'number') {
      node = (node as { get(index: number, keepScalar: boolean): unknown }).get(step, true);
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
