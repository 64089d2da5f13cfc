// The `reader` function: what people may know of the ledger. It holds no client that writes.

import { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { parseOperatorSettings } from '../../shared/core/operator-settings.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { openCallerVerifier } from '../../shared/wiring/caller.ts';
import { createStdoutLogger, exitOnProblems, serve } from '../runtime/bootstrap.ts';
import { lazyWarm } from '../runtime/lazy.ts';
import { createPrivateHandler, PRIVATE_BODY_LIMIT, PRIVATE_ERROR_RESPONSES } from '../runtime/private-handler.ts';
import { createReaderHandlers } from './handlers.ts';

const { settings } = exitOnProblems(parseOperatorSettings(process.env));
const audit = createStdoutLogger(settings.GOOGLE_CLOUD_PROJECT);
const caller = openCallerVerifier({ settings, clock: systemClock, audit });

const loadDeps = lazyWarm(async () => {
  const { createReaderDeps } = await import('../../shared/wiring/reader.ts');
  return createReaderDeps({ settings, emulator: Boolean(process.env.FIRESTORE_EMULATOR_HOST), clock: systemClock });
}, systemClock);

export const reader = serve({
  handler: createPrivateHandler({
    routes: READER_ROUTES,
    handlers: createReaderHandlers({ loadClients: loadDeps, clock: systemClock }),
    verifyCaller: caller.verifyCaller,
    clock: systemClock,
  }),
  errorResponses: PRIVATE_ERROR_RESPONSES,
  bodyLimit: PRIVATE_BODY_LIMIT,
  settings,
  warmUp: () => {
    void caller.warmUp();
    void loadDeps().catch(() => {});
  },
  // It may not write, so it records no start.
  background: () => {},
});
