// Draws from a seed, for plans that are made before anything happens. Not for secrets.

import { randomFrom } from '../fixtures/test-clock.ts';

export interface SeededRandom {
  /** From 0 up to but not including 1. */
  next(): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  /** Whether something of this probability happens. */
  chance(probability: number): boolean;
  /** One of them, each as likely as its weight says. */
  pick<T>(weighted: readonly (readonly [weight: number, what: T])[]): T;
}

export function seededRandom(seed: number): SeededRandom {
  const next = randomFrom(seed);
  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    chance: (probability) => next() < probability,
    pick: (weighted) => {
      let left = next() * weighted.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, what] of weighted) {
        left -= weight;
        if (left < 0) return what;
      }
      throw new Error('nothing to pick from');
    },
  };
}
