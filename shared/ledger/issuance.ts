// The side of the ledger that issues: it reserves a grant before anything is minted and records each token before it
// is returned. A job's end writes the job's record and all its grants in one commit. A request for a token writes at least
// one of them, and only if unchanged since it was read. So the later of the two sees the other.

import { activate, type MintedToken, refusalIfLate } from '../core/grant/activate.ts';
import { basisOf, sameBasis } from '../core/grant/basis.ts';
import { abandonLease } from '../core/grant/end.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantId } from '../core/grant/id.ts';
import { addGrant, endTimeOf, type JobRecord } from '../core/grant/job-record.ts';
import { blockedNow, type IssueRequest, type LedgerState, reserve } from '../core/grant/reserve.ts';
import { sharedAccountOf } from '../core/kinds/kinds.ts';
import { isPooled, isPooledGrant, poolOf } from '../core/kinds/pooled-service-account.ts';
import type { Refusal } from '../core/oauth/refusal.ts';
import type { Account } from '../core/pool/account.ts';
import { poolExhausted } from '../core/pool/forecast.ts';
import { lease, recordShared } from '../core/pool/lifecycle.ts';
import { buildOf } from '../core/subject/buildkite-job.ts';
import { LEDGER_DEADLINE_MS } from '../core/timing.ts';
import type { Database, DocumentSnapshot, Timestamp, WriteBatch } from '../firestore/database.ts';
import {
  isConflictOrMissing,
  isWriteConflict,
  type Loaded,
  retryOnConflict,
  timestampOf,
} from '../firestore/records.ts';
import type { IssuanceLedger, Refused, Reserved } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  accountDocument,
  blocksDocument,
  commitWithRetry,
  grantDocument,
  jobDocument,
  putAccount,
  putGrant,
  putJob,
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

/** What a reservation depends on, as it was read. */
interface Found {
  readonly grant: DocumentSnapshot;
  readonly job: DocumentSnapshot;
  readonly existing: Grant | undefined;
  readonly jobRecord: JobRecord | undefined;
  readonly state: LedgerState;
  /** The accounts of the credential that were read, and the addresses of those that were not. */
  readonly accounts: readonly DocumentSnapshot[];
  readonly unreadAccounts: readonly string[];
}

/** A reservation that was decided on what was found, and what it writes. */
interface Plan {
  readonly found: Found;
  readonly grant: Grant;
  readonly latestExpiry: number;
  /** The account to lease. */
  readonly free: FreeAccount | undefined;
  /** What a shared account's record must say first. */
  readonly shared: Account | undefined;
}

/** Milliseconds that a request goes on losing races against others for its grant, in each of its two steps. */
const GRANT_RETRY_MS = 400;
/** The same where it leases an account, for which other jobs race too. */
const LEASE_RETRY_MS = 1_500;
/** The same for a new grant: all of a job's first issues write the job's record. */
const FIRST_ISSUE_RETRY_MS = 3_000;
/** Seconds after which a request that lost its races may try again. */
const BUSY_RETRY_AFTER = 1;

export function createIssuanceLedger(ledger: Database, clock: Clock): IssuanceLedger {
  const liveGrants = createPipelineGrantCounter(ledger, clock);
  const exhausted = new ExhaustedPoolCache(clock);
  const turns = new Turns();

  const find = async ({ subject, credentialName, credential, excludedAccounts = [] }: IssueRequest): Promise<Found> => {
    const candidates = fromRandomStart(poolOf(credential), clock).filter((email) => !excludedAccounts.includes(email));
    const shared = sharedAccountOf(credential);
    const emails = shared === undefined ? candidates.slice(0, EAGER_READS) : [shared];
    const grantCount = liveGrants(subject);
    grantCount.catch(() => {});
    const [grant, job, blocks, ...accounts] = (await ledger.getAll(
      grantDocument(ledger, grantId(subject.id, credentialName)),
      jobDocument(ledger, subject.id),
      blocksDocument(ledger),
      ...emails.map((email) => accountDocument(ledger, email)),
    )) as [DocumentSnapshot, DocumentSnapshot, DocumentSnapshot, ...DocumentSnapshot[]];
    const existing = toGrant(grant);
    const jobRecord = toJobRecord(job);
    const state: LedgerState = {
      jobEndedAt: endTimeOf(jobRecord),
      blocks: toBlocks(blocks),
      pipelineGrantCount: countsTowardLimit(existing) ? 0 : await grantCount,
    };
    return { grant, job, existing, jobRecord, state, accounts, unreadAccounts: candidates.slice(EAGER_READS) };
  };

  const plan = async (request: IssueRequest): Promise<Plan | Refused> => {
    const found = await find(request);
    const { existing, state, accounts } = found;
    const first = reserve(existing, state, request, clock.now());
    const free =
      'needsLease' in first ? await findFree(request.credentialName, accounts, found.unreadAccounts) : undefined;
    if ('needsLease' in first && !free) return refuseExhausted(request, found);
    const decided = free ? reserve(existing, state, { ...request, lease: free.read.id }, clock.now()) : first;
    if ('refusal' in decided) return decided;
    if ('needsLease' in decided) throw new Error('a lease was found and not taken');
    const { grant, latestExpiry } = decided;
    const [account] = sharedAccountOf(request.credential) === undefined ? [] : accounts;
    const use = { credential: request.credentialName, latestExpiry };
    const sharing = account && recordShared(toAccount(account), use, clock.now());
    if (sharing && 'usable_at' in sharing) return { refusal: notYetShared(sharing.usable_at, clock.now()) };
    return { found, grant, latestExpiry, free, shared: sharing?.record };
  };

  const write = async ({ credential }: IssueRequest, { found, grant, latestExpiry, free, shared }: Plan) => {
    const { existing, jobRecord, job } = found;
    const batch = ledger.batch();
    putGrant(batch, found.grant.ref, found.grant.updateTime, { before: existing, after: grant });
    // A grant that comes back is written with its job too: a sweep may just find that the job holds nothing any more.
    if (!existing || existing.state === 'expired' || !jobRecord || jobRecord.check_at === null) {
      const at = { now: clock.now(), random: clock.random() };
      putJob(batch, job, addGrant(jobRecord, { id: found.grant.id, build: buildOf(grant.subject) }, at));
    }
    if (isPooledGrant(grant)) {
      if (!free) renewLease(batch, accountDocument(ledger, grant.service_account), grant);
      else {
        const leased = lease(free.record, { grant, pool_size: poolOf(credential).length }, clock.now());
        if (!leased) throw new Error('an account that is not free was to be leased');
        putAccount(batch, free.read, free.record, leased);
        await quarantineAccount(ledger, batch, existing, clock.now());
      }
    }
    const [account] = found.accounts;
    if (shared && account) putAccount(batch, account, toAccount(account), shared);
    return { grant, latestExpiry, version: await commit(batch) };
  };

  const planAndWrite = async (request: IssueRequest): Promise<Reserved | Refused> => {
    const planned = await plan(request);
    return 'refusal' in planned ? planned : write(request, planned);
  };

  const refuseExhausted = async ({ credentialName, credential }: IssueRequest, { grant, existing }: Found) => {
    if (existing && countsTowardLimit(existing)) await abandonAccount({ read: grant, record: existing });
    const accounts = exhausted.accountsOf(credentialName);
    return { refusal: poolExhausted(accounts, poolOf(credential).length, clock.now()) };
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
    await commit(batch);
    return activation;
  };

  /** The end of a job writes its grants, so a grant that is unchanged since it was reserved has a running job. */
  const activateIfUnchanged = async (token: MintedToken, reserved: Reserved) => {
    const activation = activate(reserved.grant, { jobEndedAt: undefined }, token, clock.now());
    if ('refusal' in activation) return activation;
    const batch = ledger.batch();
    const change = { before: reserved.grant, after: activation.grant };
    putGrant(batch, grantDocument(ledger, token.grant_id), timestampOf(reserved.version), change);
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

  /** Prepares and writes, and repeats that until it is written. A job's first issues, which all write its record, take turns. */
  const writeAgain = (request: IssueRequest, isNew: boolean): Promise<Reserved | Refused> => {
    const { subject, credentialName, credential } = request;
    const retryMs = isPooled(credential) ? LEASE_RETRY_MS : GRANT_RETRY_MS;
    const attempt = () => planAndWrite(request);
    const retry = () =>
      commitOrBusy(grantId(subject.id, credentialName), isNew ? FIRST_ISSUE_RETRY_MS : retryMs, attempt);
    return isNew ? turns.take(subject.id, retry) : retry();
  };

  return {
    prepare: async (request) => {
      const until = clock.now() + LEDGER_DEADLINE_MS;
      const planned = await commitWithRetry(clock, () => plan(request));
      if ('refusal' in planned) return planned;
      const isNew = planned.found.existing === undefined;
      const writing = () =>
        write(request, planned).catch((error: unknown) => {
          if (!isConflictOrMissing(error)) throw error;
          return writeAgain(request, isNew);
        });
      return {
        latestExpiry: planned.latestExpiry,
        // A token of an account that a pool may be leasing right now is minted only once the record says that it is shared.
        mayMintNow: planned.shared === undefined,
        commit: () => withLedgerTimeout(clock, writing(), until),
      };
    },
    checkBlocks: async (request) => {
      const snapshot = await withLedgerTimeout(clock, blocksDocument(ledger).get());
      const refusal = blockedNow(toBlocks(snapshot), request, clock.now());
      return refusal && { refusal };
    },
    activate: (token, reserved) => {
      const until = clock.now() + LEDGER_DEADLINE_MS;
      const again = () =>
        commitOrBusy(token.grant_id, GRANT_RETRY_MS, () => {
          // By then the caller has received a failure, and no token is returned.
          if (clock.now() >= until) throw new Error('too late to record a token');
          return activateAfterRead(token, reserved);
        });
      const activating = activateIfUnchanged(token, reserved).catch((error: unknown) => {
        if (!isConflictOrMissing(error)) throw error;
        return again();
      });
      return withLedgerTimeout(clock, activating, until);
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
  code: 'policy_mismatch',
  error: 'instances with another policy serve the same grant: one of the two policies is being deployed',
  retryAfter: 1,
};

function notYetShared(usable_at: number, now: number): Refusal {
  const detail = 'the account serves a pool, or did until lately: what was issued from it there has not all expired';
  return {
    reason: 'dependency_unavailable',
    dependency: 'service account',
    code: 'account_in_pool',
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
  if (!first) throw new Error('Firestore returned no write for a commit');
  return first.writeTime;
}
