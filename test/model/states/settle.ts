// Makes states the same that cannot come to differ: a process whose commit is bound to lose its race goes back at once, and one that can
// do nothing any more is gone. What it would still read on its way changes nothing.

import { isPooledGrant } from '../../../shared/core/kinds/pooled-service-account.ts';
import { CLOCK_MARGIN_MS, ENABLE_WINDOW_MS } from '../../../shared/core/timing.ts';
import { type Model, nowOf, TTL_MS } from './model.ts';
import { type ChangeGrant, type Enable, type EndJob, type Issue, instanceOf, type Process } from './process.ts';
import type { Collection, Read, State } from './state.ts';

export function settle(model: Model, state: State): State {
  const { checkVersions, recordBeforeReturn } = model.transitions.order;
  if (!checkVersions || !recordBeforeReturn) return state;
  let processes = state.processes;
  for (let at = 0; at < processes.length; at += 1) {
    const process = processes[at] as Process;
    const settled = settleOne(model, state, process);
    if (settled === process) continue;
    processes = processes.flatMap((other) => (other === process ? (settled ?? []) : other));
    if (!settled) at -= 1;
  }
  return processes === state.processes ? state : { ...state, processes };
}

function settleOne(model: Model, state: State, process: Process): Process | undefined {
  switch (process.kind) {
    case 'issue':
      return settleIssue(state, process);
    case 'end job':
      return settleEnd(state, process);
    case 'change grant':
      return settleChange(state, process);
    case 'enable':
      return settleEnable(state, process);
    case 'revoke':
      return state.now >= process.until && isPooledGrant(process.known) && mayGo(model, process) ? undefined : process;
    case 'recheck':
      return process.until !== undefined && state.now >= process.until && mayGo(model, process) ? undefined : process;
    case 'reclaim':
    case 'kill':
      return process;
  }
}

/** Whether running out of time is the end of it. The end of a part of the kill switch's act is counted. */
function mayGo(model: Model, process: Process): boolean {
  return model.transitions.order.sendBeforeUntil && !('killing' in process);
}

function isStale<T>(latest: Collection<T>, found: Read<T> | undefined): boolean {
  return found !== undefined && latest[found.id]?.version !== found.version;
}

function settleIssue(state: State, process: Issue): Issue | undefined {
  const { planned, reserved, token, reread, until } = process;
  if (process.at === 'reserve' && planned) {
    const { grantRead, free } = planned;
    if (!isStale(state.grants, grantRead) && !isStale(state.accounts, free)) return process;
    const { planned: _, ...rest } = process;
    return { ...rest, at: 'prepare' };
  }
  if (process.at === 'mint' && reserved && !token && isPooledGrant(reserved.grant))
    return nowOf(state, process) + TTL_MS > reserved.latestExpiry ? undefined : process;
  if (process.at === 'activate' && reserved && state.grants[process.grant]?.version !== reserved.version)
    return { ...process, at: 'reread' };
  if (process.at === 'activate again' && reread && isStale(state.grants, reread.grant)) {
    const { reread: _, ...rest } = process;
    return { ...rest, at: 'reread' };
  }
  return process.at === 'reread' && until !== undefined && state.now >= until ? undefined : process;
}

function settleEnd(state: State, process: EndJob): EndJob {
  const { kind, job, by, begunAt, jobRead, grantsRead = [] } = process;
  if (process.at === 'job' || process.at === 'mark') return process;
  // Of a job that has ended before, only what is written can be overtaken.
  const ended = jobRead?.record !== undefined && jobRead.record.ended_at !== null;
  if (ended || !(isStale(state.jobs, jobRead) || grantsRead.some((found) => isStale(state.grants, found))))
    return process;
  const unwritten = grantsRead.every((found) => !isStale(state.grants, found) || !mayChange(found));
  if (unwritten && !isStale(state.jobs, jobRead)) return process;
  return { kind, ...instanceOf(process), job, by, begunAt, at: 'job', lostRaces: 1 };
}

function mayChange({ record }: Read<{ readonly state: string }>): boolean {
  return record !== undefined && record.state !== 'revoking' && record.state !== 'revoked';
}

function settleChange(state: State, process: ChangeGrant): ChangeGrant | undefined {
  const { at, to, grant, grantRead, killing } = process;
  if (killing || to === 'ended') return process;
  if (at !== 'read') {
    if (!isStale(state.grants, grantRead)) return process;
    const { kind, lostRaces } = process;
    return settleChange(state, { kind, ...instanceOf(process), grant, to, at: 'read', lostRaces });
  }
  const record = state.grants[grant]?.record;
  if (to === 'revoked') return record?.state === 'revoking' ? process : undefined;
  const now = nowOf(state, process);
  const live = record && record.state !== 'revoked' && record.state !== 'expired';
  return live && record.expires_at + CLOCK_MARGIN_MS <= now ? process : undefined;
}

function settleEnable(state: State, process: Enable): Enable | undefined {
  const { at, account, claimedAt = 0 } = process;
  const record = state.accounts[account]?.record;
  const now = nowOf(state, process);
  if (at === 'send' && now >= claimedAt + ENABLE_WINDOW_MS && state.disabled.includes(account)) return undefined;
  if (at !== 'confirm' || record?.state === 'cooling_down') return process;
  return undefined;
}
