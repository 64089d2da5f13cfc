// Characters that nobody sees in a text, or that change how the text around them is shown: a reviewer must see what is parsed.
// Source: Unicode, General_Category and Default_Ignorable_Code_Point; trojansource.codes.

/**
 * Control, format, private-use and ignorable characters, line separators, and letters without a glyph. Tabs, line feeds and the
 * variation selectors of emoji and text are none of them.
 */
const INVISIBLE =
  /(?!\t|\n|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
const ALL_INVISIBLE = new RegExp(INVISIBLE, 'gu');

/** Every invisible character of `text`, with its offset. The carriage return of a line end is none. */
export function invisibleCharacters(text: string): { readonly offset: number; readonly character: string }[] {
  return [...text.matchAll(ALL_INVISIBLE)]
    .filter(({ 0: character, index }) => character !== '\r' || text[index + 1] !== '\n')
    .map(({ 0: character, index }) => ({ offset: index, character }));
}

/** Such as U+202E. */
export function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** `text` on one line, with what is invisible replaced by its code point, such as <U+202E>. */
export function visible(text: string): string {
  return text.replace(/[\t\n]/g, ' ').replace(ALL_INVISIBLE, (character) => `<${codePoint(character)}>`);
}
