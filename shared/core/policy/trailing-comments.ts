// Values without quotes that a comment without a space follows, as in `contact: ask #help`: YAML cuts them there.

import { isMap, isScalar, isSeq } from 'yaml';
import type { PolicyProblem } from './problems.ts';

interface CommentedValue {
  readonly path: PolicyProblem['path'];
  /** The value with what YAML reads as a comment. */
  readonly whole: string;
}

/** @param node of YAML, at `path` of the file with the text */
export function commentsAfterValues(node: unknown, text: string, path: PolicyProblem['path'] = []): CommentedValue[] {
  if (isMap(node))
    return node.items.flatMap(({ key, value }) =>
      commentsAfterValues(value, text, [...path, isScalar(key) ? String(key.value) : '']),
    );
  if (isSeq(node)) return node.items.flatMap((item, index) => commentsAfterValues(item, text, [...path, index]));
  if (!isScalar(node) || node.type !== 'PLAIN' || !node.range) return [];
  const [start, end] = node.range;
  const [comment] = /^[ \t]+#[^\s#][^\r\n]*/.exec(text.slice(end)) ?? [];
  return comment === undefined ? [] : [{ path, whole: text.slice(start, end) + comment.trimEnd() }];
}
