// Where in the text of a policy file a problem is: line, column and length for the source line, and the names of the keys around
// it in words. Reads the YAML document and knows nothing about files and terminals.

import { isCollection, isMap, isNode, isScalar, isSeq, LineCounter, type ParsedNode } from 'yaml';
import type { PolicyProblem } from './problems.ts';

/** A problem with its place, for a person. */
export interface LocatedProblem {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
  /** In UTF-16 code units, within the line; 1 at least. */
  readonly length: number;
  /** The keys around it in words, such as `rule "deploy", grants`; empty at the top of the file. */
  readonly where: string;
  /** A sentence. */
  readonly message: string;
}

/** Part of the text, in UTF-16 code units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A problem of the YAML text, before anything is known of its keys. */
export interface YamlProblem {
  readonly span: Span;
  /** A sentence. */
  readonly message: string;
}

/** Finds places in `text`. */
export interface Locator {
  /** The place of part of the text. */
  at(span: Span, message: string, where?: string): LocatedProblem;
  /** The place of what `path` names, as far as it is in the file; a message in lower case gets its subject. */
  of(problem: PolicyProblem, span?: Span): LocatedProblem;
  lineOf(offset: number): number;
}

export function createPlaces(text: string, contents: unknown): Locator {
  const lineCounter = new LineCounter();
  for (let start = 0; start >= 0; start = text.indexOf('\n', start) + 1 || -1) lineCounter.addNewLine(start);
  const at = ({ start, end }: Span, message: string, where = ''): LocatedProblem => {
    const { line, col } = lineCounter.linePos(Math.min(start, text.length));
    const column = line === 1 && text.startsWith('\ufeff') ? Math.max(1, col - 1) : col;
    const lineEnd = text.slice(start).search(/\r?\n|$/) + start;
    return { line, column, length: Math.max(1, Math.min(end, lineEnd) - start), where, message };
  };
  return {
    at,
    of: ({ path, message, at: part }, span = spanOf(contents, path, part)) => {
      const described = describe(contents, path, message, part);
      return at(span, described.message.replace(/(?<![.?!])$/, '.'), described.where);
    },
    lineOf: (offset) => lineCounter.linePos(offset).line,
  };
}

/** Sorts by the order of the file. */
export function byPlace(left: Pick<LocatedProblem, 'line' | 'column'>, right: typeof left): number {
  return left.line - right.line || left.column - right.column;
}

/**
 * The value if it is a scalar, else its key; an item of a list; for what is not in the file, what lacks it. One value or map in place
 * of a list of one is that value or map.
 */
export function spanOf(contents: unknown, path: PolicyProblem['path'], part?: 'key'): Span {
  let node = contents;
  let span = shownSpan(contents) ?? { start: 0, end: 0 };
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!pair && typeof step === 'number') continue;
      if (!pair) return span;
      span = shownSpan(pair.key) ?? span;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number' && node.items[step] !== undefined) {
      node = node.items[step];
      span = shownSpan(node) ?? span;
    } else if (typeof step !== 'number' || !isNode(node) || isCollection(node)) break;
  }
  const ended = part !== 'key' && !isCollection(node) ? shownSpan(node) : undefined;
  return ended ?? span;
}

export function spanOfNode(node: unknown): Span {
  return shownSpan(node) ?? { start: 0, end: 0 };
}

/** A map or list over several lines is shown by its first key or item. */
function shownSpan(node: unknown): Span | undefined {
  if (!isNode(node) || !node.range) return undefined;
  if (isCollection(node) && !node.flow && node.items.length > 0) {
    const [first] = node.items;
    return shownSpan(isMap(node) ? (first as { key: ParsedNode }).key : first);
  }
  const [start, end] = node.range;
  return end > start ? { start, end } : undefined;
}

/** What an item of a list with names is called. */
const NAMED_ITEMS: Readonly<Record<string, string>> = { rules: 'rule', cases: 'case', statements: 'statement' };

const SECTIONS: Readonly<Record<string, string>> = {
  environments: 'environment',
  pipelines: 'pipeline',
  databases: 'database',
  credentials: 'credential',
};

/** A message that begins with a lower-case letter has no subject yet: it is what `path` names. */
function describe(contents: unknown, path: PolicyProblem['path'], message: string, part?: 'key') {
  const names = namesOf(contents, path);
  const lastIsItem = typeof path.at(-1) === 'number' && !(path.length === 2 && itemNoun(path[0]) !== undefined);
  const named = lastIsItem || part === 'key';
  if (!/^[a-z]/.test(message)) return { where: (named ? names.slice(0, -1) : names).join(', '), message };
  const before = names.slice(0, -1);
  const value = valueAt(contents, path);
  const subject = lastIsItem && typeof value === 'string' ? JSON.stringify(value) : (names.at(-1) ?? 'the policy');
  return { where: before.join(', '), message: `${subject} ${message}` };
}

function namesOf(contents: unknown, path: PolicyProblem['path']): string[] {
  const [section = '', entry, ...rest] = path;
  if (entry === undefined) return path.length === 0 ? [] : [String(section)];
  const keys = rest.flatMap((step, index) => {
    if (typeof step !== 'number') return [step];
    return isMap(nodeAt(contents, path.slice(0, index + 2))) ? [] : [`item ${step + 1}`];
  });
  const noun = Object.hasOwn(SECTIONS, section) ? SECTIONS[section] : undefined;
  if (noun !== undefined) return [`${noun} ${JSON.stringify(String(entry))}`, ...keys];
  const item = itemNoun(section);
  if (item === undefined || typeof entry !== 'number') return [String(section), String(entry), ...keys];
  const name = valueAt(contents, [section, entry, 'name']);
  return [
    typeof name === 'string' && name !== '' ? `${item} ${JSON.stringify(name)}` : `${item} ${entry + 1}`,
    ...keys,
  ];
}

function itemNoun(section: string | number | undefined): string | undefined {
  return Object.hasOwn(NAMED_ITEMS, String(section)) ? NAMED_ITEMS[String(section)] : undefined;
}

function valueAt(contents: unknown, path: PolicyProblem['path']): unknown {
  const node = nodeAt(contents, path);
  return isScalar(node) ? node.value : undefined;
}

function nodeAt(contents: unknown, path: PolicyProblem['path']): unknown {
  let node = contents;
  for (const step of path) {
    if (isMap(node) && typeof step === 'number') continue;
    if (isMap(node)) node = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))?.value;
    else if (isSeq(node) && typeof step === 'number') node = node.items[step];
    else if (typeof step !== 'number') return undefined;
  }
  return node;
}
