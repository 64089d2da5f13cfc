// Edits of the text of a policy file, by the places of its YAML nodes: comments and layout stay as they are. An edit that the layout does
// not allow is undefined. Callers parse the edited text, and compare it with what they meant.

import { isCollection, isMap, isNode, isPair, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import type { ReadPolicy } from './parse-yaml.ts';

/** Replaces part of the text, in UTF-16 code units. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

type Path = readonly (string | number)[];
type Source = Pick<ReadPolicy, 'text' | 'contents'>;

/** @param edits do not overlap */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  return [...edits]
    .sort((left, right) => right.start - left.start)
    .reduce((edited, edit) => edited.slice(0, edit.start) + edit.text + edited.slice(edit.end), text);
}

/** Removes entries of a list by their positions, or of a map by their keys. */
export function removeEntries(
  source: Source,
  path: Path,
  entries: readonly (string | number)[],
): TextEdit[] | undefined {
  const collection = nodeAt(source, path);
  if (!isMap(collection) && !isSeq(collection)) return undefined;
  const removed = entries.map((entry) => (isMap(collection) ? positionOf(collection, String(entry)) : Number(entry)));
  const spans = spansOf(collection);
  if (!spans || removed.some((position) => !spans[position]) || removed.length >= spans.length) return undefined;
  const edits = removed.map((position) =>
    collection.flow
      ? inFlow(spans, position, new Set(removed))
      : wholeLines(source.text, spans[position] as Span, isSeq(collection)),
  );
  return edits.every((edit) => edit !== undefined) ? edits : undefined;
}

/** Replaces an entry of a list by others, each in the text of YAML's flow style. */
export function replaceEntry(
  source: Source,
  path: Path,
  position: number,
  entries: readonly string[],
): TextEdit[] | undefined {
  const list = nodeAt(source, path);
  if (!isSeq(list)) return undefined;
  const span = spansOf(list)?.[position];
  if (!span || hasComment(source.text.slice(span.start, span.end))) return undefined;
  if (list.flow) return [{ ...span, text: entries.join(', ') }];
  const dash = dashBefore(source.text, span.start);
  return dash === undefined ? undefined : [{ ...span, text: entries.join(`\n${dash}`) }];
}

/** Replaces all entries of a list. */
export function replaceList(source: Source, path: Path, entries: readonly string[]): TextEdit[] | undefined {
  const list = nodeAt(source, path);
  if (!isSeq(list) || !list.range) return undefined;
  const spans = spansOf(list);
  const [first, last] = [spans?.[0], spans?.at(-1)];
  if (!first || !last || hasComment(source.text.slice(first.start, last.end))) return undefined;
  const dash = list.flow ? ', ' : dashBefore(source.text, first.start);
  if (dash === undefined) return undefined;
  return [{ start: first.start, end: last.end, text: entries.join(list.flow ? dash : `\n${dash}`) }];
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function nodeAt({ contents }: Source, path: Path): unknown {
  let node: unknown = contents;
  for (const step of path) {
    if (isMap(node)) node = node.items[positionOf(node, String(step))]?.value;
    else if (isSeq(node)) node = node.items[Number(step)];
    else return undefined;
  }
  return node;
}

function positionOf({ items }: YAMLMap, key: string): number {
  return items.findIndex((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

function spansOf({ items }: YAMLMap | YAMLSeq): Span[] | undefined {
  const spans = items.map((item): Span | undefined => {
    const [first, last] = isPair(item) ? [item.key, item.value ?? item.key] : [item, item];
    const start = isNode(first) ? first.range?.[0] : undefined;
    const end = isNode(last) ? lastOffset(last) : undefined;
    return start === undefined || end === undefined ? undefined : { start, end };
  });
  return spans.every((span) => span !== undefined) ? spans : undefined;
}

/** Where the last value of a node ends. The range of a block goes on to the next one. */
function lastOffset(node: Node): number | undefined {
  if (!isCollection(node) || node.flow || node.items.length === 0) return node.range?.[1];
  const last: unknown = node.items.at(-1);
  const value = isPair(last) ? (last.value ?? last.key) : last;
  return isNode(value) ? lastOffset(value) : undefined;
}

/** Up to the next entry; of the last ones, from the end of the last that is kept. */
function inFlow(spans: readonly Span[], position: number, removed: ReadonlySet<number>): TextEdit | undefined {
  const [span, next, before] = [spans[position], spans[position + 1], spans[position - 1]];
  const isKeptLater = spans.some((_, later) => later > position && !removed.has(later));
  if (!span) return undefined;
  if (isKeptLater) return next && { start: span.start, end: next.start, text: '' };
  return before && { start: before.end, end: span.end, text: '' };
}

/** The lines of an entry, with the comments directly above it. */
function wholeLines(text: string, { start, end }: Span, isList: boolean): TextEdit | undefined {
  const indent = isList ? dashBefore(text, start) : /(?:^|\n)( *)$/.exec(text.slice(0, start))?.[1];
  if (indent === undefined) return undefined;
  const lineEnd = endOfLine(text, end);
  if (!/^\s*(#.*)?$/.test(text.slice(end, lineEnd).trimEnd())) return undefined;
  let first = text.lastIndexOf('\n', start - 1) + 1;
  for (;;) {
    const above = text.lastIndexOf('\n', first - 2) + 1;
    if (first === 0 || !/^ *#/.test(text.slice(above, first))) break;
    first = above;
  }
  return { start: first, end: lineEnd, text: '' };
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end + 1;
}

/** What precedes an entry on its line; undefined when that is not one dash. */
function dashBefore(text: string, start: number): string | undefined {
  return /(?:^|\n)( *- +)$/.exec(text.slice(0, start))?.[1];
}

function hasComment(text: string): boolean {
  return /(^|\s)#/.test(text);
}
