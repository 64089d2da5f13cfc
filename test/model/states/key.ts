// By what two states are the same: times count from now, versions only by whether a read is the latest, and what no decision and no
// invariant depends on is left out. Processes count without their order.

import type { Grant } from '../../../shared/core/grant/grant.ts';
import type { JobRecord } from '../../../shared/core/grant/job-record.ts';
import type { Account } from '../../../shared/core/pool/account.ts';
import type { Process } from './process.ts';
import { sha256Of } from './record.ts';
import type { Collection, Read, State, Token } from './state.ts';

/** Longer ago than every duration that a decision compares with: from then on only the order matters. */
const LONG_AGO_MS = -6 * 60_000;

export function keyOf(state: State): string {
  const { now, tokens, budget } = state;
  const parts: string[] = [ledgerKey(state)];
  for (const { call, account, until } of state.late) parts.push(`${call} ${account} ${since(until, now)}`);
  const processes = state.processes.map((process) => processKey(state, process));
  parts.push(...processes.sort(), state.finished.join(), String(state.killing));
  for (const token of tokens) parts.push(tokenKey(state, token));
  const { requests, webhooks, kills, releases, crashes, faults, waits, freezes } = budget;
  parts.push(`${requests} ${webhooks} ${kills} ${releases} ${crashes} ${faults} ${waits} ${freezes}`);
  return parts.join('|');
}

/** The same of what remains if every process is cut off. */
export function restKey(state: State): string {
  const late = state.late.map(({ call, account, until }) => `${call} ${account} ${since(until, state.now)}`);
  return [ledgerKey(state), ...late, ...state.tokens.map((token) => tokenKey(state, token))].join('|');
}

function ledgerKey({ now, grants, jobs, accounts, documents, disabled, blocks }: State): string {
  const parts = [disabled.join(), String(blocks.length)];
  for (const id in grants) parts.push(id.slice(0, 4), grantKey(grants[id]?.record, now));
  for (const id in jobs) parts.push(id.slice(0, 1), jobKey(jobs[id]?.record));
  for (const id in accounts) parts.push(id.slice(0, 8), accountKey(accounts[id]?.record, now));
  for (const id in documents) {
    const { state = '', expires_at = 0 } = documents[id]?.record ?? {};
    parts.push(id.slice(0, 4), state === 'ended' ? state : `${since(expires_at, now)}`);
  }
  return parts.join();
}

function since(time: number, now: number): number {
  const passed = time - now;
  return Math.max(passed, LONG_AGO_MS) / 1000;
}

function optional(time: number | null, now: number): string {
  return time === null ? '-' : String(since(time, now));
}

const isSet = (value: unknown): string => (value === null ? '-' : '+');

function grantKey(grant: Grant | undefined, now: number): string {
  if (!grant) return 'none';
  if (grant.state === 'revoked') return `revoked${isSet(grant.ending_since)}`;
  const { state, ended_by, ending_by, ending_since, job_ended_at, ended_at, access_ended_at, tokens } = grant;
  const marks = `${isSet(ended_at)}${isSet(ending_since)}${isSet(job_ended_at)}${ending_by ?? '-'}`;
  if (state === 'expired') return `expired ${ended_by} ${marks}`;
  const account = 'service_account' in grant ? grant.service_account.slice(0, 8) : '';
  const past = 'past_leases' in grant ? grant.past_leases.length : 0;
  const live = tokens.map(({ expires_at }) => since(expires_at, now)).join('/');
  const issued = grant.tokens_issued > 0 ? 1 : 0;
  return `${state} ${ended_by} ${marks} ${optional(access_ended_at, now)} ${since(grant.expires_at, now)} ${account} ${past} ${issued} ${live}`;
}

function jobKey(job: JobRecord | undefined): string {
  if (!job) return 'none';
  const { grants, check_at, ending_since, ending_by, ended_at } = job;
  return `${grants.length}${isSet(check_at)}${isSet(ending_since)}${ending_by ?? '-'}${isSet(ended_at)}`;
}

function accountKey(account: Account | undefined, now: number): string {
  if (!account) return 'none';
  const { state, grant_id, reusable_at, disabled_at, enabling_since, disabling_since } = account;
  return `${state} ${grant_id?.slice(0, 4)} ${since(reusable_at, now)} ${isSet(disabled_at)} ${optional(enabling_since, now)} ${optional(disabling_since, now)}`;
}

function tokenKey({ now, grants }: State, { id, grant, account, end, expires_at, recorded, returned }: Token): string {
  const known = grants[grant]?.record.tokens.some(({ sha256 }) => sha256 === sha256Of(id)) ? 1 : 0;
  const times = `${since(end, now)} ${since(expires_at, now)}`;
  return `${grant.slice(0, 4)} ${account?.slice(0, 8)} ${times} ${recorded ? 1 : 0}${returned ? 1 : 0}${known}`;
}

/** What was read, unless it is the latest. */
function readKey<T>(
  latest: Collection<T>,
  found: Read<T> | undefined,
  toKey: (record: T | undefined) => string,
): string {
  if (!found) return '';
  return latest[found.id]?.version === found.version
    ? `=${found.id.slice(0, 8)}`
    : `${found.id.slice(0, 8)}${toKey(found.record)}`;
}

function processKey(state: State, process: Process): string {
  const { now, grants, jobs, accounts, tokens } = state;
  const ofGrant = (found: Read<Grant> | undefined) => readKey(grants, found, (grant) => grantKey(grant, now));
  const ofJob = (found: Read<JobRecord> | undefined) => readKey(jobs, found, jobKey);
  const ofAccount = (found: Read<Account> | undefined) =>
    readKey(accounts, found, (account) => accountKey(account, now));
  const { kind, party, skew } = process;
  const who = `${party}${skew / 1000}`;
  switch (process.kind) {
    case 'issue': {
      const { job, credential, at, begun, excluded, planned, abandoning, reserved, blocksRead, token, reread, until } =
        process;
      const parts: unknown[] = [
        kind,
        who,
        job[0],
        credential,
        at,
        begun.ended,
        begun.blocked,
        excluded.length,
        blocksRead,
      ];
      if (planned)
        parts.push(
          ofGrant(planned.grantRead),
          ofJob(planned.jobRead),
          ofAccount(planned.free),
          grantKey(planned.grant, now),
          since(planned.latestExpiry, now),
        );
      if (abandoning) parts.push(ofGrant(abandoning.grant));
      if (reserved) {
        const id = process.grant;
        parts.push(
          ofGrant({ id, version: reserved.version, record: reserved.grant }),
          since(reserved.latestExpiry, now),
        );
        parts.push('service_account' in reserved.grant ? reserved.grant.service_account : '');
      }
      if (token)
        parts.push(
          tokens.findIndex(({ id }) => id === token.id),
          since(token.expires_at, now),
        );
      if (reread) parts.push(ofGrant(reread.grant), ofJob(reread.job));
      if (until !== undefined) parts.push(since(until, now));
      return parts.join();
    }
    case 'end job': {
      const { job, by, at, begunAt, lostRaces, jobRead, grantsRead = [], accountsRead = [] } = process;
      const found = [ofJob(jobRead), ...grantsRead.map(ofGrant), ...accountsRead.map(ofAccount)];
      return [kind, who, job[0], by, at, since(begunAt, now), lostRaces > 0, ...found].join();
    }
    case 'change grant': {
      const { grant, to, cause, at, lostRaces, grantRead, accountRead, killing } = process;
      const found = [ofGrant(grantRead), ofAccount(accountRead)];
      return [kind, who, grant.slice(0, 4), to, cause?.by, at, lostRaces > 0, killing, ...found].join();
    }
    case 'revoke': {
      const { known, until, killing, recordedFirst } = process;
      const account = 'service_account' in known ? known.service_account : '';
      return [
        kind,
        who,
        known.subject.id[0],
        known.credential,
        account,
        since(until, now),
        killing,
        recordedFirst,
      ].join();
    }
    case 'enable':
      return [
        kind,
        who,
        process.account,
        process.at,
        process.claimedAt === undefined ? '' : since(process.claimedAt, now),
      ].join();
    case 'reclaim':
      return [kind, who, process.at, ofAccount(process.known)].join();
    case 'recheck':
      return [kind, who, process.account, process.at, optional(process.until ?? null, now)].join();
    case 'kill':
      return [kind, who, process.job[0], process.at].join();
  }
}
