// Time and chance. Everything else takes a Clock, so that a test decides what time it is and which way chance falls.

import { getRandomValues } from 'node:crypto';

export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /**
   * Resolves after `milliseconds`; rejects with the reason of `signal` as soon as that is aborted. A deadline is a sleep
   * that is aborted once the work is done.
   */
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  /** At least 0 and less than 1. The system clock's cannot be predicted by someone who has seen earlier values. */
  readonly random: () => number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = setTimeout(resolve, milliseconds);
      const giveUp = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', giveUp, { once: true });
    }),
  random: () => (getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32,
};

/** A version 4 UUID (RFC 9562 section 5.4) from the clock's randomness. */
export function randomUuid({ random }: Clock): string {
  const words = Array.from({ length: 4 }, () => Math.floor(random() * 2 ** 32));
  const hex = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** The items in an order that chance decides: so that none is always behind the same others. */
export function atRandom<T>(items: readonly T[], { random }: Pick<Clock, 'random'>): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((left, right) => left.key - right.key).map(({ item }) => item);
}
