// The clients of the kill switch: those that end, and the ledger of its acts. They can neither mint nor enable an account.

import { createKillSwitchLedger } from '../ledger/kill-switch.ts';
import type { KillSwitchDeps } from '../operations/kill-switch.ts';
import { type ClientSettings, openClients } from './clients.ts';
import { createRevocationDeps } from './revocation.ts';

export function createKillSwitchDeps(deps: ClientSettings): KillSwitchDeps {
  const clients = openClients(deps);
  return {
    ...createRevocationDeps(deps, clients),
    killSwitchLedger: createKillSwitchLedger(clients.ledger, deps.clock),
  };
}
