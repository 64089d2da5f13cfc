// Sets of texts that patterns describe, and whether such a set has an element. Patterns are regular languages of two wildcards, so the
// answer is exact. Knows nothing about claims and paths.

import { RESERVED_CHARACTER } from '../policy/conditions.ts';
import { matchesPattern } from '../policy/pattern.ts';
import { shortestText } from './shortest-text.ts';
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

/** Characters of a text times those of a pattern that take about the time of another step. */
const COMPARISONS_OF_STEP = 64;
const LITERALS_OF_STEP = 16;

/** Finds elements of sets of texts, and keeps what it has found. */
export class TextFinder {
  readonly #found = new Map<string, string | null>();

  /** @returns an example, if possible one that people understand; undefined when the set is empty. @throws CannotTell */
  find(domain: Domain, texts: Texts, work: Work): string | undefined {
    const without = new Set(texts.without);
    if (without.has('**')) return undefined;
    // What fits a pattern that is in `without` too is not an element.
    const within = texts.within.map((patterns) => [...new Set(patterns)].filter((pattern) => !without.has(pattern)));
    if (within.some((patterns) => patterns.length === 0)) return undefined;
    const reduced = { within, without: [...without] };
    const candidates = toCandidates(domain, within);
    work.spend(1 + candidates.length + without.size);
    const readable = candidates.find((text) => domain.has(text) && isAmong(text, reduced, work));
    if (readable !== undefined) return readable;
    // The candidates are all texts where one list has no wildcards.
    if (within.some((patterns) => patterns.every(isLiteral))) return undefined;
    const key = JSON.stringify([domain.name, within.map((patterns) => patterns.sort()), reduced.without.sort()]);
    const known = this.#found.get(key);
    const found = known === undefined ? shortestText(domain, reduced, work) : (known ?? undefined);
    this.#found.set(key, found ?? null);
    // Another text may be shorter in UTF-16 code units, by which lengths are limited.
    if (found !== undefined && !domain.has(found)) throw new CannotTell();
    return found;
  }
}

export function isLiteral(pattern: string): boolean {
  return !pattern.includes('*');
}

/** Stands for a `*` of a value, which is no wildcard. No pattern tells the two apart. */
const NO_WILDCARD = RESERVED_CHARACTER;

/** The pattern that only one value fits. */
export function toLiteral(value: string): string {
  return value.replaceAll('*', NO_WILDCARD);
}

/** The value that an example has by such a pattern. */
export function fromLiteral(text: string): string {
  return text.replaceAll(NO_WILDCARD, '*');
}

function isAmong(text: string, { within, without }: Texts, work: Work): boolean {
  const fits = (pattern: string) => fitsPattern(pattern, text, work);
  return within.every((patterns) => patterns.some(fits)) && !without.some(fits);
}

/** @throws CannotTell */
export function fitsPattern(pattern: string, text: string, work: Work): boolean {
  if (isLiteral(pattern)) {
    work.spend(1 / LITERALS_OF_STEP);
    return pattern === text;
  }
  work.spend(1 + (text.length * pattern.length) / COMPARISONS_OF_STEP);
  return matchesPattern(pattern, text);
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
