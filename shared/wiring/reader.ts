// The client of the `reader` function: one that reads the ledger, and nothing else.

import { createClientOpener } from '../firestore/client.ts';
import type { HistoricDatabase } from '../firestore/database.ts';
import { createTeamLedger } from '../ledger/conditions.ts';
import { createDeploymentLedger } from '../ledger/deployments.ts';
import { createReaderLedger } from '../ledger/reader.ts';
import type { DeploymentLedger, ReaderLedger, TeamLedger } from '../operations/ports.ts';
import { type ClientSettings, openClientsWith } from './clients.ts';

export interface ReaderClients {
  readonly readerLedger: ReaderLedger;
  readonly deploymentLedger: Pick<DeploymentLedger, 'deployments' | 'policy'>;
  readonly teamLedger: Pick<TeamLedger, 'teams'>;
}

export function createReaderDeps(
  deps: ClientSettings<HistoricDatabase>,
): ReaderClients & { readonly warmUp: () => Promise<void> } {
  const { ledger, warmUp } = openClientsWith(createClientOpener, deps);
  const { deployments, policy } = createDeploymentLedger(ledger, deps.clock);
  return {
    readerLedger: createReaderLedger(ledger, deps.clock),
    deploymentLedger: { deployments, policy },
    teamLedger: { teams: createTeamLedger(ledger, deps.clock).teams },
    warmUp,
  };
}
