// Several patterns at once, as a deterministic automaton whose states are made when they are needed.

import { GLOBSTAR, STAR, toParts } from '../policy/pattern.ts';
import type { Work } from './work.ts';

/** Bits that are worked on in about the time of another step. */
const BITS_OF_STEP = 256;

/**
 * A state is a set of places that a text may have reached: bit n of its mask is place n. A place is in front of a part of a pattern, or
 * behind its last part. States are numbers, and 0 is the state of the empty text.
 */
export class PatternList {
  readonly characters: readonly string[];
  readonly #work: Work;
  readonly #stepsOfMask: number;
  readonly #ends: bigint;
  readonly #anythingFrom: bigint;
  readonly #wildcards: bigint;
  readonly #stars: bigint;
  readonly #literals: ReadonlyMap<string, bigint>;
  readonly #masks: bigint[] = [];
  readonly #stateOfMask = new Map<string, number>();
  readonly #next: Map<string, number>[] = [];

  constructor(patterns: readonly string[], work: Work) {
    let [start, ends, anythingFrom, wildcards, stars] = [0n, 0n, 0n, 0n, 0n];
    const literals = new Map<string, bigint>();
    let place = 0;
    const patternParts = patterns.map(toParts);
    const places = patternParts.reduce((sum, parts) => sum + parts.length + 1, 0);
    // Each mask below is made bit by bit.
    work.spend(places * (1 + places / BITS_OF_STEP));
    for (const parts of patternParts) {
      start |= 1n << BigInt(place);
      for (const [index, part] of parts.entries()) {
        const bit = 1n << BigInt(place);
        if (typeof part === 'string') literals.set(part, (literals.get(part) ?? 0n) | bit);
        else wildcards |= bit;
        if (part === STAR) stars |= bit;
        if (part === GLOBSTAR && index === parts.length - 1) anythingFrom |= bit;
        place += 1;
      }
      ends |= 1n << BigInt(place);
      place += 1;
    }
    this.#work = work;
    this.#stepsOfMask = 1 + Math.ceil(places / BITS_OF_STEP);
    this.#ends = ends;
    this.#anythingFrom = anythingFrom;
    this.#wildcards = wildcards;
    this.#stars = stars;
    this.#literals = literals;
    this.characters = [...literals.keys()];
    this.#stateOf(this.#pastWildcards(start));
  }

  /** The state after another character. @throws CannotTell */
  next(state: number, character: string): number {
    const known = this.#next[state]?.get(character);
    if (known !== undefined) return known;
    this.#work.spend(this.#stepsOfMask);
    const mask = this.#masks[state] ?? 0n;
    const staying = mask & this.#wildcards & (character === '/' ? ~this.#stars : ~0n);
    const moving = (mask & (this.#literals.get(character) ?? 0n)) << 1n;
    const next = this.#stateOf(this.#pastWildcards(staying | moving));
    this.#next[state]?.set(character, next);
    return next;
  }

  matches(state: number): boolean {
    return (this.#maskOf(state) & this.#ends) !== 0n;
  }

  matchesNothingFrom(state: number): boolean {
    return this.#maskOf(state) === 0n;
  }

  /** Whether every continuation fits. */
  matchesAllFrom(state: number): boolean {
    return (this.#maskOf(state) & this.#anythingFrom) !== 0n;
  }

  #maskOf(state: number): bigint {
    return this.#masks[state] ?? 0n;
  }

  #stateOf(mask: bigint): number {
    const key = mask.toString(32);
    const known = this.#stateOfMask.get(key);
    if (known !== undefined) return known;
    const state = this.#masks.length;
    this.#stateOfMask.set(key, state);
    this.#masks.push(mask);
    this.#next.push(new Map());
    return state;
  }

  /** A wildcard may stand for nothing. No two of them are neighbours. */
  #pastWildcards(mask: bigint): bigint {
    return mask | ((mask & this.#wildcards) << 1n);
  }
}
