// What each route of `admin` does.

import { auditEvent } from '../../shared/audit/events.ts';
import type { ADMIN_ROUTES } from '../../shared/core/operator-api/admin.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { AdminDeps } from '../../shared/wiring/admin.ts';
import type { PrivateHandlers } from '../runtime/private-handler.ts';
import { kill } from './kill.ts';
import { killLost } from './kill-lost.ts';

export interface AdminHandlerDeps {
  readonly loadDeps: () => Promise<AdminDeps>;
  readonly clock: Clock;
}

export function createAdminHandlers({ loadDeps, clock }: AdminHandlerDeps): PrivateHandlers<typeof ADMIN_ROUTES> {
  return {
    kill: async (request) => kill(await loadDeps(), clock, request),
    killLost: async (request) => killLost(await loadDeps(), clock, request),
    removeBlock: async ({ actor, params: { id = '' } }) => {
      const { killSwitchLedger } = await loadDeps();
      if (!(await killSwitchLedger.deactivate(id, actor)))
        return { status: 404, error: 'not_found', description: `No block ${id} is in force. See: keydesk blocks list` };
      return {
        body: { id, removed: true },
        auditEvents: [auditEvent('kill_switch.deactivated', { kill_switch_id: id, actor })],
      };
    },
  };
}
