// The states of the scan of a webhook's body, as one table: a state and a byte give the next state. So the scan takes the same
// time for every byte that a sender writes. The table covers the event and the objects in it that hold fields.
// Source of the grammar: RFC 8259. The grammar of texts, numbers and words is not checked.

/** What is kept of a value: a `text` if it is short, the beginning of a `long_text`, a whole `number`, or the fields of an object. */
type Kept = 'text' | 'long_text' | 'number' | Fields;
interface Fields {
  readonly [field: string]: Kept;
}

export const EVENT_FIELDS = {
  event: 'text',
  job: {
    id: 'text',
    type: 'text',
    state: 'text',
    finished_at: 'text',
    step_key: 'text',
    step: { id: 'text' },
    unblocked_by: { id: 'text' },
    unblocked_at: 'text',
  },
  build: {
    id: 'text',
    number: 'number',
    source: 'text',
    creator: { id: 'text' },
    meta_data: { 'break-glass-reason': 'long_text' },
  },
  pipeline: { id: 'text' },
} as const satisfies Fields;

/**
 * What the end of a job depends on. One of these that comes twice makes the body malformed. Any other field that comes twice is null: a
 * job chooses the names of metadata, and they never keep its end from being recorded.
 */
const UNIQUE = ['event', 'job', 'job.id', 'job.type', 'job.state', 'job.finished_at', 'pipeline', 'pipeline.id'];

/** What the scan does at a byte, before it goes on in the state `next`. */
export interface Action {
  /**
   * `count`: one list or object more than LEVELS is open. `name`: the name of a field was read.
   * `text`, `long_text`, `number`: the value of the field begins. `open`: an object with fields begins, the value of the field.
   */
  readonly does: 'count' | 'name' | 'open' | 'text' | 'long_text' | 'number';
  /** The number of the object that has the field. The event has 0. */
  readonly object: number;
  readonly field: string;
  /** A bit of its own for each field. */
  readonly bit: number;
  /** The number of the object that is opened. */
  readonly opens: number;
  readonly next: number;
  /** Where a name leads that came before. */
  readonly repeated: number;
}

/** A negative entry of the table, `~n`, stands for the action n. */
export const ACTIONS: Action[] = [];

/** So deep a value that nothing is kept of is read by states. From there to its end the scan counts its brackets. */
export const LEVELS = 8;
const WHITE_SPACE = ' \n\r\t';
const STRUCTURE = '",:[]{}';

/** More than there are. */
const MAX_STATES = 1_024;
/** 256 entries for each state. A state is the index of its first entry. */
const entries = new Int32Array(MAX_STATES * 256);
let states = 1;
let fieldsAdded = 0;
let objectsAdded = 0;
/** No byte leaves it. */
export const BROKEN = 0;

const NO_FIELD = { object: 0, field: '', bit: 0, opens: 0, repeated: BROKEN };

/** Nothing but white space may come. */
export const END = newState();
on(END, WHITE_SPACE, END);
/** Before the event. */
export const START = newState();
on(START, WHITE_SPACE, START);

on(START, '{', addObject(EVENT_FIELDS, '', END).first);
if (states > MAX_STATES || fieldsAdded > 31) throw new Error('the table of states is too small');

export const NEXT_STATE = entries.subarray(0, states * 256);

/**
 * Adds the states of an object.
 * @param path the names that lead to it, each with a dot behind it
 * @param end the state after the object
 * @returns its number, and the state after its opening bracket
 */
function addObject(fields: Fields, path: string, end: number): { readonly object: number; readonly first: number } {
  const object = objectsAdded;
  objectsAdded += 1;
  // The rest of a number or a word passes here, too.
  const next = newState();
  entries.fill(next, next, next + 256);
  on(next, STRUCTURE, BROKEN);
  on(next, '}', end);

  const value = newState(next);
  on(value, STRUCTURE, BROKEN);
  on(value, WHITE_SPACE, value);
  on(value, '"', addText(next).inside);
  on(value, '[{', addSkipped(next));

  const skipped = addColon(value);
  const other = addText(skipped);
  const name = newState(other.inside);
  const key = newState();
  on(key, WHITE_SPACE, key);
  on(key, '"', name);
  on(next, ',', key);
  const first = newState(key);
  on(first, WHITE_SPACE, first);
  on(first, '}', end);

  for (const [field, kept] of Object.entries(fields)) {
    const repeated = UNIQUE.includes(path + field) ? BROKEN : skipped;
    const action = { object, field, bit: 1 << fieldsAdded, opens: 0, repeated };
    fieldsAdded += 1;
    const ownValue = newState(value);
    on(ownValue, WHITE_SPACE, ownValue);
    if (typeof kept !== 'string') {
      const inner = addObject(kept, `${path}${field}.`, next);
      on(ownValue, '{', newAction({ ...action, does: 'open', opens: inner.object, next: inner.first }));
    } else on(ownValue, kept === 'number' ? '-0123456789' : '"', newAction({ ...action, does: kept, next }));
    const nameEnd = [...field].reduce((from, letter) => addLetter(from, letter, other), name);
    on(nameEnd, '"', newAction({ ...action, does: 'name', next: addColon(ownValue) }));
  }
  return { object, first };
}

/** States in a list or an object that nothing is kept of. Brackets are not matched by kind. */
function addSkipped(next: number): number {
  const levels = Array.from({ length: LEVELS }, newLevel);
  for (const [at, level] of levels.entries()) {
    on(level, '[{', levels[at + 1] ?? newAction({ ...NO_FIELD, does: 'count', next }));
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
  const then = addBranch(from, letter, other.inside);
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
  const state = states * 256;
  states += 1;
  entries.copyWithin(state, like, like + 256);
  return state;
}

function newAction(action: Action): number {
  return ~(ACTIONS.push(action) - 1);
}

function on(state: number, bytes: string, then: number): void {
  for (const byte of bytes) entries[state + byte.charCodeAt(0)] = then;
}
