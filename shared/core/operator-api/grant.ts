// A grant as `reader` and `admin` show it: by Buildkite's names for the job, with times in ISO 8601. Tokens are known by SHA-256.

import * as z from 'zod';
import { acceptedUntil } from '../grant/accepted.ts';
import { END_CAUSE_NAMES } from '../grant/end-causes.ts';
import { GRANT_STATES, type Grant } from '../grant/grant.ts';
import { grantIdOf } from '../grant/id.ts';
import { toIso, toIsoOrNull } from '../iso-time.ts';
import type { KillSwitchRecord } from '../kill-switch.ts';
import { KIND_NAMES } from '../kinds/kinds.ts';
import { isPooledGrant } from '../kinds/pooled-service-account.ts';
import { toJobFields } from '../subject/buildkite-job.ts';
import { conditionsOnWire, conditionsToWire } from './conditions.ts';

const time = z.iso.datetime();
const ACCESS = ['open', 'ended_usable', 'over'] as const;

export const grantSummarySchema = z.object({
  grant_id: z.string(),
  state: z.enum(GRANT_STATES),
  accepted_until: time
    .nullable()
    .describe(
      'until when a token of this grant may be accepted, by the record; null: its access has ended. Where `revocation` is `propagating`, its account is disabled then, and Google may accept its tokens for some time',
    ),
  access: z
    .enum(ACCESS)
    .describe(
      '`open`: it has not ended. `ended_usable`: it ended, and its tokens may be accepted until `accepted_until`. `over`: `accepted_until` is null',
    ),
  credential: z.string(),
  environment: z.string(),
  kind: z.enum(KIND_NAMES),
  revocation: z.enum(['immediate', 'propagating', 'expiry']),
  rule: z.string(),
  policy_sha256: z.string(),
  conditions: conditionsOnWire
    .nullable()
    .default(null)
    .describe('by what the conditions of the rule held at the latest issuance; null: the rule has none'),
  job: z.record(z.string(), z.union([z.string(), z.number()]).nullable()).describe("the job, by Buildkite's names"),
  service_account: z.string().nullable().describe('the account whose tokens it has'),
  past_leases: z
    .array(z.object({ service_account: z.string(), leased_at: time, access_ended_at: time }))
    .describe('pooled accounts that served it before, oldest first, 200 at most'),
  database: z.string().nullable().describe('PROJECT/DATABASE of a firestore credential'),
  bucket: z.string().nullable(),
  scopes: z.array(z.string()),
  created_at: time,
  issued_at: time.nullable().describe('when a token last left; null while none has'),
  tokens_issued: z.number(),
  expires_at: time.describe('no token of this grant lives longer'),
  ended_at: time.nullable().describe('when it stopped being renewed'),
  ended_by: z.enum(END_CAUSE_NAMES).nullable(),
  kill_switch_id: z.string().nullable(),
  job_finished_at: time.nullable().describe("when the job finished, by Buildkite's clock"),
  access_ended_at: time
    .nullable()
    .describe(
      'when access ended, as on record: tokens expired or are rejected, or, where `revocation` is `propagating`, the account was disabled. Google may accept its tokens for some time after that',
    ),
});
export type GrantSummary = z.output<typeof grantSummarySchema>;

const storageSchema = z.object({ bucket: z.string(), prefix: z.string().nullable(), role: z.string() }).nullable();

export const grantDetailsSchema = grantSummarySchema.extend({
  tokens: z
    .array(z.object({ sha256: z.string(), expires_at: time }))
    .describe('the tokens on record. At each issuance those that have expired are dropped'),
  requested_at: time.describe('when it was last requested'),
  ending_since: time.nullable().describe('since when its end is being recorded; null before and after'),
  job_ended_at: time.nullable().describe("when the job's end was recorded"),
  storage: storageSchema.describe('the part of a bucket to which its tokens are narrowed'),
  leased_at: time.nullable().describe('since when the pooled account serves this job alone'),
  superseded: z
    .array(
      z.object({
        rule: z.string(),
        policy_sha256: z.string(),
        approved_by: z.string().nullable().default(null).describe('the UUID of the Buildkite user who approved them'),
        scopes: z.array(z.string()),
        storage: storageSchema,
        expires_at: time,
      }),
    )
    .describe('on what basis, and for what, tokens were issued before the policy changed'),
  kill_switch: z
    .object({ actor: z.string(), reason: z.string(), activated_at: time })
    .nullable()
    .describe('the act that ended it; null: none did, or its record is missing or cannot be read'),
});
export type GrantDetails = z.output<typeof grantDetailsSchema>;

/** @param now milliseconds since the epoch */
export function toGrantDetails(grant: Grant, act: KillSwitchRecord | undefined, now: number): GrantDetails {
  const pooled = isPooledGrant(grant) ? grant : undefined;
  return {
    ...toGrantSummary(grant, now),
    tokens: grant.tokens.map(({ sha256, expires_at }) => ({ sha256, expires_at: toIso(expires_at) })),
    requested_at: toIso(grant.requested_at),
    ending_since: toIsoOrNull(grant.ending_since),
    job_ended_at: toIsoOrNull(grant.job_ended_at),
    storage: 'storage' in grant ? grant.storage : null,
    leased_at: toIsoOrNull(pooled?.leased_at),
    superseded: grant.superseded.map(({ expires_at, ...basis }) => ({ ...basis, expires_at: toIso(expires_at) })),
    kill_switch: act ? { actor: act.actor, reason: act.reason, activated_at: toIso(act.activated_at) } : null,
  };
}

function pastLeasesOf(grant: Grant): GrantSummary['past_leases'] {
  if (!isPooledGrant(grant)) return [];
  return grant.past_leases.map(({ service_account, leased_at, access_ended_at }) => ({
    service_account,
    leased_at: toIso(leased_at),
    access_ended_at: toIso(access_ended_at),
  }));
}

/** For a cell of a table: each lease as ci-001@acme.iam.gserviceaccount.com:2026-11-24T10:00:00.000Z/2026-11-24T10:15:00.000Z. */
export function pastLeasesText(leases: GrantSummary['past_leases']): string {
  return leases
    .map(({ service_account, leased_at, access_ended_at }) => `${service_account}:${leased_at}/${access_ended_at}`)
    .join(' ');
}

/** @param now milliseconds since the epoch */
export function toGrantSummary(grant: Grant, now: number): GrantSummary {
  const { credential, environment, kind, revocation, rule, policy_sha256, state, tokens_issued } = grant;
  const until = acceptedUntil(grant, now);
  return {
    grant_id: grantIdOf(grant),
    state,
    accepted_until: toIsoOrNull(until),
    access: until === null ? 'over' : grant.ended_at === null ? 'open' : 'ended_usable',
    credential,
    environment,
    kind,
    revocation,
    rule,
    policy_sha256,
    conditions: grant.conditions && conditionsToWire(grant.conditions),
    job: toJobFields(grant.subject),
    service_account: 'service_account' in grant ? grant.service_account : null,
    past_leases: pastLeasesOf(grant),
    database: 'database' in grant ? `${grant.project}/${grant.database}` : null,
    bucket: 'storage' in grant ? (grant.storage?.bucket ?? null) : null,
    scopes: 'scopes' in grant ? [...grant.scopes] : [],
    created_at: toIso(grant.created_at),
    issued_at: toIsoOrNull(grant.issued_at),
    tokens_issued,
    expires_at: toIso(grant.expires_at),
    ended_at: toIsoOrNull(grant.ended_at),
    ended_by: grant.ended_by,
    kill_switch_id: grant.kill_switch_id,
    job_finished_at: toIsoOrNull(grant.job_finished_at),
    access_ended_at: toIsoOrNull(grant.access_ended_at),
  };
}
