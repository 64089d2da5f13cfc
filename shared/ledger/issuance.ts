// The side of the ledger that hands out: it reserves a grant before anything is minted and records each token before it
// leaves. A job's end writes the job's record and all its grants in one commit; a hand-out writes at least one of them,
// and only if unchanged since it was read. So whichever comes second sees the other.

import type { DocumentSnapshot, Firestore, Timestamp, WriteBatch } from '@google-cloud/firestore';
import { basisOf, sameBasis } from '../core/grant/fields.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantId } from '../core/grant/id.ts';
import { addGrant, endTimeOf } from '../core/grant/job-record.ts';
import {
  abandonLease,
  activate,
  blockedNow,
  type IssueRequest,
  type LedgerState,
  type MintedToken,
  reserve,
} from '../core/grant/lifecycle.ts';
import type { Refusal } from '../core/oauth/refusal.ts';
import { poolExhausted } from '../core/pool/forecast.ts';
import { lease, recordShared } from '../core/pool/lifecycle.ts';
import { LEDGER_DEADLINE_MS } from '../core/timing.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  accountDocument,
  blocksDocument,
  grantDocument,
  isConflictOrMissing,
  isWriteConflict,
  jobDocument,
  type Loaded,
  putAccount,
  putGrant,
  putJob,
  retryOnConflict,
  toAccount,
  toBlocks,
  toGrant,
  toJobRecord,
  withLedgerTimeout,
} from './documents.ts';
import {
  EAGER_READS,
  ExhaustedPoolCache,
  type FreeAccount,
  findFreeAccount,
  fromRandomStart,
  quarantineAccount,
  renewLease,
} from './leases.ts';
import { createPipelineGrantCounter } from './pipeline-grant-count.ts';

/** A grant as it was just written, and when: whoever writes it next can say that it is still this one. */
export interface Reserved {
  readonly grant: Grant;
  readonly written: Timestamp;
  /** No token minted for it may live longer. */
  readonly latestExpiry: number;
}

type Refused = { readonly refusal: Refusal };

export interface IssuanceLedger {
  /**
   * Records what is about to be minted, and leases an account where the credential needs one. `onGoing` is called with
   * the latest end of what may be minted once nothing that was read stands against it, beside the commit.
   * Throws DependencyError when it could not be recorded.
   */
  reserve(request: IssueRequest, onCleared: (latestExpiry: number) => unknown): Promise<Reserved | Refused>;
  /**
   * Whether an operator barred this. To be asked after the reservation is written: of an act of the kill switch and a
   * reservation one then sees the other. Throws DependencyError.
   */
  checkBlocks(request: IssueRequest): Promise<Refused | undefined>;
  /** Records a token that is about to leave. Throws DependencyError when that could not be recorded. */
  activate(token: MintedToken, reserved: Reserved): Promise<{ readonly grant: Grant } | Refused>;
}

/** Milliseconds that a request goes on losing races against others for its grant, in each of its two steps. */
const GRANT_RETRY_MS = 400;
/** The same where it leases an account, for which other jobs race too. */
const LEASE_RETRY_MS = 1_500;
/** The same for a new grant: all of a job's first issues write the job's record. */
const FIRST_ISSUE_RETRY_MS = 3_000;
/** Seconds after which a request that lost its races may try again. */
const BUSY_RETRY_AFTER = 1;

export function createIssuanceLedger(ledger: Firestore, clock: Clock): IssuanceLedger {
  const liveGrants = createPipelineGrantCounter(ledger, clock);
  const exhausted = new ExhaustedPoolCache(clock);
  const turns = new Turns();

  /** @param onNew called when the grant is new, before it is written */
  const reserveOnce = async (
    request: IssueRequest,
    onCleared: (latestExpiry: number) => unknown,
    onNew: () => void,
  ): Promise<Reserved | Refused> => {
    const { claims, credentialName, credential, excludedAccounts = [] } = request;
    const pool = credential.kind === 'pooled_service_account' ? credential.pool : [];
    const candidates = fromRandomStart(pool, clock).filter((email) => !excludedAccounts.includes(email));
    const accounts = credential.kind === 'service_account' ? [credential.email] : candidates.slice(0, EAGER_READS);
    const grant_id = grantId(claims.job_id, credentialName);
    const grantCount = liveGrants(claims);
    grantCount.catch(() => {});
    const [grant, job, blocks, ...read] = (await ledger.getAll(
      grantDocument(ledger, grant_id),
      jobDocument(ledger, claims.job_id),
      blocksDocument(ledger),
      ...accounts.map((email) => accountDocument(ledger, email)),
    )) as [DocumentSnapshot, DocumentSnapshot, DocumentSnapshot, ...DocumentSnapshot[]];
    const existing = toGrant(grant);
    const record = toJobRecord(job);
    const ledgerState: LedgerState = {
      jobEndedAt: endTimeOf(record),
      blocks: toBlocks(blocks),
      pipelineGrantCount: countsTowardLimit(existing) ? 0 : await grantCount,
    };

    let reservation = reserve(existing, ledgerState, request, clock.now());
    let free: FreeAccount | undefined;
    if ('needsLease' in reservation) {
      free = await findFree(credentialName, read, candidates.slice(EAGER_READS));
      if (free) reservation = reserve(existing, ledgerState, { ...request, lease: free.read.id }, clock.now());
      else {
        if (existing && countsTowardLimit(existing)) await abandonAccount({ read: grant, record: existing });
        return { refusal: poolExhausted(exhausted.accountsOf(credentialName), pool.length, clock.now()) };
      }
    }
    if ('refusal' in reservation) return reservation;
    if ('needsLease' in reservation) throw new Error('a lease was found and not taken');
    const { grant: after, latestExpiry } = reservation;
    const [shared] = after.kind === 'service_account' ? read : [];
    const sharedRecord = shared && toAccount(shared);
    const sharing = shared && recordShared(sharedRecord, { credential: credentialName, latestExpiry }, clock.now());
    if (sharing && 'usable_at' in sharing) return { refusal: notYetShared(sharing.usable_at, clock.now()) };
    // A token of an account that a pool may be leasing right now is minted only once the record says that it is shared.
    if (!sharing?.record) onCleared(latestExpiry);

    const batch = ledger.batch();
    if (!existing) onNew();
    putGrant(batch, grant.ref, grant.updateTime, { before: existing, after });
    // A grant that comes back is written with its job too: a sweep may just find that the job holds nothing any more.
    if (!existing || existing.state === 'expired' || !record || record.check_at === null) {
      const at = { now: clock.now(), random: clock.random() };
      putJob(batch, job, addGrant(record, { ...after, id: grant_id }, at));
    }
    if (after.kind === 'pooled_service_account') {
      if (!free) renewLease(batch, accountDocument(ledger, after.service_account), after);
      else {
        const leased = lease(free.record, { grant: after, pool_size: pool.length }, clock.now());
        if (!leased) throw new Error('an account that is not free was to be leased');
        putAccount(batch, free.read, free.record, leased);
        await quarantineAccount(ledger, batch, existing, clock.now());
      }
    }
    if (shared && sharing?.record) putAccount(batch, shared, sharedRecord, sharing.record);
    return { grant: after, latestExpiry, written: await commit(batch) };
  };

  /** The first free account; the whole pool is read for it only if it was not found exhausted a moment ago. */
  const findFree = async (pool: string, eager: readonly DocumentSnapshot[], others: readonly string[]) => {
    const free = findFreeAccount(eager, clock.now());
    if (free || exhausted.has(pool)) return free;
    const unread =
      others.length > 0 ? await ledger.getAll(...others.map((email) => accountDocument(ledger, email))) : [];
    const found = findFreeAccount(unread, clock.now());
    if (!found) exhausted.add(pool, [...eager, ...unread]);
    return found;
  };

  /** Sets the account aside from which Google does not mint, although there is no other. */
  const abandonAccount = async ({ read, record }: Loaded<Grant>) => {
    const batch = ledger.batch();
    putGrant(batch, read.ref, read.updateTime, { before: record, after: abandonLease(record, clock.now()) });
    await quarantineAccount(ledger, batch, record, clock.now());
    await batch.commit();
  };

  const activateAfterRead = async (token: MintedToken, { grant: reserved }: Reserved) => {
    const { job_id } = reserved;
    const documents = [grantDocument(ledger, token.grant_id), jobDocument(ledger, job_id)] as const;
    const [grant, job] = (await ledger.getAll(...documents)) as [DocumentSnapshot, DocumentSnapshot];
    const before = toGrant(grant);
    // An instance with another policy reserved it meanwhile: the record would say of this token what is not so.
    if (before && !sameBasis(basisOf(before), basisOf(reserved))) return { refusal: POLICY_DIFFERS };
    const activation = activate(before, { jobEndedAt: endTimeOf(toJobRecord(job)) }, token, clock.now());
    if ('refusal' in activation) return activation;
    const batch = ledger.batch();
    putGrant(batch, grant.ref, grant.updateTime, { before, after: activation.grant });
    await commit(batch);
    return activation;
  };

  /** The end of a job writes its grants, so a grant that is as it was reserved is that of a running job. */
  const activateIfUnchanged = async (token: MintedToken, reserved: Reserved) => {
    const activation = activate(reserved.grant, { jobEndedAt: undefined }, token, clock.now());
    if ('refusal' in activation) return activation;
    const batch = ledger.batch();
    const change = { before: reserved.grant, after: activation.grant };
    putGrant(batch, grantDocument(ledger, token.grant_id), reserved.written, change);
    await commit(batch);
    return activation;
  };

  /** What is written, or a refusal when other requests keep writing first. */
  const commitOrBusy = <T>(grant_id: string, retryMs: number, attempt: () => Promise<T>): Promise<T | Refused> => {
    const busy: Refused = { refusal: { reason: 'grant_busy', grant_id, retryAfter: BUSY_RETRY_AFTER } };
    const writing = retryOnConflict<T | Refused>(clock, attempt, retryMs).catch((error: unknown) => {
      if (isWriteConflict(error)) return busy;
      throw error;
    });
    return withLedgerTimeout(clock, writing);
  };

  return {
    reserve: (request, onCleared) => {
      const { claims, credentialName, credential } = request;
      const grant_id = grantId(claims.job_id, credentialName);
      const retryMs = credential.kind === 'pooled_service_account' ? LEASE_RETRY_MS : GRANT_RETRY_MS;
      let isNew = false;
      const attempt = () =>
        reserveOnce(request, onCleared, () => {
          isNew = true;
        });
      const retry = () => commitOrBusy(grant_id, isNew ? FIRST_ISSUE_RETRY_MS : retryMs, attempt);
      const reserving = attempt().catch((error: unknown) => {
        if (!isConflictOrMissing(error)) throw error;
        return isNew ? turns.take(claims.job_id, retry) : retry();
      });
      return withLedgerTimeout(clock, reserving);
    },
    checkBlocks: async (request) => {
      const snapshot = await withLedgerTimeout(clock, blocksDocument(ledger).get());
      const refusal = blockedNow(toBlocks(snapshot), request, clock.now());
      return refusal && { refusal };
    },
    activate: (token, reserved) => {
      const until = clock.now() + LEDGER_DEADLINE_MS;
      let attempt = activateIfUnchanged;
      const next = () => {
        // By then the caller was told that it failed, and no token leaves.
        if (clock.now() >= until) throw new Error('too late to record a token');
        const current = attempt;
        attempt = activateAfterRead;
        return current(token, reserved);
      };
      return commitOrBusy(token.grant_id, GRANT_RETRY_MS, next);
    },
  };
}

/** Work on one thing after the other, on this instance. */
class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  take<T>(id: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#last.get(id) ?? Promise.resolve()).then(work, work);
    this.#last.set(id, mine);
    const leave = () => {
      if (this.#last.get(id) === mine) this.#last.delete(id);
    };
    mine.then(leave, leave);
    return mine;
  }
}

const POLICY_DIFFERS: Refusal = {
  reason: 'dependency_unavailable',
  dependency: 'policy',
  error: 'instances with another policy serve the same grant: one of the two policies is being deployed',
  retryAfter: 1,
};

function notYetShared(usable_at: number, now: number): Refusal {
  const detail = 'the account serves a pool, or did until lately: what was issued from it there has not all expired';
  return {
    reason: 'dependency_unavailable',
    dependency: 'service account',
    error: detail,
    retryAfter: Math.max(1, Math.ceil((usable_at - now) / 1000)),
  };
}

function countsTowardLimit(grant: Grant | undefined): boolean {
  return grant !== undefined && grant.state !== 'expired';
}

/** When the first write of the batch, the grant's, was written. */
async function commit(batch: WriteBatch): Promise<Timestamp> {
  const [first] = await batch.commit();
  if (!first) throw new Error('Firestore answered a commit without a write');
  return first.writeTime;
}
