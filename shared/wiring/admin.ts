// The clients of the `admin` function: those that end, the ledger of its acts, and one that reads. They can neither mint nor enable
// an account.

import { createClientOpener } from '../firestore/client.ts';
import type { HistoricDatabase } from '../firestore/database.ts';
import { createKillSwitchLedger } from '../ledger/kill-switch.ts';
import { createReaderLedger } from '../ledger/reader.ts';
import { createReplayLedger } from '../ledger/replay.ts';
import type { KillSwitchDeps } from '../operations/kill-switch.ts';
import type { DeploymentLedger, LookUpToken, ReaderLedger, ReplayLedger } from '../operations/ports.ts';
import { type ClientSettings, openClientsWith } from './clients.ts';
import { createRevocationDeps } from './revocation.ts';

export type AdminDeps = KillSwitchDeps & {
  readonly readerLedger: ReaderLedger;
  readonly replayLedger: ReplayLedger;
  readonly lookUpToken: LookUpToken;
  readonly deploymentLedger: DeploymentLedger;
  readonly warmUp: () => Promise<void>;
};

export function createAdminDeps(deps: ClientSettings<HistoricDatabase>): AdminDeps {
  const clients = openClientsWith(createClientOpener, deps);
  return {
    ...createRevocationDeps(deps, clients),
    killSwitchLedger: createKillSwitchLedger(clients.ledger, deps.clock),
    readerLedger: createReaderLedger(clients.ledger, deps.clock),
    replayLedger: createReplayLedger(clients.ledger, deps.clock),
  };
}
