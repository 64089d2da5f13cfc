// The clients that end: the whole of the `webhook` function's, and what `token` uses when a job returns its grant early.
// They can neither mint nor enable an account.

import { createAccountDisabler } from '../google/disable-account.ts';
import { createGrantDocumentCloser } from '../ledger/grant-document.ts';
import { createEndingLedger } from '../ledger/revocation.ts';
import { createTokenLookup, type LookUpToken } from '../ledger/token-lookup.ts';
import type { RevokeParts } from '../operations/revoke-grant.ts';
import { type ClientSettings, type Clients, openClients } from './clients.ts';

export function createEnding(
  parts: ClientSettings,
  clients: Clients = openClients(parts),
): RevokeParts & { readonly lookUpToken: LookUpToken; readonly warm: () => Promise<void> } {
  const { settings, clock } = parts;
  const { ledger, openDatabase, askAsService, warm } = clients;
  return {
    ledger: createEndingLedger(ledger, clock),
    closeGrantDocument: createGrantDocumentCloser(openDatabase, clock),
    disableAccount: createAccountDisabler({ askAsService, iamUrl: settings.KEYDESK_IAM_URL, clock }),
    lookUpToken: createTokenLookup(ledger, clock),
    clock,
    warm,
  };
}
