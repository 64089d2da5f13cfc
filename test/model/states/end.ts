// The end of a job, of a grant, and the kill switch, step by step: see end-job.ts, revoke-grant.ts and kill-switch.ts in
// shared/operations, and revocation.ts in shared/ledger.

import type { Grant } from '../../../shared/core/grant/grant.ts';
import { grantIdOf } from '../../../shared/core/grant/id.ts';
import { isPooledGrant } from '../../../shared/core/kinds/pooled-service-account.ts';
import type { Account } from '../../../shared/core/pool/account.ts';
import { END_BUDGET_MS, RECORD_RESERVE_MS } from '../../../shared/core/timing.ts';
import { jobName, LATEST_CALL_MS, type Model, nowOf } from './model.ts';
import {
  type ChangeGrant,
  type EndJob,
  instanceOf,
  type Kill,
  type Outcome,
  type Process,
  type Revoke,
} from './process.ts';
import { commit, type Read, read, type State, type Write } from './state.ts';

/** The grant's name for people. */
export function grantName(model: Model, { subject, credential }: Pick<Grant, 'subject' | 'credential'>): string {
  return `${credential} of ${jobName(model, subject.id)}`;
}

export function endJobSteps(model: Model, state: State, process: EndJob): Outcome[] {
  const { transitions } = model;
  const { job, by, begunAt, lostRaces } = process;
  const label = `end of ${jobName(model, job)} (${by})`;
  const at = begunAt + (nowOf(state, process) - state.now);
  const lost = (text: string): Outcome => ({
    label: `${label}: ${text}`,
    state,
    next: [{ kind: 'end job', ...instanceOf(process), job, by, begunAt, at: 'job', lostRaces: lostRaces + 1 }],
  });
  const marked = (): State | undefined =>
    commit(state, [{ in: 'jobs', id: job, patch: transitions.endMark(by, undefined, at) }], true);
  switch (process.at) {
    case 'job': {
      const jobRead = read(state.jobs, job);
      const mark = lostRaces > 0 && jobRead.record && transitions.endTimeOf(jobRead.record) === undefined;
      const next = mark ? { ...process, at: 'mark' as const } : { ...process, at: 'grants' as const, jobRead };
      return [{ label: `${label} reads the job`, state, next: [next] }];
    }
    case 'mark': {
      const next = marked();
      if (!next) return [lost('finds no job to mark')];
      return [{ label: `${label} marks the job`, state: next, next: [{ ...process, at: 'job' }] }];
    }
    case 'grants': {
      const grantsRead = (process.jobRead?.record?.grants ?? []).map((id) => read(state.grants, id));
      return [{ label: `${label} reads the grants`, state, next: [{ ...process, at: 'accounts', grantsRead }] }];
    }
    case 'accounts': {
      const emails = (process.grantsRead ?? []).flatMap(({ record }) =>
        record && isPooledGrant(record) ? [record.service_account] : [],
      );
      const accountsRead = emails.map((email) => read(state.accounts, email));
      return [{ label: `${label} reads the accounts`, state, next: [{ ...process, at: 'commit', accountsRead }] }];
    }
    case 'commit': {
      const outcome = commitEnd(model, state, process, { label, at });
      const broken = marked();
      const cutOff = { label: `${label}: its commit fails, and only its mark is recorded`, next: [], fault: true };
      return [outcome ?? lost('the commit loses its race'), ...(broken ? [{ ...cutOff, state: broken }] : [])];
    }
  }
}

/** The tombstone, the grants and their accounts in one commit. Undefined when it loses its race. */
function commitEnd(
  model: Model,
  state: State,
  process: EndJob,
  { label, at }: { readonly label: string; readonly at: number },
): Outcome | undefined {
  const { transitions } = model;
  const { jobRead, grantsRead = [], accountsRead = [], by, begunAt } = process;
  if (!jobRead) throw new Error('the job was not read');
  const job = jobRead.record;
  const writes: Write[] = [];
  const alreadyEnded = job !== undefined && job.ended_at !== null;
  if (!alreadyEnded) writes.push({ in: 'jobs', read: jobRead, record: transitions.toTombstone(job, by, at) });
  else if (job.ending_since !== null)
    writes.push({ in: 'jobs', read: jobRead, record: transitions.withoutEndMark(job) });
  const revoking: Grant[] = [];
  for (const grantRead of grantsRead) {
    if (!grantRead.record) continue;
    const after = transitions.endGrant(grantRead.record, { by }, at);
    if (after) writes.push(...grantWrites(model, grantRead, after, accountsRead, at));
    const current = after ?? grantRead.record;
    if (current.state === 'revoking') revoking.push(current);
  }
  const committed = commit(state, writes, transitions.order.checkVersions);
  if (!committed) return undefined;
  const until = begunAt + END_BUDGET_MS - RECORD_RESERVE_MS;
  const next = revoking.map((known): Revoke => ({ kind: 'revoke', ...instanceOf(process), known, until }));
  return { label: `${label} is recorded`, state: committed, next };
}

/** A grant's next record, and the record of its account. */
function grantWrites(
  { transitions }: Model,
  grantRead: Read<Grant>,
  after: Grant,
  accounts: readonly Read<Account>[],
  now: number,
): Write[] {
  transitions.assertGrantTransition(grantRead.record, after);
  const writes: Write[] = [{ in: 'grants', read: grantRead, record: after }];
  if (!isPooledGrant(after)) return writes;
  const account = accounts.find(({ id }) => id === after.service_account);
  const followed = account?.record && transitions.afterGrantChange(account.record, after, now);
  if (!account || !followed) return writes;
  transitions.assertAccountTransition(account.record, followed);
  return [...writes, { in: 'accounts', read: account, record: followed }];
}

export function changeGrantSteps(model: Model, state: State, process: ChangeGrant): Outcome[] {
  const { transitions } = model;
  const { grant: id, to, cause, lostRaces, killing } = process;
  const now = nowOf(state, process);
  const known = state.grants[id]?.record;
  const label = `${process.party} makes ${known ? grantName(model, known) : id} ${to}`;
  const over = (from: State): State => (killing ? endOfKilling(from) : from);
  switch (process.at) {
    case 'read': {
      const grantRead = read(state.grants, id);
      const { record, version } = grantRead;
      const after = record && nextRecord(model, process, record, now);
      if (!after) {
        const current = cause && record?.state === 'revoking' ? [toRevoke(process, record, state.now)] : [];
        const unmark = cause && record && record.ending_since !== null && version !== undefined;
        const patch = unmark && commit(state, [{ in: 'grants', id, patch: transitions.notEnding }], true);
        const from = current.length > 0 ? patch || state : over(patch || state);
        return [{ label: `${label}: nothing is left to record`, state: from, next: current }];
      }
      if (cause && lostRaces > 0 && record.ending_since === null)
        return [{ label: `${label} reads it`, state, next: [{ ...process, at: 'mark' }] }];
      return [{ label: `${label} reads it`, state, next: [{ ...process, at: 'account', grantRead }] }];
    }
    case 'mark': {
      const patch = transitions.grantEndMark(cause ?? { by: 'released' }, now);
      const next = commit(state, [{ in: 'grants', id, patch }], true);
      if (!next) throw new Error('a grant was deleted');
      return [{ label: `${label} marks it`, state: next, next: [{ ...process, at: 'read' }] }];
    }
    case 'account': {
      const record = process.grantRead?.record;
      const accountRead = record && isPooledGrant(record) ? read(state.accounts, record.service_account) : undefined;
      return [{ label: `${label} reads its account`, state, next: [{ ...process, at: 'commit', accountRead }] }];
    }
    case 'commit':
      return [commitChange(model, state, process, label)];
  }
}

function commitChange(model: Model, state: State, process: ChangeGrant, label: string): Outcome {
  const { grantRead, accountRead, lostRaces, killing, grant, cause } = process;
  const now = nowOf(state, process);
  const after = grantRead?.record && nextRecord(model, process, grantRead.record, now);
  if (!after) return { label: `${label}: its time has passed`, state, next: [{ ...process, at: 'read' }] };
  const writes = grantWrites(model, grantRead, after, accountRead ? [accountRead] : [], now);
  const committed = commit(state, writes, model.transitions.order.checkVersions);
  if (!committed) {
    const { kind, to } = process;
    const causes = { ...(cause ? { cause } : {}), ...(killing ? { killing } : {}) };
    const again: Process = { kind, ...instanceOf(process), grant, to, ...causes, at: 'read', lostRaces: lostRaces + 1 };
    return { label: `${label}: the commit loses its race`, state, next: [again] };
  }
  if (cause && after.state === 'revoking')
    return { label, state: committed, next: [toRevoke(process, after, state.now)] };
  return { label, state: killing ? endOfKilling(committed) : committed, next: [] };
}

function nextRecord({ transitions }: Model, process: ChangeGrant, record: Grant, now: number): Grant | undefined {
  switch (process.to) {
    case 'ended':
      return transitions.endGrant(record, process.cause ?? { by: 'released' }, now);
    case 'revoked':
      return transitions.confirmRevoked(record, now);
    case 'expired':
      return transitions.expire(record, now);
  }
}

function toRevoke({ killing, ...process }: ChangeGrant, known: Grant, now: number): Revoke {
  const until = now + END_BUDGET_MS - RECORD_RESERVE_MS;
  return { kind: 'revoke', ...instanceOf(process), known, until, ...(killing ? { killing } : {}) };
}

function endOfKilling(state: State): State {
  return { ...state, killing: state.killing === null ? null : state.killing - 1 };
}

/** Access is removed, and then that is recorded. */
export function revokeSteps(model: Model, state: State, process: Revoke): Outcome[] {
  const { transitions } = model;
  const { known, until, killing } = process;
  const id = grantIdOf(known);
  const label = `${process.party} revokes ${grantName(model, known)}`;
  const access = transitions.revocableAccess(known);
  const change = { kind: 'change grant', ...instanceOf(process), grant: id, at: 'read', lostRaces: 0 } as const;
  const kept = killing ? { killing } : {};
  const over = (from: State): State => (killing ? endOfKilling(from) : from);
  const record = { ...change, to: 'revoked', ...kept } as const;
  const late = state.now >= until;
  const removed = (from: State, what: string, violations: readonly string[] = []): Outcome =>
    late
      ? { label: `${label}: ${what}, too late to record it`, state: over(from), next: [], violations }
      : { label: `${label}: ${what}`, state: from, next: [record], violations };
  if (!transitions.order.removeBeforeRecord && !process.recordedFirst)
    return [{ label: `${label}: it is recorded first`, state, next: [record, { ...process, recordedFirst: true }] }];
  if (access?.by === 'grant_document') {
    const document = read(state.documents, id);
    const ended = { state: 'ended' as const, expires_at: nowOf(state, process) };
    const closed = commit(state, [{ in: 'documents', read: document, record: ended }], true);
    if (!closed) throw new Error('a document changed while it was written');
    return [removed(closed, 'its document is closed')];
  }
  if (access?.by !== 'service_account') throw new Error('nothing to revoke');
  const { email } = access;
  if (late && transitions.order.sendBeforeUntil)
    return [{ label: `${label}: no time is left to disable the account`, state: over(state), next: [] }];
  const call = { call: 'disable' as const, account: email, until: until + LATEST_CALL_MS };
  const failed: ChangeGrant[] = late ? [] : [{ ...change, to: 'expired', ...kept }];
  return [
    removed(disable(state, email), `${short(email)} is disabled`, disabledWrongly(state, email)),
    {
      label: `${label}: Google does not respond`,
      state:
        failed.length > 0 ? { ...state, late: [...state.late, call] } : over({ ...state, late: [...state.late, call] }),
      next: failed,
      fault: true,
    },
  ];
}

export function short(email: string): string {
  return email.split('@')[0] ?? email;
}

export function disable(state: State, email: string): State {
  return state.disabled.includes(email) ? state : { ...state, disabled: [...state.disabled, email].sort() };
}

/** One job's end must not reach the next job on its account. */
export function disabledWrongly(state: State, email: string): string[] {
  const account = state.accounts[email]?.record.state;
  return account === 'revoking' || account === 'cooling_down'
    ? []
    : [`I4: ${short(email)} is disabled while it is ${account}`];
}

export function killSteps(model: Model, state: State, process: Kill): Outcome[] {
  const { transitions } = model;
  const selector = { job_id: process.job };
  const label = `kill switch on ${jobName(model, process.job)}`;
  if (process.at === 'block') {
    const blocks = [...state.blocks, { id: 'kill', selector, activated_at: nowOf(state, process) }];
    return [
      { label: `${label}: its block is recorded`, state: { ...state, blocks }, next: [{ ...process, at: 'list' }] },
    ];
  }
  const live = Object.entries(state.grants).filter(
    ([, { record }]) =>
      ['issuing', 'active', 'revoking'].includes(record.state) && transitions.selects(selector, record),
  );
  const cause = { by: 'kill_switch', kill_switch_id: 'kill' } as const;
  const common = {
    kind: 'change grant',
    ...instanceOf(process),
    to: 'ended',
    cause,
    at: 'read',
    lostRaces: 0,
  } as const;
  const next = live.map(([grant]): ChangeGrant => ({ ...common, grant, killing: true }));
  return [{ label: `${label} reads the live grants`, state: { ...state, killing: next.length }, next }];
}
