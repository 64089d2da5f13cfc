// Draws from a seed, so that a run's plans can be repeated. What comes of them also depends on the machine. Not for secrets.

export interface SeededRandom {
  /** From 0 up to but not including 1. */
  next(): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  /** One of them, each as likely as its weight says. */
  pick<T>(weighted: readonly (readonly [weight: number, item: T])[]): T;
  one<T>(items: readonly T[]): T;
  /** A source of its own, which draws the same whatever else is drawn. */
  fork(): SeededRandom;
}

/** Mulberry32, which is in the public domain: numbers from 0 to below 1, the same ones for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function seededRandom(seed: number): SeededRandom {
  const next = randomFrom(seed);
  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    chance: (probability) => next() < probability,
    pick: (weighted) => {
      let left = next() * weighted.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, item] of weighted) {
        left -= weight;
        if (left < 0) return item;
      }
      throw new Error('nothing to pick from');
    },
    one: (items) => {
      const item = items[Math.floor(next() * items.length)];
      if (item === undefined) throw new Error('nothing to choose from');
      return item;
    },
    fork: () => seededRandom(Math.floor(next() * 2 ** 32)),
  };
}
