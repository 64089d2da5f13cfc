// The second step of an issuance: the token is recorded by its SHA-256 before it is returned, and only if its grant is as the
// reservation left it. The end of the job would have changed it.

import { activate, type MintedToken, refusalIfLate } from '../core/grant/activate.ts';
import { basisOf, sameBasis } from '../core/grant/basis.ts';
import { endTimeOf } from '../core/grant/job-record.ts';
import type { Refusal } from '../core/oauth/refusal.ts';
import { LEDGER_DEADLINE_MS } from '../core/timing.ts';
import type { Database, DocumentSnapshot } from '../firestore/database.ts';
import { isConflictOrMissing, timestampOf } from '../firestore/records.ts';
import type { IssuanceLedger, Reserved } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { commitGrant, commitOrBusy, GRANT_RETRY_MS } from './commit-grant.ts';
import { grantDocument, jobDocument, putGrant, toGrant, toJobRecord, withLedgerTimeout } from './documents.ts';

export function createTokenRecorder(ledger: Database, clock: Clock): IssuanceLedger['activate'] {
  const activateAfterRead = async (token: MintedToken, { grant: reserved, latestExpiry }: Reserved) => {
    const documents = [grantDocument(ledger, token.grant_id), jobDocument(ledger, reserved.subject.id)] as const;
    const [grant, job] = (await ledger.getAll(...documents)) as [DocumentSnapshot, DocumentSnapshot];
    const before = toGrant(grant);
    // An instance with another policy reserved it meanwhile: the record would say of this token what is not so.
    if (before && !sameBasis(basisOf(before), basisOf(reserved))) return { refusal: POLICY_DIFFERS };
    const late = refusalIfLate({ latestExpiry }, clock.now());
    if (late) return { refusal: late };
    const activation = activate(before, { jobEndedAt: endTimeOf(toJobRecord(job)) }, token, clock.now());
    if ('refusal' in activation) return activation;
    const batch = ledger.batch();
    putGrant(batch, grant.ref, grant.updateTime, { before, after: activation.grant });
    await commitGrant(batch);
    return activation;
  };

  /** The end of a job writes its grants, so a grant that is unchanged since it was reserved has a running job. */
  const activateIfUnchanged = async (token: MintedToken, reserved: Reserved) => {
    const activation = activate(reserved.grant, { jobEndedAt: undefined }, token, clock.now());
    if ('refusal' in activation) return activation;
    const batch = ledger.batch();
    const change = { before: reserved.grant, after: activation.grant };
    putGrant(batch, grantDocument(ledger, token.grant_id), timestampOf(reserved.version), change);
    await commitGrant(batch);
    return activation;
  };

  return (token, reserved) => {
    const until = clock.now() + LEDGER_DEADLINE_MS;
    const again = () =>
      commitOrBusy(clock, token.grant_id, GRANT_RETRY_MS, () => {
        // By then the caller has received a failure, and no token is returned.
        if (clock.now() >= until) throw new Error('too late to record a token');
        return activateAfterRead(token, reserved);
      });
    const activating = activateIfUnchanged(token, reserved).catch((error: unknown) => {
      if (!isConflictOrMissing(error)) throw error;
      return again();
    });
    return withLedgerTimeout(clock, activating, until);
  };
}

const POLICY_DIFFERS: Refusal = {
  reason: 'dependency_unavailable',
  dependency: 'policy',
  code: 'policy_mismatch',
  error: 'instances with another policy serve the same grant: one of the two policies is being deployed',
  retryAfter: 1,
};
