// Claim patterns: `*` stands for any run of characters within one path segment, `**` for any run across
// segments, everything else for itself. Always anchored at both ends. There are no regular expressions and no
// escapes, so nothing in a pattern can loosen it, and matching takes time linear in the length of the value.

export const STAR = 1;
export const GLOBSTAR = 2;
type PatternPart = string | typeof STAR | typeof GLOBSTAR;

/** True when `pattern` holds nothing but wildcards and separators, and so says nothing about the value. */
export function isWildcardOnly(pattern: string): boolean {
  return /^[*/]*$/.test(pattern);
}

/** Whether the whole of `value` fits the whole of `pattern`. Time: O(length of value × length of pattern). */
export function matchesPattern(pattern: string, value: string): boolean {
  const parts = toParts(pattern);
  let reached = withWildcardsSkipped(parts, new Set([0]));
  for (const character of value) {
    const next = new Set<number>();
    for (const position of reached) {
      const part = parts[position];
      if (part === GLOBSTAR || (part === STAR && character !== '/')) next.add(position);
      else if (part === character) next.add(position + 1);
    }
    if (next.size === 0) return false;
    reached = withWildcardsSkipped(parts, next);
  }
  return reached.has(parts.length);
}

/** Characters and wildcards; no two wildcards are neighbours. */
export function toParts(pattern: string): PatternPart[] {
  const parts: PatternPart[] = [];
  for (const character of pattern) {
    if (character !== '*') parts.push(character);
    else if (parts.at(-1) === STAR) parts[parts.length - 1] = GLOBSTAR;
    else if (parts.at(-1) !== GLOBSTAR) parts.push(STAR);
  }
  return parts;
}

function withWildcardsSkipped(parts: PatternPart[], positions: Set<number>): Set<number> {
  for (const position of positions) {
    const part = parts[position];
    if (part === STAR || part === GLOBSTAR) positions.add(position + 1);
  }
  return positions;
}
