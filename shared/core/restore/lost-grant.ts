// What a restored ledger records of a grant that it has lost: the record as the log has it, and of a pooled account when it may serve
// again. Pure. It only ever takes away: an ended grant stays ended, and no account becomes free, or is free sooner. That access was taken
// away is not believed: it is taken away again.

import { refusalIfEnded } from '../grant/end.ts';
import { type Grant, grantSchema } from '../grant/grant.ts';
import { grantId, grantIdOf } from '../grant/id.ts';
import { revocableAccess } from '../kinds/kinds.ts';
import { isPooledGrant, type PooledGrant } from '../kinds/pooled-service-account.ts';
import { conditionsFromWire } from '../operator-api/conditions.ts';
import type { LostGrant } from '../operator-api/lost-grant.ts';
import { MAX_TTL } from '../policy/credential.ts';
import type { Account } from '../pool/account.ts';
import { reusableAfter } from '../pool/lifecycle.ts';
import { CLOCK_MARGIN_MS, MINT_MARGIN_MS, RECORD_RETENTION_MS, SHORTEST_COOLDOWN_MS } from '../timing.ts';

/** For how long a token may be accepted, by any clock, after it was requested. */
export const MOST_TOKEN_MS = MAX_TTL * 1000 + MINT_MARGIN_MS + CLOCK_MARGIN_MS;

/**
 * The record that the log describes; else why it cannot be one.
 * @param heldSince since when nothing is issued: milliseconds since the epoch
 */
export function toLostRecord(lost: LostGrant, heldSince: number): { grant: Grant } | { problem: string } {
  if (grantId(lost.job_id, lost.credential) !== lost.grant_id)
    return { problem: 'grant_id is not the id of this job and credential' };
  const parsed = grantSchema.safeParse(toStoredFields(lost));
  if (!parsed.success) return { problem: parsed.error.issues.map(({ path }) => path.join('.')).join(', ') };
  const grant = parsed.data;
  if (grant.requested_at > heldSince + CLOCK_MARGIN_MS)
    return { problem: 'it was requested after the block began, so it is not one that the ledger has lost' };
  const latest = Math.max(grant.requested_at, grant.issued_at ?? 0) + MOST_TOKEN_MS;
  if (grant.expires_at > latest) return { problem: 'expires_at is later than any token of it can live' };
  return { grant: withAccess(grant) };
}

/** The grant as it was before access to it ended, with what ended it: the act that follows completes it. */
function withAccess(grant: Grant): Grant {
  const live = { ...grant, access_ended_at: null };
  if (grant.state !== 'revoked' && grant.state !== 'expired') return live;
  if (refusalIfEnded({ ...live, state: 'active' }) === undefined)
    return { ...live, state: 'active', ended_at: null, ended_by: null };
  return { ...live, state: revocableAccess(grant) ? 'revoking' : 'active' };
}

function toStoredFields(lost: LostGrant): Record<string, unknown> {
  const { grant_id: _, job_id, organization_slug, organization_id, pipeline_slug, pipeline_id, ...other } = lost;
  const { build_number, build_branch, build_tag, build_commit, build_source, step_key, agent_id, ...rest } = other;
  const build = { build_number, build_branch, build_tag, build_commit, build_source };
  const pipeline = { organization_slug, organization_id, pipeline_slug, pipeline_id };
  const { tokens, past_leases, ...facts } = rest;
  const expires_at = Date.parse(lost.expires_at);
  return {
    ...withTimes(facts),
    conditions: lost.conditions && conditionsFromWire(lost.conditions),
    tokens: tokens.map(withTimes),
    past_leases: past_leases.map(withTimes),
    subject: { kind: 'buildkite_job', id: job_id, ...pipeline, ...build, step_key, agent_id },
    rate_window_at: Date.parse(lost.requested_at),
    rate_window_count: 0,
    delete_at: expires_at + RECORD_RETENTION_MS,
  };
}

function withTimes(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      name.endsWith('_at') && typeof value === 'string' ? Date.parse(value) : value,
    ]),
  );
}

/** What the ledger is to have of the grant; undefined when it has that already. @param existing as the restored ledger has it */
export function mergeLost(existing: Grant | undefined, lost: Grant): Grant | undefined {
  if (!existing) return lost;
  const isNews = lost.requested_at > existing.requested_at || isOver(lost);
  if (isNews && !isOver(existing)) return withLongerLife(lost, existing);
  const longer = withLongerLife(existing, lost);
  return longer.expires_at > existing.expires_at || longer.tokens.length > existing.tokens.length ? longer : undefined;
}

/** Whether nothing is issued for it any more, or its time was up. */
function isOver(grant: Grant): boolean {
  return refusalIfEnded(grant) !== undefined || grant.state === 'expired';
}

/** The grant with the tokens of both, and the later end. A token that cannot be taken away ends access only when it expires. */
function withLongerLife(grant: Grant, other: Grant): Grant {
  const tokens = [...grant.tokens, ...other.tokens.filter(({ sha256 }) => !grant.tokens.some(hasHash(sha256)))];
  const expires_at = Math.max(grant.expires_at, other.expires_at);
  const endsLate = grant.revocation === 'expiry' && grant.access_ended_at !== null;
  return {
    ...grant,
    tokens,
    superseded: grant.superseded.length > 0 ? grant.superseded : other.superseded,
    expires_at,
    access_ended_at: endsLate ? expires_at : grant.access_ended_at,
    delete_at: expires_at + RECORD_RETENTION_MS,
  };
}

function hasHash(sha256: string) {
  return (token: Grant['tokens'][number]) => token.sha256 === sha256;
}

/** The pooled accounts that the grant had, each with the time from which no token of it is accepted. */
export function accountsOfLost(grant: Grant): ReadonlyMap<string, number> {
  if (!isPooledGrant(grant)) return new Map();
  const { service_account, past_leases, expires_at } = grant;
  const ends = new Map<string, number>();
  for (const lease of [...past_leases, { service_account, access_ended_at: expires_at }]) {
    const until = reusableAfter(lease.access_ended_at);
    ends.set(lease.service_account, Math.max(until, ends.get(lease.service_account) ?? 0));
  }
  return ends;
}

/**
 * What the ledger is to have of a pooled account that a lost grant had; undefined when it has that already.
 * @param of.grant as it is on record by now
 * @param of.reusable_at by {@link accountsOfLost}
 */
export function accountAfterLoss(
  existing: Account | undefined,
  of: { readonly email: string; readonly grant: PooledGrant; readonly reusable_at: number },
  now: number,
): Account | undefined {
  const { email, grant } = of;
  const reusable_at = Math.max(of.reusable_at, existing?.reusable_at ?? 0);
  const holds = grant.service_account === email && grant.leased_at >= (existing?.leased_at ?? 0);
  if (existing && !holds) {
    if (existing.reusable_at >= reusable_at) return undefined;
    const isIdle = existing.state === 'free' || existing.state === 'shared';
    return { ...existing, reusable_at, ...(isIdle ? { state: 'cooling_down' as const, delete_at: null } : {}) };
  }
  if (existing?.grant_id === grantIdOf(grant) && existing.reusable_at >= reusable_at && isAsFarAs(existing, grant))
    return undefined;
  const state = stateFor(grant);
  return {
    pool: grant.credential,
    pool_size: existing?.pool_size ?? 0,
    state,
    grant_id: grantIdOf(grant),
    leased_at: Math.max(grant.leased_at, existing?.leased_at ?? 0),
    reusable_at: state === 'cooling_down' ? Math.max(reusable_at, now + SHORTEST_COOLDOWN_MS) : reusable_at,
    disabled_at: state === 'cooling_down' && grant.state === 'revoked' ? grant.access_ended_at : null,
    enabling_since: null,
    disabling_since: null,
    last_checked_at: null,
    found_enabled: 0,
    delete_at: null,
  };
}

/** What the account does for its grant: after the grant's end it cools down, and the sweep enables it. */
function stateFor(grant: PooledGrant): 'leased' | 'revoking' | 'cooling_down' {
  if (grant.state === 'issuing' || grant.state === 'active') return 'leased';
  return grant.state === 'revoking' && grant.access_ended_at === null ? 'revoking' : 'cooling_down';
}

/** Whether the account's record is at its grant's state, or further. */
function isAsFarAs(account: Account, grant: PooledGrant): boolean {
  const order = ['leased', 'revoking', 'cooling_down', 'free', 'shared'];
  return order.indexOf(account.state) >= order.indexOf(stateFor(grant));
}
