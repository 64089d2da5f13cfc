// A problem of a policy file as a terminal shows it: place, message, the source line and a caret under the part that is wrong. What
// nobody could see, or what would command the terminal, is shown by its code point.

import type { LocatedProblem } from './places.ts';
import { codePoint, visible } from './visible-text.ts';

/** Of the source line, in columns. */
const MAX_SHOWN = 100;
/** In front of the caret when the line is cut there. */
const SHOWN_BEFORE = 40;

export type Severity = 'error' | 'warning';

interface Source {
  /** Its name. */
  readonly file: string;
  readonly text: string;
  /** Colours; without it the text is plain. */
  readonly paint?: (severity: Severity, text: string) => string;
}

/** @returns lines without a newline at the end */
export function renderProblem(
  { severity, code, line, column, length, where, message }: LocatedProblem & { severity: Severity; code?: string },
  { file, text, paint = (_, plain) => plain }: Source,
): string {
  const label = paint(severity, code === undefined ? severity : `${severity} ${code}`);
  const head = `${file}:${line}:${column}: ${label}: ${visible(message)}`;
  const gutter = String(line);
  const { shown, before, under } = cutAround(
    text
      .replace(/^\ufeff/, '')
      .split('\n')
      [line - 1]?.replace(/\r$/, '') ?? '',
    column - 1,
    length,
  );
  const caret = paint(severity, '^'.repeat(Math.max(1, under)));
  return [
    head,
    ...(where === '' ? [] : [`  in ${visible(where)}`]),
    `  ${gutter} | ${shown}`.trimEnd(),
    `  ${' '.repeat(gutter.length)} | ${' '.repeat(before)}${caret}`,
  ].join('\n');
}

/** The line, cut where it is too long; the columns before the caret and those that it underlines. */
function cutAround(line: string, start: number, length: number) {
  const cells = [...line].map((character) => ({ character, shown: cellOf(character) }));
  const end = start + length;
  let offset = 0;
  const placed = cells.map(({ character, shown }) => {
    const marked = offset < end && offset + character.length > start;
    const before = offset < start;
    offset += character.length;
    return { shown, marked, before, width: widthOf(shown) };
  });
  const width = (parts: typeof placed) => parts.reduce((sum, cell) => sum + cell.width, 0);
  if (width(placed) <= MAX_SHOWN) {
    return {
      shown: placed.map(({ shown }) => shown).join(''),
      before: width(placed.filter(({ before, marked }) => before && !marked)),
      under: width(placed.filter(({ marked }) => marked)),
    };
  }
  const first = placed.findIndex(({ before, marked }) => !before || marked);
  const caret = first < 0 ? placed.length : first;
  let from = caret;
  for (let used = 0; from > 0 && used + (placed[from - 1]?.width ?? 0) <= SHOWN_BEFORE; from -= 1)
    used += placed[from - 1]?.width ?? 0;
  let to = from;
  for (let used = 0; to < placed.length && used + (placed[to]?.width ?? 0) <= MAX_SHOWN; to += 1)
    used += placed[to]?.width ?? 0;
  const kept = placed.slice(from, to);
  const left = from > 0 ? '…' : '';
  return {
    shown: `${left}${kept.map(({ shown }) => shown).join('')}${to < placed.length ? '…' : ''}`,
    before: left.length + width(placed.slice(from, caret)),
    under: width(kept.filter(({ marked }) => marked)),
  };
}

function cellOf(character: string): string {
  if (character === '\t') return '    ';
  return character !== ' ' && /\p{Zs}/u.test(character) ? `<${codePoint(character)}>` : visible(character);
}

const NO_WIDTH = /^\p{M}$/u;
/** Most terminals give two columns to these: East Asian wide characters and emoji. Source: Unicode Standard Annex #11. */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})$/u;

/** In columns of a terminal. */
function widthOf(shown: string): number {
  if (NO_WIDTH.test(shown)) return 0;
  return WIDE.test(shown) ? 2 : shown.length;
}
