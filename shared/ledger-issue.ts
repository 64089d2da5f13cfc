// The side of the ledger that hands out: it reserves a grant before anything is minted and records each token before it
// leaves. Both transactions read the job's tombstone, so a job whose end is recorded gets nothing, whichever came first.

import type { Firestore } from '@google-cloud/firestore';
import { activate, type Grant, grantId, type Request, reserve } from './core/grant.ts';
import type { Refusal } from './core/refusal.ts';
import { toStored } from './firestore-client.ts';
import { grantDocument, jobDocument, LEDGER_DEADLINE_MS, toEndedAt, toGrant } from './grant-records.ts';
import { within } from './unavailable.ts';

type Written = { grant: Grant } | { refusal: Refusal };

export interface IssuingLedger {
  /** Records what is about to be minted. Throws Unavailable when that could not be recorded. */
  reserve(request: Request): Promise<Written>;
  /** Records a token that is about to leave. Throws Unavailable when that could not be recorded. */
  activate(token: IssuedToken): Promise<Written>;
}

export interface IssuedToken {
  readonly job_id: string;
  readonly grant_id: string;
  readonly sha256: string;
  readonly expires_at: number;
}

/** @param now milliseconds since the epoch */
export function createIssuingLedger(ledger: Firestore, now: () => number): IssuingLedger {
  const write = (
    job_id: string,
    grant_id: string,
    next: (existing: Grant | undefined, jobEndedAt: number | undefined) => Written,
  ): Promise<Written> =>
    within(
      LEDGER_DEADLINE_MS,
      'ledger',
      ledger.runTransaction(async (transaction) => {
        const grantAt = grantDocument(ledger, grant_id);
        const [job, grant] = await transaction.getAll(jobDocument(ledger, job_id), grantAt);
        if (!job || !grant) throw new Error('Firestore answered fewer documents than asked for');
        const written = next(toGrant(grant), toEndedAt(job));
        if ('grant' in written) transaction.set(grantAt, toStored(written.grant) as object);
        return written;
      }),
    );

  return {
    reserve: (request) =>
      write(request.claims.job_id, grantId(request.claims.job_id, request.credentialName), (existing, endedAt) =>
        reserve(existing, endedAt, request, now()),
      ),
    activate: (token) =>
      write(token.job_id, token.grant_id, (existing, endedAt) => activate(existing, endedAt, token, now())),
  };
}
