// Characters that were probably not meant: what follows a value when it was copied, letters of two alphabets in one word, and a # that
// begins a comment.

import type { ReadPolicy } from '../policy/parse-yaml.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import { commentsAfterValues } from '../policy/trailing-comments.ts';
import { codePoint } from '../policy/visible-text.ts';
import type { PolicyWarning } from './codes.ts';

export function audienceWarnings({ audience }: WrittenPolicy): PolicyWarning[] {
  const [ending] = /[;,"'`“”‘’]+$/.exec(audience) ?? [];
  if (ending === undefined) return [];
  const message = `ends in ${ending}, which is part of the value. Write ${audience.slice(0, -ending.length)}.`;
  return [{ code: 'stray_character', path: ['audience'], message }];
}

/** Letters that look like those of the Latin alphabet are in these. Source: Unicode Technical Standard #39, section 5. */
const LOOKALIKE = /[\p{Script=Cyrillic}\p{Script=Greek}]/u;

/** The first letter of another alphabet in a word of Latin letters. */
export function foreignLetter(text: string): string | undefined {
  for (const [word] of text.matchAll(/[\p{L}\p{M}]+/gu)) {
    const [letter] = LOOKALIKE.exec(word) ?? [];
    if (letter !== undefined && /\p{Script=Latin}/u.test(word)) return `${letter} (${codePoint(letter)})`;
  }
  return undefined;
}

/** Values that are free text, so that a comment may have been meant as part of them. */
const TEXTS: readonly RegExp[] = [
  /^(?:contact|audience)$/,
  /^rules\.\d+\.(?:name|match\..*|grants\.\d+)$/,
  /(?:^|\.)accept\.\w+$/,
];

export function commentWarnings({ contents, text }: ReadPolicy): PolicyWarning[] {
  return commentsAfterValues(contents, text)
    .filter(({ path }) => TEXTS.some((pattern) => pattern.test(path.join('.'))))
    .map(({ path, whole }) => ({
      code: 'comment_in_value',
      path,
      message: `ends before the #, which begins a comment. Write ${JSON.stringify(whole)} if it is one value, or a space after the #.`,
    }));
}
