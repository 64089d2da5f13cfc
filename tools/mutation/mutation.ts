// What a mutation is: a guard taken out of the code or a mistake put into it, which tests must notice. Pure: text in,
// text out.

/** What breaks: an invariant of docs/VERIFICATION.md, a step of docs/LIFECYCLE.md, a limit, what is verified, what is answered. */
export type Breaks =
  | 'I1'
  | 'I2'
  | 'I3'
  | 'I4'
  | 'I5'
  | 'I6'
  | 'I7'
  | 'I8'
  | 'I9'
  | 'states'
  | 'limits'
  | 'verification'
  | 'answers';

export interface Edit {
  /** Path in the repository. */
  readonly file: string;
  /** Text that the file has exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutation {
  /** Lower case and hyphens. */
  readonly id: string;
  readonly breaks: Breaks;
  /** What the mutated code does wrong. */
  readonly means: string;
  /** What noticed it when it was tried in generated histories, for docs/VERIFICATION.md. */
  readonly observed?: string;
  /** Other numbers that it is known by. */
  readonly aliases?: readonly string[];
  readonly edits: readonly Edit[];
  /** Test files that must object: any one of them is enough. */
  readonly killers: readonly string[];
  /** What else holds when this guard does not: the generated histories then notice nothing, only tests of the guard itself. */
  readonly secondGuard?: string;
  /** No test objects yet, and one should. */
  readonly knownSurvivor?: true;
  /** With it the code waits for ever, so a test that runs out of time has noticed it. */
  readonly hangs?: true;
}

/**
 * The text with every edit made.
 * @throws Error when the text to find is not there exactly once, or edits overlap
 */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const places = edits
    .map((edit) => ({ edit, start: placeOf(text, edit) }))
    .sort((left, right) => left.start - right.start);
  let result = '';
  let done = 0;
  for (const { edit, start } of places) {
    if (start < done) throw new Error(`${edit.file}: two edits overlap at ${quote(edit.find)}`);
    result += text.slice(done, start) + edit.replace;
    done = start + edit.find.length;
  }
  return result + text.slice(done);
}

function placeOf(text: string, { file, find }: Edit): number {
  const [before = '', ...rest] = text.split(find);
  if (find === '' || rest.length !== 1) throw new Error(`${file} has ${rest.length} times, not once: ${quote(find)}`);
  return before.length;
}

function quote(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return JSON.stringify(line.length > 80 ? `${line.slice(0, 79)}…` : line);
}

/** The files that a mutation changes, with the edits in each. */
export function editsByFile({ edits }: Mutation): Map<string, Edit[]> {
  return Map.groupBy(edits, ({ file }) => file);
}
