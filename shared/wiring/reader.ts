// The client of the `reader` function: one that reads the ledger, and nothing else.

import { createDeploymentLedger } from '../ledger/deployments.ts';
import { createReaderLedger } from '../ledger/reader.ts';
import type { DeploymentLedger, ReaderLedger } from '../operations/ports.ts';
import { type ClientSettings, openClients } from './clients.ts';

export interface ReaderClients {
  readonly readerLedger: ReaderLedger;
  readonly deploymentLedger: Pick<DeploymentLedger, 'deployments' | 'policy'>;
}

export function createReaderDeps(deps: ClientSettings): ReaderClients & { readonly warmUp: () => Promise<void> } {
  const { ledger, warmUp } = openClients(deps);
  const { deployments, policy } = createDeploymentLedger(ledger, deps.clock);
  return {
    readerLedger: createReaderLedger(ledger, deps.clock),
    deploymentLedger: { deployments, policy },
    warmUp,
  };
}
