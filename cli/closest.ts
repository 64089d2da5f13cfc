// "Did you mean": the name that was probably meant.

/** The name nearest to `written`, if at most a third of its letters differ. */
export function closest(written: string, names: readonly string[]): string | undefined {
  const measured = names.map((name) => ({ name, distance: editDistance(written, name) }));
  const [nearest] = measured.sort((left, right) => left.distance - right.distance);
  return nearest && nearest.distance <= Math.max(written.length, nearest.name.length) / 3 ? nearest.name : undefined;
}

/** How many letters to insert, remove or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [above, letter] of [...from].entries()) {
    const next = [above + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const [replaced = 0, removed = 0, inserted = 0] = [row[column - 1], row[column], next[column - 1]];
      next.push(Math.min(replaced + (to[column - 1] === letter ? 0 : 1), removed + 1, inserted + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
