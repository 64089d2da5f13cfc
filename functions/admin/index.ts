// The `admin` function: people end access, and remove blocks. It can neither issue, enable nor read a credential.

import { ADMIN_ROUTES } from '../../shared/core/operator-api/admin.ts';
import { parseOperatorSettings } from '../../shared/core/operator-settings.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { openCallerVerifier } from '../../shared/wiring/caller.ts';
import { BackgroundRecord } from '../runtime/background.ts';
import { createStdoutLogger, exitOnProblems, serve } from '../runtime/bootstrap.ts';
import { instance } from '../runtime/instance.ts';
import { lazyWarm } from '../runtime/lazy.ts';
import { createPrivateHandler, PRIVATE_BODY_LIMIT, PRIVATE_ERROR_RESPONSES } from '../runtime/private-handler.ts';
import { createAdminHandlers } from './handlers.ts';

const { settings } = exitOnProblems(parseOperatorSettings(process.env));
const audit = createStdoutLogger(settings.GOOGLE_CLOUD_PROJECT);
const caller = openCallerVerifier({ settings, clock: systemClock, audit });

const loadDeps = lazyWarm(async () => {
  const { createAdminDeps } = await import('../../shared/wiring/admin.ts');
  return createAdminDeps({ settings, emulator: Boolean(process.env.FIRESTORE_EMULATOR_HOST), clock: systemClock });
}, systemClock);

const deployment = new BackgroundRecord({
  record: async () => (await loadDeps()).deploymentLedger.recordAdmin(instance),
  audit,
  clock: systemClock,
});

export const admin = serve({
  handler: createPrivateHandler({
    routes: ADMIN_ROUTES,
    handlers: createAdminHandlers({ loadDeps, clock: systemClock }),
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
  background: deployment.run,
});
