// A request for a token, step by step, until its grant is reserved (mint.ts and record.ts have the rest): see issue-token.ts in shared/operations and issuance.ts in shared/ledger. What is decided is
// decided by the functions of the product.

import type { Grant } from '../../../shared/core/grant/grant.ts';
import type { JobRecord } from '../../../shared/core/grant/job-record.ts';
import type { IssueRequest } from '../../../shared/core/grant/reserve.ts';
import { isPooled, isPooledGrant } from '../../../shared/core/kinds/pooled-service-account.ts';
import type { Account } from '../../../shared/core/pool/account.ts';
import { buildOf } from '../../../shared/core/subject/buildkite-job.ts';
import { openOrMint, readBlocksAgain } from './mint.ts';
import { type Model, nowOf, requestName } from './model.ts';
import type { Issue, Outcome } from './process.ts';
import { activateAgain, activateUnchanged, giveToken, reread } from './record.ts';
import { commit, type Read, read, type State, type Write } from './state.ts';

/** A reservation that was decided on what was read. */
export interface PlannedIssue {
  readonly grantRead: Read<Grant>;
  readonly jobRead: Read<JobRecord>;
  readonly grant: Grant;
  readonly latestExpiry: number;
  /** The account to lease. */
  readonly free?: Read<Account>;
}

export function issueSteps(model: Model, state: State, process: Issue): Outcome[] {
  switch (process.at) {
    case 'prepare':
      return [prepare(model, state, process)];
    case 'reserve':
      return reserve(model, state, process);
    case 'abandon':
      return [abandon(model, state, process)];
    case 'mint':
      return [...readBlocksAgain(model, state, process), ...openOrMint(model, state, process)];
    case 'activate':
      return [activateUnchanged(model, state, process)];
    case 'reread':
      return [reread(model, state, process)];
    case 'activate again':
      return [activateAgain(model, state, process)];
    case 'return':
      return [giveToken(model, state, process, [])];
  }
}

function prepare(model: Model, state: State, process: Issue): Outcome {
  const { transitions, pool, requestFor } = model;
  const now = nowOf(state, process);
  const request: IssueRequest = {
    ...requestFor(process.job, process.credential),
    excludedAccounts: process.excluded,
  };
  const label = requestName(model, process);
  const grantRead = read(state.grants, process.grant);
  const jobRead = read(state.jobs, process.job);
  const jobEndedAt = transitions.endTimeOf(jobRead.record);
  const ledgerState = { jobEndedAt, blocks: state.blocks, pipelineGrantCount: 0 };
  const refused = (why: string) => ({ label: `${label} is refused: ${why}`, state, next: [] });
  const first = transitions.reserve(grantRead.record, ledgerState, request, now);
  if ('refusal' in first) return refused(first.refusal.reason);
  const plan = { grantRead, jobRead };
  if (!('needsLease' in first)) {
    const planned = { ...plan, grant: first.grant, latestExpiry: first.latestExpiry };
    return { label: `${label} is prepared`, state, next: [{ ...process, at: 'reserve', planned }] };
  }
  const candidates = isPooled(request.credential) ? pool.filter((email) => !process.excluded.includes(email)) : [];
  const reads = candidates.map((email) => read(state.accounts, email));
  const free =
    reads.find(({ record }) => record && transitions.mayLease(record, now)) ?? reads.find(({ record }) => !record);
  if (!free) {
    const held = grantRead.record;
    return held && held.state !== 'expired'
      ? {
          label: `${label} finds no free account`,
          state,
          next: [{ ...process, at: 'abandon', abandoning: { grant: grantRead } }],
        }
      : refused('pool_exhausted');
  }
  const second = transitions.reserve(grantRead.record, ledgerState, { ...request, lease: free.id }, now);
  if ('refusal' in second) return refused(second.refusal.reason);
  if ('needsLease' in second) throw new Error('a lease was found and not taken');
  const planned = { ...plan, grant: second.grant, latestExpiry: second.latestExpiry, free };
  return {
    label: `${label} is prepared, with a free account`,
    state,
    next: [{ ...process, at: 'reserve', planned }],
  };
}

function reserve(model: Model, state: State, process: Issue): Outcome[] {
  const { transitions } = model;
  const { planned } = process;
  if (!planned) throw new Error('nothing was prepared');
  const { grantRead, jobRead, grant, latestExpiry } = planned;
  const label = requestName(model, process);
  const writes = writesOf(model, state, process, planned);
  const committed = commit(state, writes, transitions.order.checkVersions);
  const again = { ...process, at: 'prepare' as const };
  if (!committed) return [{ label: `${label}: the reservation loses its race`, state, next: [again] }];
  transitions.assertGrantTransition(grantRead.record, grant);
  const version = committed.grants[grantRead.id]?.version ?? 0;
  const reserved = { grant, version, latestExpiry };
  const { planned: _, ...rest } = process;
  const isNew = jobRead.record ? '' : ', with its job';
  return [
    {
      label: `${label}: the reservation is recorded${isNew}`,
      state: committed,
      next: [{ ...rest, at: 'mint', reserved }],
    },
    {
      label: `${label}: the reservation is recorded, and the response looks like a lost race`,
      state: committed,
      next: [again],
      fault: true,
    },
  ];
}

function writesOf(
  model: Model,
  state: State,
  process: Issue,
  { grantRead, jobRead, grant, free }: PlannedIssue,
): Write[] {
  const { transitions, pool } = model;
  const now = nowOf(state, process);
  const existing = grantRead.record;
  const writes: Write[] = [{ in: 'grants', read: grantRead, record: grant }];
  if (!existing || existing.state === 'expired' || !jobRead.record || jobRead.record.check_at === null) {
    const added = { id: grantRead.id, build: buildOf(grant.subject) };
    const record = transitions.addGrant(jobRead.record, added, { now, random: 0 });
    writes.push({ in: 'jobs', read: jobRead, record });
  }
  if (!isPooledGrant(grant)) return writes;
  if (!free) {
    const patch = { reusable_at: transitions.reusableAfter(grant.expires_at) };
    writes.push({ in: 'accounts', id: grant.service_account, patch });
    return writes;
  }
  const record = transitions.lease(free.record, { grant, pool_size: pool.length }, now);
  if (!record) throw new Error('an account that is not free was to be leased');
  transitions.assertAccountTransition(free.record, record);
  writes.push({ in: 'accounts', read: free, record });
  return [...writes, ...quarantineWrites(model, state, process, existing)];
}

function quarantineWrites(model: Model, state: State, process: Issue, grant: Grant | undefined): Write[] {
  if (!grant || !isPooledGrant(grant) || grant.state === 'expired') return [];
  const account = read(state.accounts, grant.service_account);
  const record = account.record && model.transitions.quarantine(account.record, nowOf(state, process));
  if (!record) return [];
  model.transitions.assertAccountTransition(account.record, record);
  return [{ in: 'accounts', read: account, record }];
}

/** The account from which Google does not mint is set aside, although there is no other. */
function abandon(model: Model, state: State, process: Issue): Outcome {
  const { transitions } = model;
  const grant = process.abandoning?.grant;
  if (!grant?.record) throw new Error('nothing to give up');
  const label = requestName(model, process);
  const record = transitions.abandonLease(grant.record, nowOf(state, process));
  const writes: Write[] = [
    { in: 'grants', read: grant, record },
    ...quarantineWrites(model, state, process, grant.record),
  ];
  const committed = commit(state, writes, transitions.order.checkVersions);
  if (committed) return { label: `${label} gives its account up`, state: committed, next: [] };
  return {
    label: `${label}: giving its account up loses its race`,
    state,
    next: [{ ...process, at: 'prepare' }],
  };
}
