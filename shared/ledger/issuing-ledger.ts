// The side of the ledger that hands out: it reserves a grant before anything is minted and records each token before it
// leaves. A job's end writes the job's record and all its grants in one commit; a hand-out writes at least one of them,
// and only if unchanged since it was read. So whichever comes second sees the other.

import type { DocumentSnapshot, Firestore } from '@google-cloud/firestore';
import { activate, type Grant, grantId, type Request, reserve } from '../core/grant.ts';
import { withGrant } from '../core/job-record.ts';
import type { Refusal } from '../core/refusal.ts';
import { within } from '../unavailable.ts';
import {
  grantDocument,
  jobDocument,
  LEDGER_DEADLINE_MS,
  putIfUnchanged,
  toGrant,
  toJobRecord,
  untilWritten,
} from './records.ts';

type Written = { readonly grant: Grant } | { readonly refusal: Refusal };

export interface IssuingLedger {
  /** Records what is about to be minted. Throws Unavailable when that could not be recorded. */
  reserve(request: Request): Promise<Written>;
  /** Records a token that is about to leave. Throws Unavailable when that could not be recorded. */
  activate(token: IssuedToken): Promise<Written>;
}

interface IssuedToken {
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
  ): Promise<Written> => {
    const attempt = async (): Promise<Written> => {
      const documents = [jobDocument(ledger, job_id), grantDocument(ledger, grant_id)] as const;
      const [job, grant] = (await ledger.getAll(...documents)) as [DocumentSnapshot, DocumentSnapshot];
      const record = toJobRecord(job);
      const written = next(toGrant(grant), record?.ended_at ?? undefined);
      if ('refusal' in written) return written;
      const batch = ledger.batch();
      putIfUnchanged(batch, grant, written.grant);
      if (!grant.exists) putIfUnchanged(batch, job, withGrant(record, grant_id, now()));
      await batch.commit();
      return written;
    };
    return within(LEDGER_DEADLINE_MS, 'ledger', untilWritten(attempt));
  };

  return {
    reserve: (request) =>
      write(request.claims.job_id, grantId(request.claims.job_id, request.credentialName), (existing, endedAt) =>
        reserve(existing, endedAt, request, now()),
      ),
    activate: (token) =>
      write(token.job_id, token.grant_id, (existing, endedAt) => activate(existing, endedAt, token, now())),
  };
}
