// The clients that end: the whole of the `webhook` function's, and what `token` uses when a job returns its grant early.
// They can neither mint nor enable an account.

import { createAccountDisabler } from '../shared/google/disable-account.ts';
import { createEndingLedger } from '../shared/ledger/ending-ledger.ts';
import { createGrantDocumentCloser } from '../shared/ledger/grant-document.ts';
import { createTokenLookup, type LookUpToken } from '../shared/ledger/token-lookup.ts';
import type { RevokeParts } from '../shared/revoke.ts';
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
