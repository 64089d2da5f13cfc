// The clients of the `token` function, and no others: it can record grants and mint. Loaded lazily because Google's
// libraries are most of a cold start.

import { firebaseUserChangedEvent } from '../../shared/audit/firebase-user-event.ts';
import type { AuditLogger } from '../../shared/audit/logger.ts';
import { createGrantDocumentOpener } from '../../shared/firestore/grant-document.ts';
import { createMint } from '../../shared/google/mint.ts';
import { createConditionLedger } from '../../shared/ledger/conditions.ts';
import { createDeploymentLedger } from '../../shared/ledger/deployments.ts';
import { createFirebaseUserLedger } from '../../shared/ledger/firebase-users.ts';
import { createIssuanceLedger } from '../../shared/ledger/issuance.ts';
import type { IssueResult } from '../../shared/operations/issue-token.ts';
import { IssuesInProgress } from '../../shared/operations/issues-in-progress.ts';
import { type ClientSettings, openClients } from '../../shared/wiring/clients.ts';

/** @param deps.audit takes the lines that must not hang on the response to a request */
export function createTokenDeps(deps: ClientSettings & { readonly audit: AuditLogger }) {
  const { settings, clock, audit } = deps;
  const { ledger, openDatabase, sendRequest, sendAsService, warmUp } = openClients(deps);
  const firebaseUsers = createFirebaseUserLedger(ledger, clock);
  return {
    ledger: createIssuanceLedger(ledger, clock),
    conditionLedger: createConditionLedger(ledger, clock),
    deploymentLedger: createDeploymentLedger(ledger, clock),
    issuesInProgress: new IssuesInProgress<IssueResult>(clock),
    openGrantDocument: createGrantDocumentOpener(openDatabase, clock),
    ...createMint({
      sendAsService,
      sendRequest,
      iamCredentialsUrl: settings.KEYDESK_IAMCREDENTIALS_URL,
      stsUrl: settings.KEYDESK_STS_URL,
      identityToolkitUrl: settings.KEYDESK_IDENTITYTOOLKIT_URL,
      firebaseUsers,
      onUserChanged: (changed) => audit(firebaseUserChangedEvent(changed)),
      clock,
    }),
    warmUp,
  };
}
