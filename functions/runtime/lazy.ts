// Work that is done at most once, when it is first needed; a failure is not kept, so that the next need tries again.

import { COLD_DEADLINE_MS } from '../../shared/core/deadlines.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { within } from '../../shared/runtime/errors.ts';

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let begun: Promise<T> | undefined;
  return () => {
    begun ??= work().catch((error: unknown) => {
      begun = undefined;
      throw error;
    });
    return begun;
  };
}

/**
 * The same for clients, once they are warm: what they build at their first use is built before a call's deadline runs.
 * After COLD_DEADLINE_MS they are given as they are, and the call finds out what is wrong.
 */
export function onceWarm<T extends { readonly warm: () => Promise<void> }>(
  open: () => Promise<T>,
  clock: Clock,
): () => Promise<T> {
  return once(async () => {
    const clients = await open();
    await within({ clock, milliseconds: COLD_DEADLINE_MS, what: 'warm-up' }, clients.warm()).catch(() => {});
    return clients;
  });
}
