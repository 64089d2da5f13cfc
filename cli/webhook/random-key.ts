// A new webhook key: 256 random bits, in characters that a header and a comma-separated list can hold.

import type { Clock } from '../../shared/runtime/clock.ts';

const WORDS = 8;

export function randomKey({ random }: Pick<Clock, 'random'>): string {
  const bytes = Buffer.alloc(WORDS * 4);
  for (let word = 0; word < WORDS; word += 1) bytes.writeUInt32BE(Math.floor(random() * 2 ** 32), word * 4);
  return bytes.toString('base64url');
}
