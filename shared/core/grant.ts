// The life of a grant, as pure functions on its record: issuing -> active -> revoking -> revoked, active -> expired.
// A grant is one job's hold on one credential; repeats and renewals land on the same record. Times are milliseconds
// since the epoch and end in `_at`. Knows nothing about Firestore or Google.

import * as z from 'zod';
import type { JobClaims } from './claims.ts';
import { grantId } from './grant-id.ts';
import type { Credential } from './policy.ts';
import type { Refusal } from './refusal.ts';

/** Live tokens one grant may have: a bound on the record's size and on a runaway loop in a step. */
export const MAX_LIVE_TOKENS = 500;
/** How long after its mint began a token's life may at most begin: the deadline of the mint. */
const MINT_MARGIN_MS = 10_000;
/** Milliseconds by which Google's clock and ours may differ. */
const CLOCK_MARGIN_MS = 60_000;
const RETENTION_MS = 400 * 86_400_000;

const time = z.number();
const common = {
  job_id: z.string(),
  organization_slug: z.string(),
  organization_id: z.string().nullable(),
  pipeline_slug: z.string(),
  pipeline_id: z.string().nullable(),
  build_number: z.number(),
  build_branch: z.string(),
  build_tag: z.string().nullable(),
  build_commit: z.string(),
  build_source: z.string().nullable(),
  step_key: z.string().nullable(),
  agent_id: z.string(),
  credential: z.string(),
  environment: z.string(),
  rule: z.string(),
  policy_sha256: z.string(),
  state: z.enum(['issuing', 'active', 'revoking', 'revoked', 'expired']),
  created_at: time,
  /** When a token last left; null while none has. */
  issued_at: time.nullable(),
  issued_count: z.number(),
  /** Each token that may be accepted, with the latest moment at which it could be. */
  tokens: z.array(z.object({ sha256: z.string(), expires_at: time })),
  /** No token of this grant lives longer. */
  expires_at: time,
  /** When the grant stopped being renewed. */
  ended_at: time.nullable(),
  ended_by: z.enum(['job.finished', 'clock']).nullable(),
  /** When the job ended, whatever state the grant was in; null while it runs. */
  job_ended_at: time.nullable(),
  /** From when on no token of this grant is accepted any more. */
  dead_at: time.nullable(),
  delete_at: time,
};

/** A grant as it is stored. Document id: see grant-id.ts. */
export const grantSchema = z.discriminatedUnion('kind', [
  z.object({
    ...common,
    kind: z.literal('firestore'),
    revocation: z.literal('immediate'),
    project: z.string(),
    database: z.string(),
  }),
  z.object({
    ...common,
    kind: z.literal('service_account'),
    revocation: z.literal('expiry'),
    service_account: z.string(),
    scopes: z.array(z.string()),
  }),
]);
export type Grant = z.output<typeof grantSchema>;

/** What a grant is asked for with. `ttl` is in seconds. */
export interface Request {
  readonly claims: JobClaims;
  readonly credentialName: string;
  readonly credential: Credential;
  readonly rule: string;
  readonly policySha256: string;
  readonly ttl: number;
}

/**
 * The record before anything is minted: it says until when a token could live, should this process die right after.
 * @param existing the grant's record so far
 * @param jobEndedAt from the job's tombstone; undefined while the job runs
 */
export function reserve(
  existing: Grant | undefined,
  jobEndedAt: number | undefined,
  request: Request,
  now: number,
): { grant: Grant } | { refusal: Refusal } {
  const grant_id = grantId(request.claims.job_id, request.credentialName);
  if (jobEndedAt !== undefined) return { refusal: { reason: 'job_ended', ended_at: jobEndedAt } };
  const opens = toTarget(request.credential);
  const margin = opens.kind === 'firestore' ? 0 : MINT_MARGIN_MS;
  const latest = now + request.ttl * 1000 + margin;
  if (!existing) {
    const grant: Grant = {
      ...toWho(request.claims),
      ...opens,
      ...toWhy(request),
      state: 'issuing',
      created_at: now,
      issued_at: null,
      issued_count: 0,
      tokens: [],
      expires_at: latest,
      ended_at: null,
      ended_by: null,
      job_ended_at: null,
      dead_at: null,
      delete_at: latest + RETENTION_MS,
    };
    return { grant };
  }
  if (existing.state === 'revoking' || existing.state === 'revoked')
    return { refusal: { reason: 'grant_revoked', grant_id } };
  if (existing.job_ended_at !== null) return { refusal: { reason: 'job_ended', ended_at: existing.job_ended_at } };
  if (!sameTarget(existing, opens)) return { refusal: { reason: 'credential_changed', grant_id } };
  const expires_at = Math.max(existing.expires_at, latest);
  const tokens = existing.tokens.filter((token) => token.expires_at > now);
  if (tokens.length >= MAX_LIVE_TOKENS) {
    const soonest = Math.min(...tokens.map((token) => token.expires_at));
    return { refusal: { reason: 'too_many_live_tokens', grant_id, retryAfter: Math.ceil((soonest - now) / 1000) } };
  }
  return {
    grant: {
      ...existing,
      ...opens,
      ...toWhy(request),
      state: existing.state === 'active' ? 'active' : 'issuing',
      tokens,
      expires_at,
      ended_at: null,
      ended_by: null,
      dead_at: null,
      delete_at: expires_at + RETENTION_MS,
    },
  };
}

/** The record of a token that is about to leave. The tombstone and the record are read again: whatever ended wins. */
export function activate(
  existing: Grant | undefined,
  jobEndedAt: number | undefined,
  token: { readonly grant_id: string; readonly sha256: string; readonly expires_at: number },
  now: number,
): { grant: Grant } | { refusal: Refusal } {
  if (jobEndedAt !== undefined) return { refusal: { reason: 'job_ended', ended_at: jobEndedAt } };
  if (existing && existing.job_ended_at !== null)
    return { refusal: { reason: 'job_ended', ended_at: existing.job_ended_at } };
  if (existing?.state === 'expired')
    return {
      refusal: { reason: 'unavailable', what: 'mint', detail: 'took longer than the grant may live', retryAfter: 1 },
    };
  if (!existing || (existing.state !== 'issuing' && existing.state !== 'active'))
    return { refusal: { reason: 'grant_revoked', grant_id: token.grant_id } };
  const tokens = [
    ...existing.tokens.filter(({ expires_at, sha256 }) => expires_at > now && sha256 !== token.sha256),
    { sha256: token.sha256, expires_at: token.expires_at },
  ];
  const grant: Grant = {
    ...existing,
    state: 'active',
    issued_at: now,
    issued_count: existing.issued_count + 1,
    tokens,
    // A token that rules judge lives as long as its grant, whatever its own end is.
    expires_at:
      existing.revocation === 'immediate' ? existing.expires_at : Math.max(existing.expires_at, token.expires_at),
  };
  return { grant };
}

/**
 * The record once the job has ended. An `immediate` grant is now being revoked; one that can only expire is not renewed
 * any more and stays what it is until its time is up. An expired one is marked all the same, so that a hand-out on its
 * way finds it changed. Undefined when the record says so already, or the grant is not to be had again anyway.
 */
export function endWithJob(existing: Grant, now: number): Grant | undefined {
  if (existing.job_ended_at !== null || existing.state === 'revoking' || existing.state === 'revoked') return undefined;
  const marked = { ...existing, job_ended_at: now };
  if (existing.state === 'expired') return marked;
  const margin = existing.revocation === 'immediate' ? CLOCK_MARGIN_MS : 0;
  if (existing.expires_at + margin <= now) return expire(marked, now);
  const ended = { ...marked, ended_at: now, ended_by: 'job.finished' as const };
  return ended.revocation === 'immediate' ? { ...ended, state: 'revoking' } : ended;
}

/** The record once access was really taken away; undefined when that was not what the record waited for. */
export function confirmRevoked(existing: Grant, now: number): Grant | undefined {
  if (existing.state !== 'revoking') return undefined;
  return { ...existing, state: 'revoked', dead_at: now };
}

/**
 * The record of a grant whose time is up, also of one that could not be revoked before; undefined when it is not up, or
 * the grant has ended otherwise.
 */
export function expire(existing: Grant, now: number): Grant | undefined {
  const margin = existing.state === 'revoking' ? CLOCK_MARGIN_MS : 0;
  if (existing.state === 'revoked' || existing.state === 'expired' || existing.expires_at + margin > now)
    return undefined;
  return {
    ...existing,
    state: 'expired',
    ended_at: existing.ended_at ?? existing.expires_at,
    ended_by: existing.ended_by ?? 'clock',
    dead_at: existing.expires_at,
  };
}

function toWho(claims: JobClaims) {
  return {
    job_id: claims.job_id,
    organization_slug: claims.organization_slug,
    organization_id: claims.organization_id ?? null,
    pipeline_slug: claims.pipeline_slug,
    pipeline_id: claims.pipeline_id ?? null,
    build_number: claims.build_number,
    build_branch: claims.build_branch,
    build_tag: claims.build_tag ?? null,
    build_commit: claims.build_commit,
    build_source: claims.build_source ?? null,
    step_key: claims.step_key ?? null,
    agent_id: claims.agent_id,
  };
}

function toWhy({ credentialName, credential, rule, policySha256 }: Request) {
  return { credential: credentialName, environment: credential.environment, rule, policy_sha256: policySha256 };
}

function toTarget(credential: Credential) {
  if (credential.kind === 'firestore')
    return {
      kind: 'firestore' as const,
      revocation: 'immediate' as const,
      project: credential.project,
      database: credential.database,
    };
  return {
    kind: 'service_account' as const,
    revocation: 'expiry' as const,
    service_account: credential.email,
    scopes: [...credential.scopes],
  };
}

function sameTarget(existing: Grant, opens: ReturnType<typeof toTarget>): boolean {
  if (existing.kind === 'firestore')
    return opens.kind === 'firestore' && existing.project === opens.project && existing.database === opens.database;
  return opens.kind === 'service_account' && existing.service_account === opens.service_account;
}
