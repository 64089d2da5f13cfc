// The difference of two texts in the unified format, as `diff -u` writes it. Source: the manual of GNU diffutils, "Unified Format";
// E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986).

const CONTEXT = 3;

interface Line {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

/** @param names of the files, before and after. @returns '' for equal texts */
export function unifiedDiff(before: string, after: string, names: readonly [before: string, after: string]): string {
  const lines = compare(toLines(before), toLines(after));
  const hunks = hunksOf(lines);
  if (hunks.length === 0) return '';
  return `--- ${names[0]}\n+++ ${names[1]}\n${hunks.map((hunk) => writeHunk(lines, hunk)).join('')}`;
}

/** Each with its line end. */
function toLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Goes the fewest edits from one text to the other. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  const [n, m] = [before.length, after.length];
  const furthest = new Map<number, number>([[1, 0]]);
  const rounds: Map<number, number>[] = [];
  for (let edits = 0; ; edits += 1) {
    rounds.push(new Map(furthest));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const fromAbove = goesDown(furthest, diagonal, edits);
      let x = fromAbove ? (furthest.get(diagonal + 1) ?? 0) : (furthest.get(diagonal - 1) ?? 0) + 1;
      while (x < n && x - diagonal < m && before[x] === after[x - diagonal]) x += 1;
      furthest.set(diagonal, x);
      if (x >= n && x - diagonal >= m) return backtrack(before, after, rounds);
    }
  }
}

function goesDown(furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean {
  if (diagonal === -edits) return true;
  return diagonal !== edits && (furthest.get(diagonal - 1) ?? 0) < (furthest.get(diagonal + 1) ?? 0);
}

function backtrack(
  before: readonly string[],
  after: readonly string[],
  rounds: readonly ReadonlyMap<number, number>[],
): Line[] {
  const lines: Line[] = [];
  let [x, y] = [before.length, after.length];
  for (let edits = rounds.length - 1; edits >= 0; edits -= 1) {
    const furthest = rounds[edits] ?? new Map<number, number>();
    const down = goesDown(furthest, x - y, edits);
    const previous = x - y + (down ? 1 : -1);
    const fromX = furthest.get(previous) ?? 0;
    const fromY = fromX - previous;
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      x -= 1;
      y -= 1;
      lines.push({ mark: ' ', text: before[x] ?? '' });
    }
    if (edits === 0) break;
    if (down) lines.push({ mark: '+', text: after[fromY] ?? '' });
    else lines.push({ mark: '-', text: before[fromX] ?? '' });
    [x, y] = [fromX, fromY];
  }
  return lines.reverse();
}

/** From a line to before another. */
type Hunk = readonly [start: number, end: number];

function hunksOf(lines: readonly Line[]): Hunk[] {
  const hunks: [number, number][] = [];
  for (const [index, { mark }] of lines.entries()) {
    if (mark === ' ') continue;
    const [start, end] = [Math.max(0, index - CONTEXT), Math.min(lines.length, index + CONTEXT + 1)];
    const last = hunks.at(-1);
    if (last && start <= last[1]) last[1] = end;
    else hunks.push([start, end]);
  }
  return hunks;
}

function writeHunk(lines: readonly Line[], [start, end]: Hunk): string {
  const count = (from: number, to: number, other: Line['mark']) =>
    lines.slice(from, to).filter(({ mark }) => mark !== other).length;
  const range = (other: Line['mark']) => {
    const length = count(start, end, other);
    const first = count(0, start, other) + (length === 0 ? 0 : 1);
    return length === 1 ? `${first}` : `${first},${length}`;
  };
  const body = lines.slice(start, end).map(({ mark, text }) => {
    return `${mark}${text.endsWith('\n') ? text : `${text}\n\\ No newline at end of file\n`}`;
  });
  return `@@ -${range('+')} +${range('-')} @@\n${body.join('')}`;
}
