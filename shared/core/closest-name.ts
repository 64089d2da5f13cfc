// "Did you mean": the name that was probably meant.

/** Longer names are not compared: the time grows with the square of the length. */
const LONGEST = 64;

/**
 * The first candidate with the fewest edits from `name`; undefined when those are more than a third of its letters. If none is that near,
 * capitals and small letters are the same.
 */
export function closestName(name: string, candidates: readonly string[]): string | undefined {
  const near = nearestOf(name, candidates);
  if (near !== undefined) return near;
  const small = nearestOf(
    name.toLowerCase(),
    candidates.map((candidate) => candidate.toLowerCase()),
  );
  return candidates.find((candidate) => candidate.toLowerCase() === small);
}

function nearestOf(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > LONGEST) return undefined;
  let limit = Math.max(1, Math.floor(name.length / 3));
  let closest: string | undefined;
  for (const candidate of candidates) {
    if (candidate.length > LONGEST || Math.abs(candidate.length - name.length) > limit) continue;
    const distance = editDistance(name, candidate);
    if (distance > limit || (closest !== undefined && distance === limit)) continue;
    closest = candidate;
    limit = distance;
  }
  return closest;
}

/** As {@link closestName}, whatever the case; else the one candidate that begins with `name`, such as production for Prod. */
export function closestOrLonger(name: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string) => text.trim().toLowerCase();
  const written = plain(name);
  const near = closestName(written, candidates.map(plain));
  if (near !== undefined) return candidates.find((candidate) => plain(candidate) === near);
  const longer = candidates.filter((candidate) => plain(candidate).startsWith(written));
  return written.length >= 3 && longer.length === 1 ? longer[0] : undefined;
}

/** Of a name that is not known: the one that was probably meant, or else all that there are. */
export function meantOrKnown(name: string, known: readonly string[]): string {
  const near = closestName(name, known);
  if (near !== undefined) return `Did you mean "${near}"?`;
  return known.length > 0 ? `Known: ${known.join(', ')}.` : 'There is none.';
}

/** How many letters to insert, remove, replace or swap with the next one (Damerau-Levenshtein, optimal string alignment). */
function editDistance(left: string, right: string): number {
  let previous: number[] = [];
  let current = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      next[column] = Math.min(
        at(current, column) + 1,
        at(next, column - 1) + 1,
        at(current, column - 1) + (same ? 0 : 1),
        ...(swapped ? [at(previous, column - 2) + 1] : []),
      );
    }
    [previous, current] = [current, next];
  }
  return at(current, right.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
