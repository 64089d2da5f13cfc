// Reads a webhook's body while it arrives, in constant memory, and keeps the few short texts that Keydesk uses.
// A job can make its `job.finished` as large as the platform lets it (build.meta_data), so no body is ever held.
// Source of the grammar: RFC 8259. What JSON.parse rejects is rejected here too, up to CHECKED_DEPTH.

import {
  BACKSLASH,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  endsNumber,
  isEscape,
  isHexDigit,
  isWhitespace,
  MINUS,
  type NumberPart,
  nextPart,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  restOfWord,
  SPACE,
  U,
} from './json-bytes.ts';

/** The fields that are kept, by the object they stand in. All else is skipped, whatever its name. */
const FIELDS = {
  top: new Set(['event', 'job', 'pipeline']),
  job: new Set(['id', 'type', 'state', 'finished_at']),
  pipeline: new Set(['id']),
};

/** Bytes of a text as it stands in the body. An escape takes six, so a longer text has more than 128 characters. */
const KEPT_BYTES = 6 * 128;
/** Lists and objects that are deeper are skipped by counting brackets: which kind each of them is would take memory. */
const CHECKED_DEPTH = 1024;

/** What may come next; while inside a text, a number or a word, what that is. */
const VALUE = 0;
const FIRST_VALUE_OR_END = 1;
const KEY = 2;
const FIRST_KEY_OR_END = 3;
const AFTER_KEY = 4;
const COMMA_OR_END = 5;
const TEXT = 6;
const ESCAPE = 7;
const HEX = 8;
const NUMBER = 9;
const WORD = 10;
const DEEP = 11;
const BROKEN = 12;

/** A text that was too long to keep, and a value that is no text, is null. */
export interface ScannedWebhook {
  event?: string | null;
  job?: { id?: string | null; type?: string | null; state?: string | null; finished_at?: string | null } | null;
  pipeline?: { id?: string | null } | null;
}

type Found = Record<string, unknown>;

export class WebhookScan {
  #state = VALUE;
  #depth = 0;
  readonly #isObject = new Uint8Array(CHECKED_DEPTH + 1);
  #textIsKey = false;
  #hexLeft = 0;
  #number: NumberPart = 'sign';
  #wordLeft = '';

  readonly #top: Found = {};
  /** The innermost object that has fields to keep. */
  #found: { readonly fields: ReadonlySet<string>; readonly values: Found; readonly depth: number } = this.#outermost();
  /** The field whose value comes next, when it is kept. */
  #field: string | undefined;
  readonly #kept = Buffer.alloc(KEPT_BYTES);
  /** More than KEPT_BYTES when the text is too long; undefined when it is skipped. */
  #keptLength: number | undefined;

  /** Reads on. The body may be cut anywhere, also inside an escape or a character. */
  update(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      switch (this.#state) {
        case TEXT:
          at = this.#readText(bytes, at);
          break;
        case NUMBER:
          at = this.#readNumber(bytes, at);
          break;
        case DEEP:
          at = this.#skipDeep(bytes, at);
          break;
        case BROKEN:
          return;
        case ESCAPE:
        case HEX:
        case WORD:
          this.#readInside(bytes[at] as number);
          at += 1;
          break;
        default:
          if (!isWhitespace(bytes[at] as number)) this.#readToken(bytes[at] as number);
          at += 1;
      }
    }
  }

  /**
   * What the whole body had.
   * @returns undefined when it is no JSON object, or names a field that is kept twice
   */
  finish(): ScannedWebhook | undefined {
    return this.#state === COMMA_OR_END && this.#depth === 0 ? this.#top : undefined;
  }

  #outermost() {
    return { fields: FIELDS.top, values: this.#top, depth: 1 };
  }

  #readInside(byte: number): void {
    switch (this.#state) {
      case ESCAPE:
        this.#keepByte(byte);
        if (byte === U) {
          this.#hexLeft = 4;
          this.#state = HEX;
        } else this.#state = isEscape(byte) ? TEXT : BROKEN;
        return;
      case HEX:
        this.#keepByte(byte);
        this.#hexLeft -= 1;
        if (!isHexDigit(byte)) this.#state = BROKEN;
        else if (this.#hexLeft === 0) this.#state = TEXT;
        return;
      default:
        if (byte !== this.#wordLeft.charCodeAt(0)) this.#state = BROKEN;
        else {
          this.#wordLeft = this.#wordLeft.slice(1);
          if (this.#wordLeft === '') this.#state = COMMA_OR_END;
        }
    }
  }

  #readToken(byte: number): void {
    switch (this.#state) {
      case AFTER_KEY:
        this.#state = byte === COLON ? VALUE : BROKEN;
        return;
      case COMMA_OR_END:
        if (byte !== COMMA) this.#close(byte);
        else if (this.#depth === 0) this.#state = BROKEN;
        else this.#state = this.#isObject[this.#depth] ? KEY : VALUE;
        return;
      case FIRST_KEY_OR_END:
        if (byte === CLOSE_OBJECT) this.#close(byte);
        else this.#beginKey(byte);
        return;
      case KEY:
        this.#beginKey(byte);
        return;
      case FIRST_VALUE_OR_END:
        if (byte === CLOSE_LIST) this.#close(byte);
        else this.#beginValue(byte);
        return;
      default:
        this.#beginValue(byte);
    }
  }

  #beginKey(byte: number): void {
    if (byte !== QUOTE) {
      this.#state = BROKEN;
      return;
    }
    this.#textIsKey = true;
    this.#keptLength = this.#depth === this.#found.depth ? 0 : undefined;
    this.#state = TEXT;
  }

  #beginValue(byte: number): void {
    const field = this.#depth === this.#found.depth ? this.#field : undefined;
    if (byte === OPEN_OBJECT) this.#open(1, field);
    else if (this.#depth === 0) this.#state = BROKEN;
    else if (byte === OPEN_LIST) this.#open(0, undefined);
    else if (byte === QUOTE) {
      this.#textIsKey = false;
      this.#keptLength = field === undefined || holdsFields(field) ? undefined : 0;
      this.#state = TEXT;
    } else this.#beginScalar(byte);
  }

  #beginScalar(byte: number): void {
    const word = restOfWord(byte);
    const number = nextPart('sign', byte);
    this.#state = BROKEN;
    if (word !== undefined) {
      this.#wordLeft = word;
      this.#state = WORD;
    } else if (byte === MINUS || number !== undefined) {
      this.#number = number ?? 'sign';
      this.#state = NUMBER;
    }
  }

  #open(isObject: 0 | 1, field: string | undefined): void {
    this.#depth += 1;
    if (this.#depth > CHECKED_DEPTH) {
      this.#state = DEEP;
      return;
    }
    this.#isObject[this.#depth] = isObject;
    this.#state = isObject ? FIRST_KEY_OR_END : FIRST_VALUE_OR_END;
    if (field === undefined || !holdsFields(field)) return;
    const values: Found = {};
    this.#top[field] = values;
    this.#found = { fields: FIELDS[field], values, depth: 2 };
  }

  #close(byte: number): void {
    const expected = this.#isObject[this.#depth] ? CLOSE_OBJECT : CLOSE_LIST;
    if (this.#depth === 0 || byte !== expected) {
      this.#state = BROKEN;
      return;
    }
    if (this.#depth === this.#found.depth) this.#found = this.#outermost();
    this.#depth -= 1;
    this.#state = COMMA_OR_END;
  }

  #readText(bytes: Uint8Array, from: number): number {
    const { length } = bytes;
    let at = from;
    let byte = SPACE;
    while (at < length) {
      byte = bytes[at] as number;
      if (byte === QUOTE || byte === BACKSLASH || byte < SPACE) break;
      at += 1;
    }
    if (this.#keptLength !== undefined) this.#keep(bytes.subarray(from, at));
    if (at === length) return at;
    if (byte === QUOTE) this.#endText();
    else if (byte === BACKSLASH) {
      this.#keepByte(byte);
      this.#state = ESCAPE;
    } else this.#state = BROKEN;
    return at + 1;
  }

  #endText(): void {
    this.#state = this.#depth > CHECKED_DEPTH ? DEEP : this.#textIsKey ? AFTER_KEY : COMMA_OR_END;
    if (this.#keptLength === undefined) return;
    const { fields, values } = this.#found;
    const text = this.#keptText();
    if (!this.#textIsKey) values[this.#field as string] = text;
    else if (text === null || !fields.has(text)) this.#field = undefined;
    else if (text in values) this.#state = BROKEN;
    else {
      this.#field = text;
      values[text] = null;
    }
  }

  #keptText(): string | null {
    const length = this.#keptLength as number;
    if (length > KEPT_BYTES) return null;
    // The text was checked as it came, so this parses: it undoes the escapes.
    return JSON.parse(`"${this.#kept.toString('utf8', 0, length)}"`) as string;
  }

  #keep(bytes: Uint8Array): void {
    const start = this.#keptLength as number;
    const end = start + bytes.length;
    if (end <= KEPT_BYTES) this.#kept.set(bytes, start);
    this.#keptLength = end;
  }

  #keepByte(byte: number): void {
    if (this.#keptLength === undefined) return;
    if (this.#keptLength < KEPT_BYTES) this.#kept[this.#keptLength] = byte;
    this.#keptLength += 1;
  }

  #readNumber(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      const next = nextPart(this.#number, bytes[at] as number);
      if (next === undefined) {
        this.#state = endsNumber(this.#number) ? COMMA_OR_END : BROKEN;
        return at;
      }
      this.#number = next;
    }
    return bytes.length;
  }

  #skipDeep(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#keptLength = undefined;
        this.#state = TEXT;
        return at + 1;
      }
      if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#depth += 1;
      else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
        this.#depth -= 1;
        if (this.#depth > CHECKED_DEPTH) continue;
        this.#state = COMMA_OR_END;
        return at + 1;
      }
    }
    return bytes.length;
  }
}

function holdsFields(field: string): field is 'job' | 'pipeline' {
  return field === 'job' || field === 'pipeline';
}
