// The clients that end access: all clients of the `webhook` function, and those of `token` for a job that releases its grant.
// They can neither mint nor enable an account.

import { createGrantDocumentCloser } from '../firestore/grant-document.ts';
import { createAccountDisabler } from '../google/account-state.ts';
import { createDeploymentLedger } from '../ledger/deployments.ts';
import { createRevocationLedger } from '../ledger/revocation.ts';
import { createTokenLookup } from '../ledger/token-lookup.ts';
import type { DeploymentLedger, LookUpToken } from '../operations/ports.ts';
import type { RevokeDeps } from '../operations/revoke-grant.ts';
import { type ClientSettings, type Clients, openClients } from './clients.ts';

export function createRevocationDeps(
  deps: ClientSettings,
  clients: Clients = openClients(deps),
): RevokeDeps & {
  readonly lookUpToken: LookUpToken;
  readonly deploymentLedger: DeploymentLedger;
  readonly warmUp: () => Promise<void>;
} {
  const { settings, clock } = deps;
  const { ledger, openDatabase, sendAsService, warmUp } = clients;
  return {
    ledger: createRevocationLedger(ledger, clock),
    closeGrantDocument: createGrantDocumentCloser(openDatabase, clock),
    disableAccount: createAccountDisabler({ sendAsService, iamUrl: settings.KEYDESK_IAM_URL, clock }),
    lookUpToken: createTokenLookup(ledger, clock),
    deploymentLedger: createDeploymentLedger(ledger, clock),
    clock,
    warmUp,
  };
}
