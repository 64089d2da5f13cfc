// The states of the scan of a webhook's body, as one table: a state and a byte give the next state. So the scan takes the same
// time for every byte that a sender writes. The table covers the event and the objects in it that hold fields.
// Source of the grammar: RFC 8259. The grammar of texts, numbers and words is not checked.

/** The fields that are kept, by the object that contains them. The fields of one object begin with different letters. */
const FIELDS = {
  event: ['event', 'job', 'pipeline'],
  job: ['id', 'type', 'state', 'finished_at'],
  pipeline: ['id'],
} as const;

/** What the scan does at a byte, before it goes on in the state `next`. */
export interface Action {
  /**
   * `count`: one list or object more than LEVELS is open. `name`: the name of a field was read.
   * `keep`: a text begins that is the value of the field. `open`: an object with fields begins, the value of the field.
   */
  readonly does: 'count' | 'name' | 'keep' | 'open';
  readonly object: keyof typeof FIELDS;
  readonly field: string;
  readonly next: number;
}

/** A negative entry of the table, `~n`, stands for the action n. */
export const ACTIONS: Action[] = [];

/** So deep a value that nothing is kept of is read by states. From there to its end the scan counts its brackets. */
export const LEVELS = 8;
const WHITE_SPACE = ' \n\r\t';
const STRUCTURE = '",:[]{}';

/** 256 entries for each state. A state is the index of its first entry. */
const entries: number[] = Array(256).fill(0);
/** No byte leaves it. */
export const BROKEN = 0;

/** Nothing but white space may come. */
export const END = newState();
on(END, WHITE_SPACE, END);
/** Before the event. */
export const START = newState();
on(START, WHITE_SPACE, START);

const event = addObject('event', END);
on(START, '{', event.first);
for (const field of ['job', 'pipeline'] as const)
  on(
    event.valueOf(field),
    '{',
    newAction({ does: 'open', object: 'event', field, next: addObject(field, event.next).first }),
  );

export const NEXT_STATE = Int32Array.from(entries);

/**
 * Adds the states of an object.
 * @param end the state after the object
 * @returns the state after its opening bracket, the one after any of its members, and the one before the value of a field
 */
function addObject(object: keyof typeof FIELDS, end: number) {
  // The rest of a number or a word passes here, too.
  const next = newState();
  entries.fill(next, next, next + 256);
  on(next, STRUCTURE, BROKEN);
  on(next, '}', end);

  const value = newState(next);
  on(value, STRUCTURE, BROKEN);
  on(value, WHITE_SPACE, value);
  on(value, '"', addText(next).inside);
  on(value, '[{', addSkipped(next, object));

  const other = addText(addColon(value));
  const name = newState(other.inside);
  const key = newState();
  on(key, WHITE_SPACE, key);
  on(key, '"', name);
  on(next, ',', key);
  const first = newState(key);
  on(first, WHITE_SPACE, first);
  on(first, '}', end);

  const values = new Map<string, number>();
  for (const field of FIELDS[object]) {
    const ownValue = newState(value);
    on(ownValue, WHITE_SPACE, ownValue);
    const holdsText = field !== 'job' && field !== 'pipeline';
    if (holdsText) on(ownValue, '"', newAction({ does: 'keep', object, field, next }));
    values.set(field, ownValue);
    const nameEnd = [...field].reduce((from, letter) => addLetter(from, letter, other), name);
    on(nameEnd, '"', newAction({ does: 'name', object, field, next: addColon(ownValue) }));
  }
  return { first, next, valueOf: (field: string) => values.get(field) ?? BROKEN };
}

/** States in a list or an object that nothing is kept of. Brackets are not matched by kind. */
function addSkipped(next: number, object: Action['object']): number {
  const levels = Array.from({ length: LEVELS }, newLevel);
  for (const [at, level] of levels.entries()) {
    on(level, '[{', levels[at + 1] ?? newAction({ does: 'count', object, field: '', next }));
    on(level, ']}', levels[at - 1] ?? next);
  }
  return levels[0] as number;
}

function newLevel(): number {
  const level = newState();
  entries.fill(level, level, level + 256);
  on(level, '"', addText(level).inside);
  return level;
}

function addColon(then: number): number {
  const colon = newState();
  on(colon, WHITE_SPACE, colon);
  on(colon, ':', then);
  return colon;
}

/** States in a text, and behind a backslash in it. */
function addText(then: number): { readonly inside: number; readonly escaped: number } {
  const inside = newState();
  entries.fill(inside, inside, inside + 256);
  const escaped = newState(inside);
  on(inside, '"', then);
  on(inside, '\\', escaped);
  return { inside, escaped };
}

/**
 * Adds one letter of a field's name, written as it is or as an escape such as `\u006a`.
 * @param other the states of a name that is no field's
 * @returns the state after the letter
 */
function addLetter(from: number, letter: string, other: ReturnType<typeof addText>): number {
  const then = newState(other.inside);
  on(from, letter, then);
  const [high = '', low = ''] = letter.charCodeAt(0).toString(16);
  let at = addBranch(from, '\\', other.escaped);
  for (const written of ['u', '0', '0', high]) at = addBranch(at, written, other.inside);
  on(at, low + low.toUpperCase(), then);
  return then;
}

/** The state that the byte leads to. It is a new one, unless another name of the object has added it. */
function addBranch(from: number, byte: string, like: number): number {
  const known = entries[from + byte.charCodeAt(0)] as number;
  if (known > like) return known;
  const branch = newState(like);
  on(from, byte, branch);
  return branch;
}

function newState(like = BROKEN): number {
  return entries.push(...entries.slice(like, like + 256)) - 256;
}

function newAction(action: Action): number {
  return ~(ACTIONS.push(action) - 1);
}

function on(state: number, bytes: string, then: number): void {
  for (const byte of bytes) entries[state + byte.charCodeAt(0)] = then;
}
