// The clients of the `token` function, and no others: it can record hand-outs and mint. Loaded lazily because Google's
// libraries are most of a cold start.

import { createMint } from '../shared/google/mint.ts';
import { createGrantDocumentOpener } from '../shared/ledger/grant-document.ts';
import { createIssuingLedger } from '../shared/ledger/issuing-ledger.ts';
import { ask } from '../shared/outgoing.ts';
import { type ClientSettings, openClients } from './clients.ts';

export function createIssuing(parts: ClientSettings) {
  const { settings, now } = parts;
  const { ledger, openDatabase, askAsService, warm } = openClients(parts);
  return {
    ledger: createIssuingLedger(ledger, now),
    openGrantDocument: createGrantDocumentOpener(openDatabase),
    mint: createMint({
      askAsService,
      ask,
      iamCredentialsUrl: settings.KEYDESK_IAMCREDENTIALS_URL,
      stsUrl: settings.KEYDESK_STS_URL,
      identityToolkitUrl: settings.KEYDESK_IDENTITYTOOLKIT_URL,
      now,
    }),
    warm,
  };
}
