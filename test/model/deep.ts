// The deep run: thousands of histories of one focus, from a seed that is printed and,
// unless KEYDESK_SEED names one, new each time. Too slow for `npm test`: `npm run test:deep`.

import { randomInt } from 'node:crypto';
import { it } from 'vitest';
import type { Focus } from './commands.ts';
import { checkHistories } from './history.ts';

export function checkDeeply(focus: Focus): void {
  const histories = Number(process.env.KEYDESK_HISTORIES ?? 8_000);
  const seed = Number(process.env.KEYDESK_SEED ?? randomInt(2 ** 31));
  it(`keeps every invariant in ${histories} histories of ${focus}, seed ${seed}`, async () => {
    const { failure } = await checkHistories({
      focus,
      histories,
      seed,
      path: undefined,
      replayPath: undefined,
      shrink: true,
    });
    if (failure !== undefined) throw new Error(failure);
  }, 3_600_000);
}
