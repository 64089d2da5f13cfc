// Values without quotes that a comment without a space follows, as in `contact: ask #help`: YAML cuts them there.

import { isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { PolicyProblem } from './problems.ts';

interface CommentedValue {
  readonly path: PolicyProblem['path'];
  /** The value with what YAML reads as a comment. */
  readonly whole: string;
}

/** @param text of a file that `parsePolicy` accepts */
export function commentsAfterValues(text: string): CommentedValue[] {
  return inNode(parseDocument(text, { stringKeys: true }).contents, [], text);
}

function inNode(node: unknown, path: PolicyProblem['path'], text: string): CommentedValue[] {
  if (isMap(node))
    return node.items.flatMap(({ key, value }) =>
      inNode(value, [...path, isScalar(key) ? String(key.value) : ''], text),
    );
  if (isSeq(node)) return node.items.flatMap((item, index) => inNode(item, [...path, index], text));
  if (!isScalar(node) || node.type !== 'PLAIN' || !node.range) return [];
  const [start, end] = node.range;
  const [comment] = /^[ \t]+#[^\s#][^\r\n]*/.exec(text.slice(end)) ?? [];
  return comment === undefined ? [] : [{ path, whole: text.slice(start, end) + comment.trimEnd() }];
}
