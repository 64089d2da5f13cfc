// Sets of texts that patterns describe, and whether such a set has an element. Patterns are regular languages of two wildcards, so the
// answer is exact. Knows nothing about claims and paths.

import { GLOBSTAR, matchesPattern, STAR, toParts } from '../policy/pattern.ts';
import { CannotTell, type Work } from './work.ts';

/** The texts that fit a pattern of each list in `within`, and no pattern in `without`. */
export interface Texts {
  readonly within: readonly (readonly string[])[];
  readonly without: readonly string[];
}

/** What texts can be at all, such as UUIDs: a deterministic automaton, whose states are numbers and begin with 0. */
export interface Domain {
  /** No two domains have the same. */
  readonly name: string;
  /** The state after a character; undefined when no text goes on like that. */
  readonly next: (state: number, character: string) => number | undefined;
  /** Whether a text may end in a state. */
  readonly isEnd: (state: number) => boolean;
  /** Whether a text is of the domain. A text that ends in such a state is, unless it is too long. */
  readonly has: (text: string) => boolean;
  /** The characters that `next` distinguishes, and one that it treats as all others. */
  readonly characters: readonly string[];
  /** Texts that people understand, best first. */
  readonly examples: readonly string[];
}

/** Finds elements of sets of texts, and keeps what it has found. */
export class TextFinder {
  readonly #found = new Map<string, string | null>();

  /** @returns an example, if possible one that people understand; undefined when the set is empty. @throws CannotTell */
  find(domain: Domain, texts: Texts, work: Work): string | undefined {
    const candidates = toCandidates(domain, texts.within);
    work.spend(1 + candidates.length + texts.without.length);
    const readable = candidates.find((text) => domain.has(text) && isAmong(text, texts));
    if (readable !== undefined) return readable;
    // The candidates are all texts where one list has no wildcards.
    if (texts.within.some((patterns) => patterns.every(isLiteral))) return undefined;
    const without = [...new Set(texts.without)].sort();
    if (without.includes('**')) return undefined;
    const within = texts.within.map((patterns) => [...new Set(patterns)].sort());
    const key = JSON.stringify([domain.name, within, without]);
    const known = this.#found.get(key);
    if (known !== undefined) return known ?? undefined;
    const found = shortest(domain, { within, without }, work);
    this.#found.set(key, found ?? null);
    return found;
  }
}

export function isLiteral(pattern: string): boolean {
  return !pattern.includes('*');
}

function isAmong(text: string, { within, without }: Texts): boolean {
  return (
    within.every((patterns) => patterns.some((pattern) => matchesPattern(pattern, text))) &&
    !without.some((pattern) => matchesPattern(pattern, text))
  );
}

/** The texts of a list without wildcards; else the domain's examples, and patterns with something readable for their wildcards. */
function toCandidates(domain: Domain, within: Texts['within']): readonly string[] {
  const literals = within.find((patterns) => patterns.every(isLiteral));
  if (literals) return literals;
  const filled = within.flatMap((patterns) =>
    patterns.flatMap((pattern) =>
      isLiteral(pattern) ? [pattern] : ['x', '1', 'x/y', 'x/y/z', ''].map((text) => pattern.replaceAll(/\*+/g, text)),
    ),
  );
  return [...domain.examples, ...filled];
}

/** How far a text has come in every list of patterns. Equal progress has equal continuations. */
interface Progress {
  readonly text: string;
  readonly domain: number;
  readonly within: readonly bigint[];
  readonly without: bigint;
}

/** Goes through all texts, shortest first, except those whose continuations are known. */
function shortest(domain: Domain, texts: Texts, work: Work): string | undefined {
  const within = texts.within.map((patterns) => new PatternList(patterns));
  const without = new PatternList(texts.without);
  const lists = [...within, without];
  const characters = toCharacters(domain, lists);
  const seen = new Set<string>();
  let reached: Progress[] = [{ text: '', domain: 0, within: within.map(({ start }) => start), without: without.start }];
  while (reached.length > 0) {
    const next: Progress[] = [];
    for (const progress of reached) {
      if (
        domain.isEnd(progress.domain) &&
        within.every((list, index) => list.matches(progress.within[index] ?? 0n)) &&
        !without.matches(progress.without)
      ) {
        if (domain.has(progress.text)) return progress.text;
        // Another text may be shorter in UTF-16 code units, by which lengths are limited.
        throw new CannotTell();
      }
      work.spend(characters.length * lists.length);
      for (const character of characters) {
        const state = domain.next(progress.domain, character);
        if (state === undefined) continue;
        const inside = within.map((list, index) => list.step(progress.within[index] ?? 0n, character));
        if (inside.includes(0n)) continue;
        const outside = without.step(progress.without, character);
        if (without.matchesAllFrom(outside)) continue;
        const key = [state, ...inside.map((mask) => mask.toString(36)), outside.toString(36)].join(' ');
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ text: progress.text + character, domain: state, within: inside, without: outside });
      }
    }
    reached = next;
  }
  return undefined;
}

/** Every character that a list or the domain distinguishes; the readable ones first. */
function toCharacters(domain: Domain, lists: readonly PatternList[]): string[] {
  const all = new Set([...domain.characters, '/', ...lists.flatMap(({ characters }) => characters)]);
  const other = [...'xyzabcdefghijklmnopqrstuvw0123456789'].find((character) => !all.has(character));
  if (other !== undefined) all.add(other);
  else
    for (let code = 0xa1; code < 0x10000; code += 1) {
      const character = String.fromCharCode(code);
      if (all.has(character)) continue;
      all.add(character);
      break;
    }
  return [...all].sort((left, right) => rank(left) - rank(right));
}

function rank(character: string): number {
  return /[a-z]/.test(character) ? 0 : /[0-9]/.test(character) ? 1 : 2;
}

/**
 * Several patterns at once, as a bit-parallel nondeterministic automaton: bit n of a mask says that a text may have reached place n. A
 * place is in front of a part of a pattern, or behind its last part.
 */
class PatternList {
  readonly start: bigint;
  readonly characters: readonly string[];
  readonly #ends: bigint;
  readonly #anythingFrom: bigint;
  readonly #wildcards: bigint;
  readonly #stars: bigint;
  readonly #literals: ReadonlyMap<string, bigint>;

  constructor(patterns: readonly string[]) {
    let [start, ends, anythingFrom, wildcards, stars, place] = [0n, 0n, 0n, 0n, 0n, 0n];
    const literals = new Map<string, bigint>();
    for (const pattern of patterns) {
      start |= 1n << place;
      const parts = toParts(pattern);
      for (const [index, part] of parts.entries()) {
        const bit = 1n << place;
        if (typeof part === 'string') literals.set(part, (literals.get(part) ?? 0n) | bit);
        else wildcards |= bit;
        if (part === STAR) stars |= bit;
        if (part === GLOBSTAR && index === parts.length - 1) anythingFrom |= bit;
        place += 1n;
      }
      ends |= 1n << place;
      place += 1n;
    }
    this.#ends = ends;
    this.#anythingFrom = anythingFrom;
    this.#wildcards = wildcards;
    this.#stars = stars;
    this.#literals = literals;
    this.characters = [...literals.keys()];
    this.start = this.#pastWildcards(start);
  }

  step(mask: bigint, character: string): bigint {
    const staying = mask & this.#wildcards & (character === '/' ? ~this.#stars : ~0n);
    const moving = (mask & (this.#literals.get(character) ?? 0n)) << 1n;
    return this.#pastWildcards(staying | moving);
  }

  matches(mask: bigint): boolean {
    return (mask & this.#ends) !== 0n;
  }

  /** Whether every continuation fits. */
  matchesAllFrom(mask: bigint): boolean {
    return (mask & this.#anythingFrom) !== 0n;
  }

  /** A wildcard may stand for nothing. No two of them are neighbours. */
  #pastWildcards(mask: bigint): bigint {
    return mask | ((mask & this.#wildcards) << 1n);
  }
}
