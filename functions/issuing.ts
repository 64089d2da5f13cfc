// The clients of the `token` function, and no others: it can record hand-outs and mint. Loaded lazily because Google's
// libraries are most of a cold start.

import { createMint } from '../shared/google/mint.ts';
import { createGrantDocumentOpener } from '../shared/ledger/grant-document.ts';
import { createIssuingLedger } from '../shared/ledger/issuing-ledger.ts';
import { type ClientSettings, openClients } from './clients.ts';

export function createIssuing(parts: ClientSettings) {
  const { settings, clock } = parts;
  const { ledger, openDatabase, ask, askAsService, warm } = openClients(parts);
  return {
    ledger: createIssuingLedger(ledger, clock),
    openGrantDocument: createGrantDocumentOpener(openDatabase, clock),
    mint: createMint({
      askAsService,
      ask,
      iamCredentialsUrl: settings.KEYDESK_IAMCREDENTIALS_URL,
      stsUrl: settings.KEYDESK_STS_URL,
      identityToolkitUrl: settings.KEYDESK_IDENTITYTOOLKIT_URL,
      clock,
    }),
    warm,
  };
}
