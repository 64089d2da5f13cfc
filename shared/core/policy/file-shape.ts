// Whether a YAML document is the file that is expected, before anything is said about its keys.

import { type Document, isMap, isScalar, isSeq } from 'yaml';
import { spanOf, type YamlProblem } from './places.ts';

export interface FileShape {
  /** Such as `a policy`. */
  readonly noun: string;
  /** What is without all of them is another file. */
  readonly keys: readonly string[];
  /** A sentence: how such a file begins. */
  readonly advice: string;
}

export function shapeMistakes({ contents }: Document, text: string, { noun, keys, advice }: FileShape): YamlProblem[] {
  const span = spanOf(contents, []);
  if (isMap(contents)) {
    if (contents.items.length === 0 || keys.some((key) => contents.has(key))) return [];
    return [{ span, message: `The file is not ${noun}: it has none of the keys ${keys.join(', ')}.` }];
  }
  if (isSeq(contents)) return [{ span, message: `The file holds a list. ${advice}` }];
  if (isScalar(contents) && contents.source)
    return [{ span, message: `The file holds one value and no keys. ${advice}` }];
  const empty = text.trim() === '' ? 'The file is empty.' : 'The file holds no keys.';
  return [{ span: { start: 0, end: 0 }, message: `${empty} ${advice}` }];
}
