// The `admin` function: people end access, and remove blocks. It can neither issue, enable nor read a credential.

import { ADMIN_ROUTES } from '../../shared/core/operator-api/admin.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { instance } from '../runtime/instance.ts';
import { servePrivate } from '../runtime/private-function.ts';
import { createAdminHandlers } from './handlers.ts';

export const admin = servePrivate({
  routes: ADMIN_ROUTES,
  openDeps: async (from) => (await import('../../shared/wiring/admin.ts')).createAdminDeps(from),
  createHandlers: (loadDeps) => createAdminHandlers({ loadDeps, clock: systemClock }),
  recordStart: ({ deploymentLedger }) => deploymentLedger.recordAdmin(instance),
});
