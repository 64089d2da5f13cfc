// The clients of the kill switch: those that end, and the ledger of its acts. They can neither mint nor enable an account.

import type { KillParts } from '../shared/kill-switch.ts';
import { createKillLedger } from '../shared/ledger/kill-ledger.ts';
import { type ClientSettings, openClients } from './clients.ts';
import { createEnding } from './ending.ts';

export function createKilling(parts: ClientSettings): KillParts {
  const clients = openClients(parts);
  return { ...createEnding(parts, clients), killLedger: createKillLedger(clients.ledger, parts.clock) };
}
