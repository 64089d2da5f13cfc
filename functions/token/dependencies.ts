// The clients of the `token` function, and no others: it can record hand-outs and mint. Loaded lazily because Google's
// libraries are most of a cold start.

import { toFirebaseUserChanged } from '../../shared/audit/firebase-user-event.ts';
import type { Audit } from '../../shared/audit/logger.ts';
import { createMint } from '../../shared/google/mint.ts';
import { createFirebaseUserLedger } from '../../shared/ledger/firebase-users.ts';
import { createGrantDocumentOpener } from '../../shared/ledger/grant-document.ts';
import { createIssuingLedger } from '../../shared/ledger/issuance.ts';
import type { HandOut } from '../../shared/operations/issue-token.ts';
import { IssuesUnderWay } from '../../shared/operations/issues-in-progress.ts';
import { type ClientSettings, openClients } from '../../shared/wiring/clients.ts';

/** @param parts.audit takes the lines that must not hang on the response to a request */
export function createIssuing(parts: ClientSettings & { readonly audit: Audit }) {
  const { settings, clock, audit } = parts;
  const { ledger, openDatabase, ask, askAsService, warm } = openClients(parts);
  const firebaseUsers = createFirebaseUserLedger(ledger, clock);
  return {
    generationOf: firebaseUsers.generationOf,
    ledger: createIssuingLedger(ledger, clock),
    issues: new IssuesUnderWay<HandOut>(clock),
    openGrantDocument: createGrantDocumentOpener(openDatabase, clock),
    mint: createMint({
      askAsService,
      ask,
      iamCredentialsUrl: settings.KEYDESK_IAMCREDENTIALS_URL,
      stsUrl: settings.KEYDESK_STS_URL,
      identityToolkitUrl: settings.KEYDESK_IDENTITYTOOLKIT_URL,
      retireUser: firebaseUsers.retire,
      onUserChanged: (changed) => audit(toFirebaseUserChanged(changed)),
      clock,
    }),
    warm,
  };
}
