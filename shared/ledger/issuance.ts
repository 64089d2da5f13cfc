// The side of the ledger that issues: it reserves a grant before anything is minted and records each token before it
// is returned. A job's end writes the job's record and all its grants in one commit. A request for a token writes at least
// one of them, and only if unchanged since it was read. So the later of the two sees the other.

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
import type { Database, DocumentSnapshot } from '../firestore/database.ts';
import { isConflictOrMissing } from '../firestore/records.ts';
import type { IssuanceLedger, Refused, Reserved } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { commitGrant, commitOrBusy, GRANT_RETRY_MS } from './commit-grant.ts';
import {
  accountDocument,
  blocksDocument,
  commitWithRetry,
  grantDocument,
  jobDocument,
  putAccount,
  putGrant,
  putJob,
  type Read,
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
import { RecentReads } from './recent-reads.ts';
import { createTokenRecorder } from './record-token.ts';
import { Turns } from './turns.ts';

/** What a reservation depends on, as it was read. */
interface Found {
  readonly grant: Read;
  readonly job: Read;
  readonly existing: Grant | undefined;
  readonly jobRecord: JobRecord | undefined;
  readonly state: LedgerState;
  /** The accounts of the credential that were read, and the addresses of those that were not. */
  readonly accounts: readonly DocumentSnapshot[];
  readonly unreadAccounts: readonly string[];
}

/** A reservation that was decided on what was found, and what it writes. */
interface Plan {
  readonly found: Pick<Found, 'grant' | 'job' | 'existing' | 'jobRecord' | 'accounts'>;
  readonly grant: Grant;
  readonly latestExpiry: number;
  /** The account to lease. */
  readonly free: FreeAccount | undefined;
  /** What a shared account's record must say first. */
  readonly shared: Account | undefined;
}

/** Milliseconds that a request goes on losing races against others where it leases an account, for which other jobs race too. */
const LEASE_RETRY_MS = 1_500;
/** The same for a new grant: all of a job's first issues write the job's record. */
const FIRST_ISSUE_RETRY_MS = 3_000;

export function createIssuanceLedger(ledger: Database, clock: Clock): IssuanceLedger {
  const liveGrants = createPipelineGrantCounter(ledger, clock);
  const exhausted = new ExhaustedPoolCache(clock);
  const turns = new Turns();
  const recent = new RecentReads(clock);

  const find = async ({ subject, credentialName, credential, excludedAccounts = [] }: IssueRequest): Promise<Found> => {
    const candidates = fromRandomStart(poolOf(credential), clock).filter((email) => !excludedAccounts.includes(email));
    const shared = sharedAccountOf(credential);
    const emails = shared === undefined ? candidates.slice(0, EAGER_READS) : [shared];
    const grantCount = liveGrants(subject);
    grantCount.catch(() => {});
    const [grant, job, blocksRead, ...accounts] = (await ledger.getAll(
      grantDocument(ledger, grantId(subject.id, credentialName)),
      jobDocument(ledger, subject.id),
      blocksDocument(ledger),
      ...emails.map((email) => accountDocument(ledger, email)),
    )) as [DocumentSnapshot, DocumentSnapshot, DocumentSnapshot, ...DocumentSnapshot[]];
    const existing = toGrant(grant);
    const jobRecord = toJobRecord(job);
    const blocks = toBlocks(blocksRead);
    recent.addJob(subject.id);
    recent.setBlocks(blocks);
    const state: LedgerState = {
      jobEndedAt: endTimeOf(jobRecord),
      blocks,
      pipelineGrantCount: countsTowardLimit(existing) ? 0 : await grantCount,
    };
    return { grant, job, existing, jobRecord, state, accounts, unreadAccounts: candidates.slice(EAGER_READS) };
  };

  /**
   * The plan for a job that the ledger does not know, without a read: its commit fails if the ledger knows the job. Undefined
   * where something is to be read first.
   */
  const planFirst = async (request: IssueRequest): Promise<Plan | undefined> => {
    const { subject, credentialName, credential } = request;
    const { blocks } = recent;
    if (isPooled(credential) || blocks === undefined || recent.hasJob(subject.id)) return undefined;
    const pipelineGrantCount = await liveGrants(subject);
    const decided = reserve(undefined, { jobEndedAt: undefined, blocks, pipelineGrantCount }, request, clock.now());
    if (!('grant' in decided)) return undefined;
    const email = sharedAccountOf(credential);
    if (email !== undefined && !recent.isSharedFor(email, decided.latestExpiry)) return undefined;
    recent.addJob(subject.id);
    const found = {
      grant: { ref: grantDocument(ledger, grantId(subject.id, credentialName)), updateTime: undefined },
      job: { ref: jobDocument(ledger, subject.id), updateTime: undefined },
      existing: undefined,
      jobRecord: undefined,
      accounts: [],
    };
    return { ...decided, found, free: undefined, shared: undefined };
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
    const sharedSoFar = account && toAccount(account);
    const sharing = account && recordShared(sharedSoFar, use, clock.now());
    if (account) recent.addAccount(account.id, sharedSoFar);
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
      putJob(batch, job, addGrant(jobRecord, { id: found.grant.ref.id, build: buildOf(grant.subject) }, at));
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
    const version = await commitGrant(batch);
    if (shared && account) recent.addAccount(account.id, shared);
    return { grant, latestExpiry, version };
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
  const abandonAccount = async ({ read, record }: { readonly read: Read; readonly record: Grant }) => {
    const batch = ledger.batch();
    putGrant(batch, read.ref, read.updateTime, { before: record, after: abandonLease(record, clock.now()) });
    await quarantineAccount(ledger, batch, record, clock.now());
    await batch.commit();
  };

  /** Prepares and writes, and repeats that until it is written. A job's first issues, which all write its record, take turns. */
  const writeAgain = (request: IssueRequest, isNew: boolean): Promise<Reserved | Refused> => {
    const { subject, credentialName, credential } = request;
    const retryMs = isPooled(credential) ? LEASE_RETRY_MS : GRANT_RETRY_MS;
    const attempt = () => planAndWrite(request);
    const retry = () =>
      commitOrBusy(clock, grantId(subject.id, credentialName), isNew ? FIRST_ISSUE_RETRY_MS : retryMs, attempt);
    return isNew ? turns.take(subject.id, retry) : retry();
  };

  return {
    prepare: async (request) => {
      const until = clock.now() + LEDGER_DEADLINE_MS;
      const first = await withLedgerTimeout(clock, planFirst(request));
      const planned = first ?? (await commitWithRetry(clock, () => plan(request)));
      if ('refusal' in planned) return planned;
      const isNew = planned.found.existing === undefined;
      const writing = () =>
        write(request, planned).catch((error: unknown) => {
          if (!isConflictOrMissing(error)) throw error;
          return writeAgain(request, isNew);
        });
      return {
        latestExpiry: planned.latestExpiry,
        // A token of an account that a pool may be leasing right now is minted only once the record says that it is shared. Nothing
        // is minted for a job that may have ended, as far as was read.
        mayMintNow: !first && planned.shared === undefined,
        commit: () => withLedgerTimeout(clock, writing(), until),
      };
    },
    checkBlocks: async (request) => {
      const blocks = toBlocks(await withLedgerTimeout(clock, blocksDocument(ledger).get()));
      recent.setBlocks(blocks);
      const refusal = blockedNow(blocks, request, clock.now());
      return refusal && { refusal };
    },
    activate: createTokenRecorder(ledger, clock),
  };
}

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
