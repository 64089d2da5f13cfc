// The clients of the `webhook` function: those that end access, and the records of builds. It can neither mint nor enable an account.

import { createBuildLedger } from '../../shared/ledger/conditions.ts';
import { type ClientSettings, openClients } from '../../shared/wiring/clients.ts';
import { createRevocationDeps } from '../../shared/wiring/revocation.ts';

export function createWebhookDeps(deps: ClientSettings) {
  const clients = openClients(deps);
  return { ...createRevocationDeps(deps, clients), buildLedger: createBuildLedger(clients.ledger, deps.clock) };
}
