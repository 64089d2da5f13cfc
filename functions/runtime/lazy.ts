// Work that is done at most once, when it is first needed; a failure is not kept, so that the next need tries again.

import { COLD_DEADLINE_MS } from '../../shared/core/timing.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { withTimeout } from '../../shared/runtime/errors.ts';

function lazy<T>(work: () => Promise<T>): () => Promise<T> {
  let pending: Promise<T> | undefined;
  return () => {
    pending ??= work().catch((error: unknown) => {
      pending = undefined;
      throw error;
    });
    return pending;
  };
}

/**
 * The same for clients, once they are warm: what they build at their first use is built before a call's deadline runs.
 * After COLD_DEADLINE_MS they are given as they are, and the call finds out what is wrong.
 */
export function lazyWarm<T extends { readonly warmUp: () => Promise<void> }>(
  open: () => Promise<T>,
  clock: Clock,
): () => Promise<T> {
  return lazy(async () => {
    const clients = await open();
    await withTimeout({ clock, milliseconds: COLD_DEADLINE_MS, dependency: 'warm-up' }, clients.warmUp()).catch(
      () => {},
    );
    return clients;
  });
}
