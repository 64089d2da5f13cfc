// The side of the ledger that hands out: it reserves a grant before anything is minted and records each token before it
// leaves. A job's end writes the job's record and all its grants in one commit; a hand-out writes at least one of them,
// and only if unchanged since it was read. So whichever comes second sees the other.

import type { DocumentSnapshot, Firestore, Timestamp, WriteBatch } from '@google-cloud/firestore';
import { activate, type Grant, type Request, reserve } from '../core/grant.ts';
import { grantId } from '../core/grant-id.ts';
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

/** A grant as it was just written, and when: whoever writes it next can say that it is still this one. */
export interface Reserved {
  readonly grant: Grant;
  readonly written: Timestamp;
}

export interface IssuingLedger {
  /**
   * Records what is about to be minted. `onGoing` is called once nothing that was read stands against it, beside the
   * commit. Throws Unavailable when it could not be recorded.
   */
  reserve(request: Request, onGoing: () => unknown): Promise<Reserved | { readonly refusal: Refusal }>;
  /** Records a token that is about to leave. Throws Unavailable when that could not be recorded. */
  activate(token: IssuedToken, reserved: Reserved): Promise<Reserved | { readonly refusal: Refusal }>;
}

interface IssuedToken {
  readonly job_id: string;
  readonly grant_id: string;
  readonly sha256: string;
  readonly expires_at: number;
}

type Decide = (
  existing: Grant | undefined,
  jobEndedAt: number | undefined,
) => { readonly grant: Grant } | { readonly refusal: Refusal };

/** @param now milliseconds since the epoch */
export function createIssuingLedger(ledger: Firestore, now: () => number): IssuingLedger {
  const readAndWrite = async (job_id: string, grant_id: string, decide: Decide) => {
    const documents = [jobDocument(ledger, job_id), grantDocument(ledger, grant_id)] as const;
    const [job, grant] = (await ledger.getAll(...documents)) as [DocumentSnapshot, DocumentSnapshot];
    const record = toJobRecord(job);
    const decided = decide(toGrant(grant), record?.ended_at ?? undefined);
    if ('refusal' in decided) return decided;
    const batch = ledger.batch();
    putIfUnchanged(batch, grant.ref, grant.updateTime, decided.grant);
    if (!grant.exists) putIfUnchanged(batch, job.ref, job.updateTime, withGrant(record, grant_id, now()));
    return commit(batch, decided.grant);
  };

  const writeUnread = async (grant_id: string, reserved: Reserved, decide: Decide) => {
    const decided = decide(reserved.grant, undefined);
    if ('refusal' in decided) return decided;
    const batch = ledger.batch();
    putIfUnchanged(batch, grantDocument(ledger, grant_id), reserved.written, decided.grant);
    return commit(batch, decided.grant);
  };

  return {
    reserve: (request, onGoing) => {
      const { job_id } = request.claims;
      const decide: Decide = (existing, endedAt) => {
        const decided = reserve(existing, endedAt, request, now());
        if ('grant' in decided) onGoing();
        return decided;
      };
      const attempt = () => readAndWrite(job_id, grantId(job_id, request.credentialName), decide);
      return within(LEDGER_DEADLINE_MS, 'ledger', untilWritten(attempt));
    },
    activate: (token, reserved) => {
      const decide: Decide = (existing, endedAt) => activate(existing, endedAt, token, now());
      // The end of the job writes the grant, so a grant unchanged since it was reserved is that of a running job.
      let attempt = () => writeUnread(token.grant_id, reserved, decide);
      const next = () => {
        const current = attempt;
        attempt = () => readAndWrite(token.job_id, token.grant_id, decide);
        return current();
      };
      return within(LEDGER_DEADLINE_MS, 'ledger', untilWritten(next));
    },
  };
}

async function commit(batch: WriteBatch, grant: Grant): Promise<Reserved> {
  const [first] = await batch.commit();
  if (!first) throw new Error('Firestore answered a commit without a write');
  return { grant, written: first.writeTime };
}
