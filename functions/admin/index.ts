// The `admin` function: people end access, and remove blocks. It can neither issue, enable nor read a credential.

import { ADMIN_ROUTES } from '../../shared/core/operator-api/admin.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createStdoutLogger } from '../runtime/bootstrap.ts';
import { instance } from '../runtime/instance.ts';
import { logLateEnds } from '../runtime/late-ends.ts';
import { servePrivate } from '../runtime/private-function.ts';
import { createAdminHandlers } from './handlers.ts';

export const admin = servePrivate({
  routes: ADMIN_ROUTES,
  openDeps: async (from) => {
    const { createAdminDeps } = await import('../../shared/wiring/admin.ts');
    return { ...createAdminDeps(from), ...logLateEnds(createStdoutLogger(from.settings.GOOGLE_CLOUD_PROJECT)) };
  },
  createHandlers: (loadDeps) => createAdminHandlers({ loadDeps, clock: systemClock }),
  recordStart: ({ deploymentLedger }) => deploymentLedger.recordAdmin(instance),
});
