// Reads a webhook's body while it arrives, in constant memory, and keeps the few short texts that Keydesk uses.
// Of values that are not kept it knows texts and the count of brackets alone. Buildkite signs valid JSON, and nothing of these
// values is used. No body is held, so the scan runs before the signature is known: it has to be fast for every input.

import { LONGEST_REASON, LONGEST_STEP_KEY } from '../conditions/build-record.ts';
import { parseJson } from '../json.ts';
import { ACTIONS, type Action, BROKEN, END, type EVENT_FIELDS, LEVELS, NEXT_STATE, START } from './scan-states.ts';

/** Bytes of a text in the body, including its closing quote. An escape takes six, so a longer text has more characters than any schema takes. */
const KEPT_BYTES = 6 * LONGEST_STEP_KEY + 1;
/** The same of a long text, which is cut. */
const KEPT_BYTES_OF_LONG = 6 * LONGEST_REASON + 1;
/** Bytes of the longest escape, and of the longest character. */
const LONGEST_PART = 6;
/** 1 for a byte that ends a number. */
const ENDS_NUMBER = new Uint8Array(256);
for (const byte of Buffer.from(',:[]{}" \n\r\t')) ENDS_NUMBER[byte] = 1;

/** Where a byte is: outside of texts, in a text, or behind a backslash in one. Each has 256 entries in two tables. */
const OUTSIDE = 0;
const INSIDE = 256;
const ESCAPED = 512;
/** Where the next byte is. */
const NEXT_PLACE = new Uint16Array(3 * 256).fill(INSIDE, INSIDE);
/** What the byte adds to the number of open brackets. */
const DEPTH_CHANGE = new Int8Array(3 * 256);
NEXT_PLACE[OUTSIDE + 0x22] = INSIDE;
NEXT_PLACE[INSIDE + 0x22] = OUTSIDE;
NEXT_PLACE[INSIDE + 0x5c] = ESCAPED;
for (const open of '[{') DEPTH_CHANGE[OUTSIDE + open.charCodeAt(0)] = 1;
for (const close of ']}') DEPTH_CHANGE[OUTSIDE + close.charCodeAt(0)] = -1;

type Scanned<Fields> = {
  -readonly [Field in keyof Fields]?:
    | (Fields[Field] extends 'number' ? number : Fields[Field] extends string ? string : Scanned<Fields[Field]>)
    | null;
};

/** What the body has of the fields. A value of another kind is null, and so is a text that was too long to keep. Of a long text it is a part. */
export type ScannedWebhook = Scanned<typeof EVENT_FIELDS>;

type Found = Record<string, unknown>;

/** The value of a field while it is read. */
interface Reading {
  readonly found: Found;
  readonly field: string;
  readonly does: 'text' | 'long_text' | 'number';
}

export class WebhookScan {
  readonly #event: Found = {};
  /** By their numbers. */
  readonly #objects: Found[] = [this.#event];
  /** A bit for each field that was named. */
  #named = 0;
  /** In the event or in an object that holds fields; behind the value while one is kept or skipped. */
  #state = START;
  /** In a value that is kept or skipped. */
  #place = OUTSIDE;
  /** Brackets that are open in a deep value that is skipped. 0 when none is. */
  #depth = 0;
  /** The value that is kept. Undefined when none is. */
  #reading: Reading | undefined;
  /** With the quotation mark that ends it. */
  readonly #text = Buffer.alloc(KEPT_BYTES_OF_LONG);
  /** More than what is kept when the text is too long. */
  #textLength = 0;

  /** Reads on. The body may be cut anywhere, also inside an escape or a character. */
  update(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#depth > 0) at = this.#skip(bytes, at);
      else if (!this.#reading) at = this.#readObject(bytes, at);
      else if (this.#reading.does === 'number') at = this.#readNumber(bytes, at, this.#reading);
      else at = this.#readText(bytes, at, this.#reading);
    }
  }

  /**
   * What the whole body had.
   * @returns undefined when the body is no JSON object, was cut short, or names a field twice on which the end of a job depends
   */
  finish(): ScannedWebhook | undefined {
    return this.#state === END ? this.#event : undefined;
  }

  #readObject(bytes: Uint8Array, from: number): number {
    // A local constant: reads of an import are slow in some test runners.
    const nextState = NEXT_STATE;
    let state = this.#state;
    let at = from;
    while (at < bytes.length && state >= 0) {
      state = nextState[state + (bytes[at] as number)] as number;
      at += 1;
    }
    if (state >= 0) {
      this.#state = state;
      return at;
    }
    const action = ACTIONS[~state] as Action;
    this.#state = this.#act(action);
    // The first digit belongs to the number.
    return action.does === 'number' ? at - 1 : at;
  }

  /** Returns the state to go on with. */
  #act({ does, object, field, bit, opens, next, repeated }: Action): number {
    if (does === 'count') {
      this.#depth = LEVELS + 1;
      return next;
    }
    const found = this.#objects[object] as Found;
    if (does === 'name') {
      const isFirst = (this.#named & bit) === 0;
      this.#named |= bit;
      found[field] = null;
      return isFirst ? next : repeated;
    }
    if (does === 'open') {
      const opened: Found = {};
      found[field] = opened;
      this.#objects[opens] = opened;
      return next;
    }
    this.#place = INSIDE;
    this.#textLength = 0;
    this.#reading = { found, field, does };
    return next;
  }

  #skip(bytes: Uint8Array, from: number): number {
    let place = this.#place;
    let depth = this.#depth;
    let at = from;
    while (at < bytes.length && depth > 0) {
      const entry = place + (bytes[at] as number);
      place = NEXT_PLACE[entry] as number;
      depth += DEPTH_CHANGE[entry] as number;
      at += 1;
    }
    this.#place = place;
    this.#depth = depth;
    return at;
  }

  #readText(bytes: Uint8Array, from: number, reading: Reading): number {
    let place = this.#place;
    let length = this.#textLength;
    let at = from;
    while (at < bytes.length && place !== OUTSIDE) {
      const byte = bytes[at] as number;
      place = NEXT_PLACE[place + byte] as number;
      if (length < KEPT_BYTES_OF_LONG) this.#text[length] = byte;
      length += 1;
      at += 1;
    }
    this.#place = place;
    this.#textLength = length;
    if (place === OUTSIDE) this.#endText(reading);
    return at;
  }

  #endText(reading: Reading): void {
    const isLong = reading.does === 'long_text';
    const length = this.#textLength;
    if (length <= (isLong ? KEPT_BYTES_OF_LONG : KEPT_BYTES)) this.#keep(reading, `"${this.#textTo(length)}`);
    else if (isLong) this.#keepBeginning(reading);
    else this.#reading = undefined;
  }

  /** Where the text is cut may lie within a character or an escape. */
  #keepBeginning(reading: Reading): void {
    const ends = Array.from({ length: LONGEST_PART }, (_, cut) => KEPT_BYTES_OF_LONG - cut);
    const beginnings = ends.map((end) => `"${this.#textTo(end)}"`);
    this.#keep(reading, beginnings.find((json) => parseJson(json) !== undefined) ?? '');
  }

  #readNumber(bytes: Uint8Array, from: number, reading: Reading): number {
    let length = this.#textLength;
    let at = from;
    while (at < bytes.length && ENDS_NUMBER[bytes[at] as number] === 0) {
      if (length < KEPT_BYTES) this.#text[length] = bytes[at] as number;
      length += 1;
      at += 1;
    }
    this.#textLength = length;
    if (at === bytes.length) return at;
    if (length > KEPT_BYTES) this.#reading = undefined;
    else this.#keep(reading, this.#textTo(length));
    return at;
  }

  #keep({ found, field, does }: Reading, json: string): void {
    this.#reading = undefined;
    const value = parseJson(json);
    if (value === undefined) this.#state = BROKEN;
    else found[field] = does === 'number' && !Number.isSafeInteger(value) ? null : value;
  }

  #textTo(end: number): string {
    return this.#text.toString('utf8', 0, end);
  }
}
