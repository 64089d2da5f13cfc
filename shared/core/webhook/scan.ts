// Reads a webhook's body while it arrives, in constant memory, and keeps the few short texts that Keydesk uses.
// Of values that are not kept it knows texts and the count of brackets alone. Buildkite signs valid JSON, and nothing of these
// values is used. No body is held, so the scan runs before the signature is known: it has to be fast for every input.

import { ACTIONS, type Action, BROKEN, END, LEVELS, NEXT_STATE, START } from './scan-states.ts';

/** Bytes of a text in the body, including its closing quote. An escape takes six, so a longer text has more than 128 characters. */
const KEPT_BYTES = 6 * 128 + 1;

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

/** A text that was too long to keep, and a value that is no text, is null. */
export interface ScannedWebhook {
  event?: string | null;
  job?: { id?: string | null; type?: string | null; state?: string | null; finished_at?: string | null } | null;
  pipeline?: { id?: string | null } | null;
}

type Found = Record<string, unknown>;

export class WebhookScan {
  readonly #event: Found = {};
  /** In the event or in an object that holds fields; behind the value while one is kept or skipped. */
  #state = START;
  /** In a value that is kept or skipped. */
  #place = OUTSIDE;
  /** Brackets that are open in a deep value that is skipped. 0 when none is. */
  #depth = 0;
  /** Takes the text that is kept. Undefined when none is. */
  #keep: ((text: string | null) => void) | undefined;
  /** With the quotation mark that ends it. */
  readonly #text = Buffer.alloc(KEPT_BYTES);
  /** More than KEPT_BYTES when the text is too long. */
  #textLength = 0;

  /** Reads on. The body may be cut anywhere, also inside an escape or a character. */
  update(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#depth > 0) at = this.#skip(bytes, at);
      else if (this.#keep) at = this.#readText(bytes, at, this.#keep);
      else at = this.#readObject(bytes, at);
    }
  }

  /**
   * What the whole body had.
   * @returns undefined when the body is no JSON object, was cut short, or names a field that is kept twice
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
    this.#state = state >= 0 ? state : this.#act(ACTIONS[~state] as Action);
    return at;
  }

  /** Returns the state to go on with. */
  #act({ does, object, field, next }: Action): number {
    if (does === 'count') {
      this.#depth = LEVELS + 1;
      return next;
    }
    const found = object === 'event' ? this.#event : (this.#event[object] as Found);
    if (does === 'name') {
      if (field in found) return BROKEN;
      found[field] = null;
    } else if (does === 'open') found[field] = {};
    else {
      this.#place = INSIDE;
      this.#textLength = 0;
      this.#keep = (text) => {
        found[field] = text;
      };
    }
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

  #readText(bytes: Uint8Array, from: number, keep: (text: string | null) => void): number {
    let place = this.#place;
    let length = this.#textLength;
    let at = from;
    while (at < bytes.length && place !== OUTSIDE) {
      const byte = bytes[at] as number;
      place = NEXT_PLACE[place + byte] as number;
      if (length < KEPT_BYTES) this.#text[length] = byte;
      length += 1;
      at += 1;
    }
    this.#place = place;
    this.#textLength = length;
    if (place === OUTSIDE) this.#endText(keep);
    return at;
  }

  #endText(keep: (text: string | null) => void): void {
    this.#keep = undefined;
    if (this.#textLength > KEPT_BYTES) return;
    try {
      keep(JSON.parse(`"${this.#text.toString('utf8', 0, this.#textLength)}`) as string);
    } catch {
      this.#state = BROKEN;
    }
  }
}
