// Splits a log into the texts of its entries, piece by piece, so that a file of any size needs little memory: JSON lines, a JSON array,
// or JSON objects in a row, which may span lines.

/** UTF-16 code units. Cloud Logging takes 256 KiB an entry (docs.cloud.google.com/logging/quotas); indentation makes it longer. */
const MAX_LENGTH = 4 * 1024 * 1024;

/** The text of an entry; undefined for what is no entry, such as a line that is too long. It begins on `line`. */
export interface JsonText {
  readonly text: string | undefined;
  readonly line: number;
}

export interface Splitter {
  /** Takes the next piece. @returns the entries that end in it */
  push(piece: string): JsonText[];
  /** @returns what is left */
  end(): JsonText[];
}

/** @param maxLength of an entry, in UTF-16 code units */
export function createSplitter(maxLength = MAX_LENGTH): Splitter {
  let chosen: Splitter | undefined;
  let held = '';
  return {
    push(piece) {
      if (chosen) return chosen.push(piece);
      held += piece;
      // The first line says which form it is.
      if (!held.trimStart().includes('\n') && held.length <= maxLength) return [];
      return choose().push(held);
    },
    end() {
      if (chosen) return chosen.end();
      const splitter = choose();
      return [...splitter.push(held), ...splitter.end()];
    },
  };

  function choose(): Splitter {
    const first = held.replace(/^\ufeff/, '').trimStart();
    const spansLines = first.startsWith('[') || /^\{\s*\n/.test(first);
    chosen = spansLines ? new ObjectSplitter(maxLength) : new LineSplitter(maxLength);
    return chosen;
  }
}

/** An entry a line: what is wrong with one line does not harm the next. */
class LineSplitter implements Splitter {
  readonly #maxLength: number;
  #held = '';
  #line = 1;
  /** The line so far is too long. */
  #skipping = false;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  push(piece: string): JsonText[] {
    const texts: JsonText[] = [];
    let start = 0;
    for (let end = piece.indexOf('\n'); end >= 0; end = piece.indexOf('\n', start)) {
      texts.push(...this.#take(this.#held + piece.slice(start, end)));
      this.#held = '';
      this.#skipping = false;
      this.#line += 1;
      start = end + 1;
    }
    if (!this.#skipping) this.#held += piece.slice(start);
    if (this.#held.length > this.#maxLength) {
      this.#held = '';
      this.#skipping = true;
    }
    return texts;
  }

  end(): JsonText[] {
    return this.#take(this.#held);
  }

  #take(held: string): JsonText[] {
    if (this.#skipping) return [{ text: undefined, line: this.#line }];
    const text = held.replace(/^\ufeff/, '').trim();
    if (text === '') return [];
    return [{ text: text.length > this.#maxLength ? undefined : text, line: this.#line }];
  }
}

const NOTABLE = /["\\{}\n]/g;

/** Entries between braces, which may span lines. What stands between them is passed over. */
class ObjectSplitter implements Splitter {
  readonly #maxLength: number;
  #held = '';
  #depth = 0;
  #inString = false;
  /** The next character belongs to an escape. */
  #escaped = false;
  #tooLong = false;
  #line = 1;
  #startedOn = 1;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  push(piece: string): JsonText[] {
    const texts: JsonText[] = [];
    let start = 0;
    NOTABLE.lastIndex = 0;
    if (this.#escaped) {
      this.#escaped = false;
      NOTABLE.lastIndex = 1;
    }
    for (let found = NOTABLE.exec(piece); found; found = NOTABLE.exec(piece)) {
      const { 0: character, index } = found;
      if (character === '\n') this.#line += 1;
      if (this.#inString) {
        if (character === '"') this.#inString = false;
        else if (character === '\\') {
          this.#escaped = index + 1 >= piece.length;
          NOTABLE.lastIndex = index + 2;
        } else if (character === '\n') {
          // No string of JSON has a line end, so the entry is broken.
          texts.push({ text: undefined, line: this.#startedOn });
          this.#reset();
        }
      } else if (character === '"') this.#inString = this.#depth > 0;
      else if (character === '{') {
        if (this.#depth === 0) {
          start = index;
          this.#startedOn = this.#line;
        }
        this.#depth += 1;
      } else if (character === '}' && this.#depth > 0) {
        this.#depth -= 1;
        if (this.#depth > 0) continue;
        const text = this.#held + piece.slice(start, index + 1);
        const tooLong = this.#tooLong || text.length > this.#maxLength;
        texts.push({ text: tooLong ? undefined : text, line: this.#startedOn });
        this.#reset();
      }
    }
    if (this.#depth > 0) this.#hold(piece.slice(start));
    return texts;
  }

  end(): JsonText[] {
    return this.#depth > 0 ? [{ text: undefined, line: this.#startedOn }] : [];
  }

  #hold(rest: string): void {
    if (this.#tooLong) return;
    this.#held += rest;
    if (this.#held.length <= this.#maxLength) return;
    this.#held = '';
    this.#tooLong = true;
  }

  #reset(): void {
    this.#held = '';
    this.#depth = 0;
    this.#inString = false;
    this.#tooLong = false;
  }
}
