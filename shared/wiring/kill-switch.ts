// The clients of the kill switch: those that end, and the ledger of its acts. They can neither mint nor enable an account.

import { createKillLedger } from '../ledger/kill-switch.ts';
import type { KillParts } from '../operations/kill-switch.ts';
import { type ClientSettings, openClients } from './clients.ts';
import { createEnding } from './revocation.ts';

export function createKilling(parts: ClientSettings): KillParts {
  const clients = openClients(parts);
  return { ...createEnding(parts, clients), killLedger: createKillLedger(clients.ledger, parts.clock) };
}
