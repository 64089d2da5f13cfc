// The `reader` function: what people may know of the ledger. It holds no client that writes, so it does not record its start.

import { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { servePrivate } from '../runtime/private-function.ts';
import { createReaderHandlers } from './handlers.ts';

export const reader = servePrivate({
  routes: READER_ROUTES,
  openDeps: async (from) => (await import('../../shared/wiring/reader.ts')).createReaderDeps(from),
  createHandlers: (loadClients) => createReaderHandlers({ loadClients, clock: systemClock }),
});
