// Makes new inputs out of old ones: changes of bytes, of words that the parser knows, of numbers, lines and JSON values.

const NUMBERS = ['0', '-1', '1', '4294967296', '9007199254740993', '1e400', '0.5', '-0', '253402300800000'];
/** Stands for a value in as many lists as fit. */
const DEEP = 'nested deeply';
const VALUES = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 53,
  1e21,
  '',
  ' ',
  '*',
  '\u0000',
  '\ud800',
  '__proto__',
  [],
  {},
  [[]],
];
/** The most that a repeated part may add, so that time that grows faster than the input shows. */
const REPEATS = [2, 3, 10, 100, 1000];

export class Mutator {
  readonly #random: () => number;
  readonly #words: readonly string[];
  readonly #longest: number;

  /** @param options.random numbers from 0 to below 1 */
  constructor(options: { readonly random: () => number; readonly words: readonly string[]; readonly longest: number }) {
    this.#random = options.random;
    this.#words = options.words.length > 0 ? options.words : [''];
    this.#longest = options.longest;
  }

  /** @param corpus what may be mixed into it */
  mutate(input: Buffer, corpus: readonly Buffer[]): Buffer {
    let changed = input;
    for (let changes = 1 + this.below(4); changes > 0; changes -= 1) changed = this.#change(changed, corpus);
    return changed.subarray(0, this.#longest);
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  #change(input: Buffer, corpus: readonly Buffer[]): Buffer {
    const [from, to] = this.#part(input);
    const replace = (by: string | Uint8Array) =>
      Buffer.concat([input.subarray(0, from), Buffer.from(by as string), input.subarray(to)]);
    const insert = (text: string | Uint8Array) =>
      Buffer.concat([input.subarray(0, from), Buffer.from(text as string), input.subarray(from)]);
    switch (this.below(12)) {
      case 0:
        return this.#flip(input);
      case 1:
        return replace('');
      case 2:
        return insert(input.subarray(from, to));
      case 3:
        return insert(Buffer.from([this.below(256)]));
      case 4:
        return replace(this.pick(this.#words));
      case 5:
        return insert(this.pick(this.#words));
      case 6:
        return insert(this.#mixIn(corpus));
      case 7:
        return this.#changeNumber(input);
      case 8:
        return this.#changeLines(input);
      case 9:
        return insert(Buffer.concat(Array(this.pick(REPEATS)).fill(input.subarray(from, from + 1 + this.below(8)))));
      default:
        return this.#changeJson(input);
    }
  }

  /** Mostly short. */
  #part({ length }: Buffer): [number, number] {
    const from = this.below(length + 1);
    const size = this.below(3) > 0 ? this.below(8) : this.below(length - from + 1);
    return [from, Math.min(length, from + size)];
  }

  #flip(input: Buffer): Buffer {
    if (input.length === 0) return input;
    const changed = Buffer.from(input);
    const at = this.below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << this.below(8));
    return changed;
  }

  #mixIn(corpus: readonly Buffer[]): Buffer {
    const other = this.pick(corpus);
    return other.subarray(...this.#part(other));
  }

  #changeNumber(input: Buffer): Buffer {
    const text = input.toString('latin1');
    const found = [...text.matchAll(/-?\d+/g)];
    if (found.length === 0) return input;
    const { 0: number, index } = this.pick(found);
    const near = String(BigInt(number.slice(0, 30).replace(/^-$/, '0')) + BigInt(this.pick([-1, 1, 10])));
    const other = this.below(2) === 0 ? this.pick(NUMBERS) : near;
    return Buffer.from(text.slice(0, index) + other + text.slice(index + number.length), 'latin1');
  }

  #changeLines(input: Buffer): Buffer {
    const lines = input.toString('latin1').split('\n');
    const [one, other] = [this.below(lines.length), this.below(lines.length)];
    const moved = lines[one] ?? '';
    if (this.below(2) === 0) lines[one] = lines[other] ?? '';
    else lines.splice(one, 1);
    lines.splice(other, 0, moved);
    return Buffer.from(lines.join('\n'), 'latin1');
  }

  /** Of the whole input, or of one line that is JSON. */
  #changeJson(input: Buffer): Buffer {
    const text = input.toString('utf8');
    const lines = text.split('\n');
    const candidates = [text, ...lines].filter((part) => /^[[{]/.test(part) && isJson(part));
    if (candidates.length === 0) return this.#flip(input);
    const chosen = this.pick(candidates);
    const root = { '': JSON.parse(chosen) as unknown };
    this.#changeValue(root);
    const levels = this.below(this.#longest / 2);
    const deep = '['.repeat(levels) + ']'.repeat(levels);
    const changed = (JSON.stringify(root['']) ?? '').replace(JSON.stringify(DEEP), deep);
    return Buffer.from(text.replace(chosen, () => changed));
  }

  #changeValue(root: Record<string, unknown>): void {
    const places = placesIn(root);
    const { holder, key } = this.pick(places);
    const mayMove = holder !== root && !Array.isArray(holder);
    const change = this.below(6);
    if (change === 0 && Array.isArray(holder)) holder.splice(Number(key), 1);
    else if (change === 0 && mayMove) delete holder[key];
    else if (change === 1 && mayMove) holder[this.pick(this.#words)] = holder[key];
    else holder[key] = this.#newValue(holder[key], places);
  }

  /** Almost the same. */
  #newText(text: string): string {
    const more = this.pick([...' /.x0A*\n\u0000ü', ...this.pick(this.#words)]);
    const variants = [
      text + more,
      more + text,
      text.slice(1),
      text.slice(0, -1),
      text.toUpperCase(),
      text.toLowerCase(),
    ];
    return this.pick(variants);
  }

  #newValue(value: unknown, places: readonly Place[]): unknown {
    if (typeof value === 'string' && this.below(3) === 0) return this.#newText(value);
    switch (this.below(5)) {
      case 0:
        return this.below(50) === 0 ? DEEP : this.pick(VALUES);
      case 1:
        return this.pick(this.#words);
      case 2: {
        const other = this.pick(places);
        return structuredClone(other.holder[other.key]);
      }
      case 3:
        return [value];
      default:
        return { [this.pick(this.#words)]: value };
    }
  }
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesIn(holder: Record<string, unknown>): Place[] {
  return Object.entries(holder).flatMap(([key, value]) => [
    { holder, key },
    ...(typeof value === 'object' && value !== null ? placesIn(value as Record<string, unknown>) : []),
  ]);
}

function isJson(text: string): boolean {
  // To write what is nested so deeply takes more stack than there is.
  if (/[[{]{200}/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
